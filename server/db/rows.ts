/** Runs statements that are not prepared. */
import type { Knex } from 'knex';

/** The rows of a statement. Each `?` in it is one of the bindings. */
export async function rowsOf<Row>(
  knex: Knex,
  sql: string,
  bindings: readonly Knex.RawBinding[] = [],
): Promise<readonly Row[]> {
  const { rows }: { rows: readonly Row[] } = await knex.raw(sql, [...bindings]);
  return rows;
}
