/** The history of our migrations: in our own table, and rows that knex wrote into the application's table ("strays"). */
import type { Knex } from 'knex';
import { rowsOf } from '../rows.js';
import {
  applicationTables,
  type HistoryTable,
  historyTable,
  isMigrationName,
  MIGRATIONS_TABLE,
  type MigrationName,
  migrationNames,
} from './migrations.js';

/** For each migration, a table that exists once it has run. */
const PROOFS: Readonly<Record<MigrationName, string>> = {
  '0001_django_session': 'django_session',
  '0002_auth_user': 'auth_user',
  '0003_goods': 'koa_goods',
  '0004_login_attempts': 'koa_login_attempts',
  '0005_user_sessions': 'koa_user_sessions',
};

/** A row of our history in the application's table. */
export interface Stray {
  readonly name: MigrationName;
  readonly migration_time: Date | null;
  /** The application's table, quoted for SQL. */
  readonly from: string;
}

/** Looks in the current schema only, because there knex creates its table, whatever else is on the search_path. */
export async function hasHistory(knex: Knex): Promise<boolean> {
  const [row] = await rowsOf<{ found: boolean }>(
    knex,
    "SELECT to_regclass(quote_ident(current_schema()) || '.' || quote_ident(?)) IS NOT NULL AS found",
    [MIGRATIONS_TABLE],
  );
  return row?.found === true;
}

/** The names in our table, including those of other releases. Only reads. */
export async function appliedNames(knex: Knex): Promise<readonly string[]> {
  if (!(await hasHistory(knex))) return [];
  const rows = await rowsOf<{ name: string }>(knex, 'SELECT name FROM ?? ORDER BY id', [MIGRATIONS_TABLE]);
  return rows.map(({ name }) => name);
}

/**
 * Finds our rows in the history tables of the application. `knex.migrate.latest` with a MigrationSource wrote them, as the
 * README of 0.1.0 said; knex then refuses the application's next run. Only reads. Skips a table that this database user
 * may not read.
 */
export async function findStrays(knex: Knex, config: Knex.Config): Promise<readonly Stray[]> {
  const strays: Stray[] = [];
  const seen = new Set<string>();
  for (const table of applicationTables(config)) {
    const from = await readable(knex, table);
    if (from === undefined || seen.has(from)) continue;
    seen.add(from);
    const found = await rowsOf<{ name: string; migration_time: Date | null }>(
      knex,
      `SELECT name, migration_time FROM ${from} WHERE name = ANY (?) ORDER BY id`,
      [[...migrationNames()]],
    );
    for (const { name, migration_time } of found) {
      // The application may have a migration of the same name, which did not create our table.
      if (isMigrationName(name) && (await historyTable(knex, { schema: null, table: PROOFS[name] })) !== undefined) {
        strays.push({ name, migration_time, from });
      }
    }
  }
  return strays;
}

async function readable(knex: Knex, table: HistoryTable): Promise<string | undefined> {
  const name = await historyTable(knex, table);
  if (name === undefined) return undefined;
  const [row] = await rowsOf<{ readable: boolean }>(
    knex,
    `SELECT has_table_privilege(?::regclass, 'SELECT') AND 3 = (
       SELECT count(*) FROM pg_attribute
        WHERE attrelid = ?::regclass AND attname IN ('id', 'name', 'migration_time') AND NOT attisdropped) AS readable`,
    [name, name],
  );
  return row?.readable === true ? name : undefined;
}

/** Moves these rows into our table, which must exist. The application's own rows stay. */
export async function moveStrays(trx: Knex, strays: readonly Stray[]): Promise<void> {
  const applied = new Set(await appliedNames(trx));
  for (const { name, migration_time, from } of strays) {
    if (!applied.has(name)) {
      await trx.raw('INSERT INTO ?? (name, batch, migration_time) VALUES (?, 1, ?)', [
        MIGRATIONS_TABLE,
        name,
        migration_time,
      ]);
      applied.add(name);
    }
    await trx.raw(`DELETE FROM ${from} WHERE name = ?`, [name]);
  }
}
