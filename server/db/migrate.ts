/** Run, undo and list the migrations, one process at a time. */
import makeKnex, { type Knex } from 'knex';
import { StoreUnavailable } from '../errors.js';
import { MIGRATIONS_TABLE, MigrationSource } from './migrations.js';

/** Two numbers that no other program should choose: "koa" and "migr" in ASCII. */
const LOCK = [0x6b6f61, 0x6d696772] as const;
/** How long one process waits for another's migrations. */
const LOCK_TIMEOUT = '60s';

const config = (): Knex.MigratorConfig => ({ migrationSource: new MigrationSource(), tableName: MIGRATIONS_TABLE });

/**
 * Do `work` while no other process migrates this database. Two first starts at once would otherwise race in knex's own
 * `create table`, before knex takes its lock.
 *
 * The lock hangs on a transaction of a connection of its own, so that it goes when this process goes, and holds behind
 * pgbouncer too. `work` gets connections without statement timeout: to build an index may take longer than a page.
 */
async function alone<T>(knex: Knex, work: (knex: Knex) => Promise<T>): Promise<T> {
  const settings = knex.client as { readonly config: Knex.Config };
  const patient = makeKnex({
    ...settings.config,
    connection: withoutTimeouts(settings.config),
    pool: { min: 0, max: 2 },
  });
  try {
    return await patient.transaction(async (lock) => {
      await lock.raw(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
      try {
        await lock.raw('SELECT pg_advisory_xact_lock(?, ?)', [...LOCK]);
      } catch (cause) {
        if ((cause as { code?: unknown }).code !== '55P03') throw cause;
        throw new StoreUnavailable(`Another process has been migrating this database for ${LOCK_TIMEOUT}.`, { cause });
      }
      return await work(patient);
    });
  } finally {
    await patient.destroy();
  }
}

function withoutTimeouts(config: Knex.Config): NonNullable<Knex.Config['connection']> {
  const timeouts = { statement_timeout: 0, query_timeout: 0, idle_in_transaction_session_timeout: 0 };
  const { connection } = config;
  if (typeof connection === 'string') return { connectionString: connection, ...timeouts };
  if (typeof connection === 'object') return { ...connection, ...timeouts };
  if (connection === undefined) return timeouts;
  return connection;
}

/**
 * Bring the database up to date; a database that is up to date stays as it is.
 *
 * @returns the names of the migrations that ran, in order
 * @throws SchemaMismatch when a table of Django's name has another shape; nothing is changed then
 */
export function migrate(knex: Knex): Promise<readonly string[]> {
  return alone(knex, async (connected) => {
    const [, names]: [number, string[]] = await connected.migrate.latest(config());
    return names;
  });
}

/**
 * Undo the migrations of the last `migrate`, or all of them. Only tables that we made are dropped.
 *
 * @returns the names of the migrations that were undone, in order
 */
export function rollback(knex: Knex, options: { readonly all?: boolean } = {}): Promise<readonly string[]> {
  return alone(knex, async (connected) => {
    const [, names]: [number, string[]] = await connected.migrate.rollback(config(), options.all === true);
    return names;
  });
}

/** What has run, and what `migrate` would run. */
export interface MigrationStatus {
  readonly applied: readonly string[];
  readonly pending: readonly string[];
}

/** Reads only: on a fresh database nothing is made. */
export async function migrationStatus(knex: Knex): Promise<MigrationStatus> {
  const names = await new MigrationSource().getMigrations();
  const known = await knex.schema.hasTable(MIGRATIONS_TABLE);
  const done = new Set<string>(known ? await knex(MIGRATIONS_TABLE).pluck<string[]>('name') : []);
  return { applied: names.filter((name) => done.has(name)), pending: names.filter((name) => !done.has(name)) };
}
