/** Runs statements that are not prepared. */
import type { Knex } from 'knex';

/** The rows of a statement. Each `?` in it is one of the bindings, or each `:name` one by its name. */
export async function rowsOf<Row>(
  knex: Knex,
  sql: string,
  bindings: readonly Knex.RawBinding[] | Readonly<Record<string, Knex.RawBinding>> = [],
): Promise<readonly Row[]> {
  const { rows }: { rows: readonly Row[] } = await knex.raw(sql, bindings as Knex.RawBinding[]);
  return rows;
}
