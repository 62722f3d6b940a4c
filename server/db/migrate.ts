/** Run, undo and list the migrations, one process at a time. */
import type { Knex } from 'knex';
import { StoreUnavailable } from '../errors.js';
import { whileLocked } from './lock.js';
import { MIGRATIONS_TABLE, MigrationSource, type MigrationSourceOptions } from './migrations.js';

/** Seconds that one process waits for another's migrations. */
const WAIT = 60;

export type MigrateOptions = Pick<MigrationSourceOptions, 'AUTH_USER_MODEL'>;

const config = (options: MigrateOptions = {}): Knex.MigratorConfig => ({
  migrationSource: new MigrationSource(options),
  tableName: MIGRATIONS_TABLE,
});

/** Two first starts at once would otherwise race in knex's own `create table`, before knex takes a lock of its own. */
async function alone(knex: Knex, work: (knex: Knex) => Promise<string[]>): Promise<readonly string[]> {
  const names = await whileLocked(knex, { lock: 'migrate', wait: WAIT }, work);
  if (names !== undefined) return names;
  throw new StoreUnavailable(`Another process has been migrating this database for ${WAIT} seconds. Try again later.`);
}

/**
 * Bring the database up to date; a database that is up to date stays as it is.
 *
 * @returns the names of the migrations that ran, in order
 * @param options.AUTH_USER_MODEL Django's, where it has users of its own: ours are not made then
 * @throws SchemaMismatch when a table of Django's name has another shape, or when Django has to migrate first; nothing
 *   is changed then
 */
export function migrate(knex: Knex, options: MigrateOptions = {}): Promise<readonly string[]> {
  return alone(knex, async (connected) => {
    const [, names]: [number, string[]] = await connected.migrate.latest(config(options));
    return names;
  });
}

/**
 * Undo the migrations of the last `migrate`, or all of them. Only tables that we made are dropped.
 *
 * @returns the names of the migrations that were undone, in order
 * @throws SchemaMismatch when Django has built on a table of ours since; that migration and earlier ones stay
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
