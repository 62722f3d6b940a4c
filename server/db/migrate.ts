/** Runs, rolls back and lists migrations, one process at a time. */
import type { Knex } from 'knex';
import { ImproperlyConfigured, StoreUnavailable, type TableRows } from '../errors.js';
import { checkNames, checkOptions, checkSpelling } from '../settings/given.js';
import { configOf } from '../undocumented/knex.js';
import { checkKnex } from './given.js';
import { whileLocked, withPlainKnex } from './lock.js';
import { appliedNames, findStrays, hasHistory, moveStrays, type Stray } from './migration_history.js';
import {
  checkPartitions,
  isMigrationName,
  MIGRATIONS_TABLE,
  type MigrationName,
  MigrationSource,
  migrationNames,
  migrationOf,
} from './migrations.js';
import { refuseOtherPartitions } from './partitions.js';
import { countRows, lockTables, refuseRows } from './rows_at_stake.js';

export type { TableRows } from '../errors.js';
export type { Stray } from './migration_history.js';
export { MIGRATIONS_TABLE, type MigrationName, MigrationSource, type MigrationSourceOptions } from './migrations.js';

/** Seconds to wait for another process's migrations. */
const WAIT = 60;

/** Options of `migrate`. */
export interface MigrateOptions {
  /** The migrations to run, for an application that has its own users or no shop; all when absent. */
  readonly only?: readonly MigrationName[];
  /**
   * Django's AUTH_USER_MODEL, `auth.User` when absent. For another model, no user table is created: Django's migrate must
   * have created it before.
   */
  readonly AUTH_USER_MODEL?: string | undefined;
  /**
   * Create `django_session` with this number of partitions, by hash of session_key, for tens of millions of sessions. From
   * 2 to 256; partitions of a power of two can be split later. An existing table is not changed.
   */
  readonly partitions?: number | undefined;
}

/** What `migrate` did. */
export interface Migrated {
  readonly names: readonly string[];
  /** Rows moved from the application's table of migrations into ours. */
  readonly moved: readonly Stray[];
}

/**
 * Runs the pending migrations. If there are none, it only reads: no lock is taken and nothing is written.
 *
 * The history is in a separate table, `koa_django_session_migrations`, so that an application's own migrations may run
 * before or after. If `knex.migrate.latest` with a MigrationSource wrote our history into the application's table, those
 * rows are moved. Everything is in one transaction.
 *
 * ```ts
 * await migrate(knex, { only: ['0001_django_session', '0002_auth_user'] });
 * ```
 *
 * @returns the names of the migrations that ran, in order
 * @throws ImproperlyConfigured when `only` contains an unknown migration, or `partitions` is not from 2 to 256
 * @throws SchemaMismatch when one of Django's tables has other columns or another number of partitions, or when Django's
 *   migrate must run first. Nothing is changed then
 * @throws StoreUnavailable when another process has been migrating for 60 seconds
 */
export async function migrate(knex: Knex, options: MigrateOptions = {}): Promise<readonly string[]> {
  return (await bringUpToDate(knex, options)).names;
}

/**
 * As `migrate`; also returns the rows that were moved.
 *
 * ```ts
 * const { names, moved } = await bringUpToDate(knex);
 * ```
 */
export async function bringUpToDate(knex: Knex, options: MigrateOptions = {}): Promise<Migrated> {
  checkKnex('migrate()', knex);
  checkSpelling('migrate()', options, ['only', 'AUTH_USER_MODEL', 'partitions']);
  const wanted = migrationNames(options.only);
  const { partitions } = options;
  if (partitions !== undefined) checkPartitions(partitions);
  const config = configOf(knex);
  const pending = await withPlainKnex(knex, {}, async (plain) => {
    if (partitions !== undefined) await refuseOtherPartitions(plain, partitions);
    const applied = await appliedNames(plain);
    return wanted.some((name) => !applied.includes(name)) || (await findStrays(plain, config)).length > 0;
  });
  if (!pending) return { names: [], moved: [] };
  return alone(knex, async (trx) => {
    const moved = await prepareHistory(trx, config);
    const [, names]: [number, string[]] = await trx.migrate.latest(ours(wanted, options));
    return { names, moved };
  });
}

/** Knex's settings for our migrations. Names of another release in the history are accepted. */
const ours = (
  only: readonly MigrationName[],
  { AUTH_USER_MODEL, partitions }: Omit<MigrateOptions, 'only'> = {},
): Knex.MigratorConfig => ({
  migrationSource: new MigrationSource({ only, AUTH_USER_MODEL, partitions, dropRows: true, shared: true }),
  tableName: MIGRATIONS_TABLE,
  disableMigrationsListValidation: true,
});

/**
 * Creates our history tables and moves our rows out of the application's. Frees knex's lock, a row that a killed process
 * leaves locked: while we hold the advisory lock, no other process is migrating.
 */
async function prepareHistory(trx: Knex.Transaction, config: Knex.Config): Promise<readonly Stray[]> {
  // `list` creates knex's tables if they are missing.
  await trx.migrate.list(ours([]));
  await trx.migrate.forceFreeMigrationsLock(ours([]));
  const strays = await findStrays(trx, config);
  await moveStrays(trx, strays);
  return strays;
}

async function alone<T>(knex: Knex, work: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
  const done = await whileLocked(knex, { lock: 'migrate', wait: WAIT }, (_, trx) => work(trx));
  if (done !== undefined) return done;
  throw new StoreUnavailable(`Another process has been migrating this database for ${WAIT} seconds. Try again later.`);
}

/** Options of `rollback`. */
export interface RollbackOptions {
  /** Roll back every migration, not only the last one. */
  readonly all?: boolean;
  /** Drop the tables even if they have rows. */
  readonly dropRows?: boolean;
}

/** What a rollback did. */
export interface RolledBack {
  readonly names: readonly string[];
  readonly tables: readonly TableRows[];
}

/**
 * Roll back the last migration, or all of them, in one transaction. Drops only tables that we created.
 *
 * ```ts
 * const undone = await rollback(knex);
 * ```
 *
 * @returns the names of the migrations that were undone, in order
 * @throws RowsAtStake when a table would be dropped that has rows, unless `dropRows` says that they may go
 * @throws SchemaMismatch when another table refers to one that would be dropped
 * @throws ImproperlyConfigured when a later release of this package ran the last migration
 */
export async function rollback(knex: Knex, options: RollbackOptions = {}): Promise<readonly string[]> {
  return (await undo(knex, options)).names;
}

/**
 * As `rollback`; also returns the tables that were dropped.
 *
 * ```ts
 * const { names, tables } = await undo(knex, { dropRows: true });
 * ```
 */
export async function undo(knex: Knex, options: RollbackOptions = {}): Promise<RolledBack> {
  checkKnex('rollback()', knex);
  checkOptions('rollback()', options);
  checkNames('rollback()', options, ['all', 'dropRows']);
  const { all = false, dropRows = false } = options;
  const config = configOf(knex);
  return alone(knex, async (trx) => {
    if (!(await hasHistory(trx)) && (await findStrays(trx, config)).length === 0) return { names: [], tables: [] };
    await prepareHistory(trx, config);
    const names = namesToUndo(await appliedNames(trx), all);
    const tables: string[] = [];
    for (const name of names) tables.push(...(await migrationOf(name).drops(trx)));
    if (dropRows) await lockTables(trx, tables);
    const counted = dropRows ? await countRows(trx, tables) : await refuseRows(trx, names, tables);
    for (const name of names) await trx.migrate.down({ ...ours(names), name });
    return { names, tables: counted };
  });
}

function namesToUndo(applied: readonly string[], all: boolean): readonly MigrationName[] {
  const later = applied.find((name) => !isMigrationName(name));
  if (later !== undefined) {
    throw new ImproperlyConfigured(
      `Migration ${later} is not of this release of koa-django-session. Undo it with the release that ran it.`,
    );
  }
  const newestFirst = migrationNames()
    .filter((name) => applied.includes(name))
    .reverse();
  return all ? newestFirst : newestFirst.slice(0, 1);
}

/** Applied and pending migrations. */
export interface MigrationStatus {
  readonly applied: readonly string[];
  readonly pending: readonly string[];
}

/**
 * Lists our migrations. Only reads: on a new database nothing is created. Our rows in the application's history count as
 * applied.
 *
 * ```ts
 * const { applied, pending } = await migrationStatus(knex);
 * ```
 *
 * @throws ImproperlyConfigured when `only` contains an unknown migration
 */
export async function migrationStatus(knex: Knex, { only }: MigrateOptions = {}): Promise<MigrationStatus> {
  checkKnex('migrationStatus()', knex);
  const names = migrationNames(only);
  const config = configOf(knex);
  const done = await withPlainKnex(knex, {}, async (plain) => [
    ...(await appliedNames(plain)),
    ...(await findStrays(plain, config)).map(({ name }) => name),
  ]);
  return {
    applied: names.filter((name) => done.includes(name)),
    pending: names.filter((name) => !done.includes(name)),
  };
}
