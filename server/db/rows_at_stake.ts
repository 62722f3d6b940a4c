/** Counts the rows of tables that a rollback would drop, and refuses to drop tables with rows. */
import type { Knex } from 'knex';
import { RowsAtStake, type TableRows } from '../errors.js';
import { rowsOf } from '../rows.js';

/** Milliseconds. All later statements on a table queue behind a waiting ACCESS EXCLUSIVE lock. */
const LOCK_TIMEOUT = 5000;

async function count(knex: Knex, table: string): Promise<number> {
  const [row] = await rowsOf<{ count: string }>(knex, 'SELECT count(*) AS count FROM ??', [table]);
  return Number(row?.count);
}

/** The tables with the numbers of their rows. Only reads. */
export async function countRows(knex: Knex, tables: readonly string[]): Promise<readonly TableRows[]> {
  const counted: TableRows[] = [];
  for (const table of tables) counted.push({ table, rows: await count(knex, table) });
  return counted;
}

/** `auth_user (3 rows), auth_group (0 rows)`. */
export function listRows(tables: readonly TableRows[]): string {
  return tables.map(({ table, rows }) => `${table} (${rows} ${rows === 1 ? 'row' : 'rows'})`).join(', ');
}

/**
 * Locks the tables for the rest of the transaction, so that no row is added between the count and the drop.
 *
 * @throws RowsAtStake when one of them has rows
 */
export async function refuseRows(
  trx: Knex,
  migrations: readonly string[],
  tables: readonly string[],
): Promise<readonly TableRows[]> {
  refuse(migrations, await countRows(trx, tables));
  await lockTables(trx, tables);
  const counted = await countRows(trx, tables);
  refuse(migrations, counted);
  return counted;
}

function refuse(migrations: readonly string[], tables: readonly TableRows[]): void {
  if (tables.every(({ rows }) => rows === 0)) return;
  throw new RowsAtStake(
    `Undoing ${migrations.join(', ')} would drop ${listRows(tables)}. Nothing was changed. If the rows may go, say so: ` +
      "koa-django-session migrate:rollback --yes, rollback(knex, { dropRows: true }), or, for knex's own commands, " +
      'new MigrationSource({ dropRows: true }).',
    { migrations, tables },
  );
}

/** Locks the tables exclusively until the transaction ends. Does nothing outside of a transaction. */
export async function lockTables(trx: Knex, tables: readonly string[]): Promise<void> {
  if (trx.isTransaction !== true || tables.length === 0) return;
  await trx.raw(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT}`);
  await trx.raw(`LOCK TABLE ${tables.map(() => '??').join(', ')} IN ACCESS EXCLUSIVE MODE`, [...tables]);
  await trx.raw('SET LOCAL lock_timeout TO DEFAULT');
}
