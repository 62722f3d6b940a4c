/** The list of our migrations, and a MigrationSource for knex. */
import type { Knex } from 'knex';
import type { SessionTableForm } from '../../migrations/0001_django_session.js';
import * as django_session from '../../migrations/0001_django_session.js';
import type { UsersOfDjango } from '../../migrations/0002_auth_user.js';
import * as auth_user from '../../migrations/0002_auth_user.js';
import * as goods from '../../migrations/0003_goods.js';
import * as login_attempts from '../../migrations/0004_login_attempts.js';
import * as user_sessions from '../../migrations/0005_user_sessions.js';
import { ImproperlyConfigured, StoreUnavailable } from '../errors.js';
import { rowsOf } from '../rows.js';
import { configOf } from '../undocumented/knex.js';
import { tryLock } from './lock.js';
import { refuseRows } from './rows_at_stake.js';

/** The history table of our migrations. Not `knex_migrations`, which holds the application's own. */
export const MIGRATIONS_TABLE = 'koa_django_session_migrations';

interface Migration extends Knex.Migration {
  up(knex: Knex, wishes?: UsersOfDjango & SessionTableForm): Promise<void>;
  down(knex: Knex): Promise<void>;
  /** The tables that `down` would drop. Only reads. */
  drops(knex: Knex): Promise<readonly string[]>;
}

const MIGRATIONS = {
  '0001_django_session': django_session,
  '0002_auth_user': auth_user,
  '0003_goods': goods,
  '0004_login_attempts': login_attempts,
  '0005_user_sessions': user_sessions,
} as const satisfies Readonly<Record<string, Migration>>;

/** The name of a migration, without extension. */
export type MigrationName = keyof typeof MIGRATIONS;

export const isMigrationName = (name: string): name is MigrationName => Object.hasOwn(MIGRATIONS, name);

/**
 * The names, in the order in which they run.
 *
 * @param only the names to keep; all when absent
 * @throws ImproperlyConfigured when a name is unknown
 */
export function migrationNames(only?: readonly string[]): readonly MigrationName[] {
  const all = Object.keys(MIGRATIONS).filter(isMigrationName);
  if (only === undefined) return all;
  if (!Array.isArray(only)) {
    throw new ImproperlyConfigured("`only` is a list of migrations, such as { only: ['0001_django_session'] }.");
  }
  const unknown = only.find((name) => !isMigrationName(name));
  if (unknown !== undefined) {
    throw new ImproperlyConfigured(`There is no migration ${JSON.stringify(unknown)}. There are ${all.join(', ')}.`);
  }
  return all.filter((name) => only.includes(name));
}

/** The migration without the checks of MigrationSource. */
export function migrationOf(name: MigrationName): Migration {
  return MIGRATIONS[name];
}

/** A table that knex creates. */
export interface HistoryTable {
  /** null: the first table of this name on the search_path. */
  readonly schema: string | null;
  readonly table: string;
}

/** The history tables of the application's own migrations: knex's default, and the one that its config names. */
export function applicationTables({ migrations = {} }: Knex.Config): readonly HistoryTable[] {
  const { tableName, schemaName = null, migrationSource } = migrations;
  const usual: HistoryTable = { schema: null, table: 'knex_migrations' };
  if (migrationSource instanceof MigrationSource) return [usual];
  const set: HistoryTable = { schema: schemaName, table: tableName ?? usual.table };
  if (set.table === MIGRATIONS_TABLE) return [usual];
  return set.table === usual.table && set.schema === null ? [usual] : [usual, set];
}

/** The table's name, quoted for SQL; undefined if it does not exist. */
export async function historyTable(knex: Knex, { schema, table }: HistoryTable): Promise<string | undefined> {
  const [row] = await rowsOf<{ found: string | null }>(
    knex,
    "SELECT to_regclass(coalesce(quote_ident(?::text) || '.', '') || quote_ident(?))::text AS found",
    [schema, table],
  );
  return row?.found ?? undefined;
}

/** Options of MigrationSource. */
export interface MigrationSourceOptions {
  /** The migrations to run, for an application that has its own users or no shop; all when absent. */
  readonly only?: readonly MigrationName[];
  /** Allow `down` to drop tables that have rows. */
  readonly dropRows?: boolean;
  /**
   * Allow the application's history table: for a source that lists these migrations and the application's own together.
   */
  readonly shared?: boolean;
  /** Django's AUTH_USER_MODEL, `auth.User` when absent. Django's migrate must have created the table of another model. */
  readonly AUTH_USER_MODEL?: string | undefined;
  /** Create `django_session` with this number of partitions, see `MigrateOptions.partitions`. */
  readonly partitions?: number | undefined;
}

/** The maximum number of partitions: some statements lock all of them. */
export const MOST_PARTITIONS = 256;

/** @throws ImproperlyConfigured when it is not an integer from 2 to MOST_PARTITIONS */
export function checkPartitions(partitions: number): void {
  if (Number.isSafeInteger(partitions) && partitions >= 2 && partitions <= MOST_PARTITIONS) return;
  throw new ImproperlyConfigured(
    `There cannot be ${partitions} partitions. Use a whole number from 2 to ${MOST_PARTITIONS}, such as 16.`,
  );
}

/**
 * Our migrations for knex's own command line, or for a source that joins several. An application calls `migrate(knex)`.
 *
 * Use a separate history table: knex refuses to run if its table contains a migration that the source does not list, so
 * in one table our migrations and the application's would block each other. A run in the application's table is refused.
 *
 * ```ts
 * export default { client: 'pg', migrations: { migrationSource: new MigrationSource(), tableName: MIGRATIONS_TABLE } }
 * ```
 *
 * Names have no extension: knex stores them in the database, and would call the directory "corrupt" if they ended in
 * `.ts` in the sources and in `.js` in the build. The migrations are imported instead of read from a folder, which also
 * contains `.d.ts` files in the build.
 */
export class MigrationSource implements Knex.MigrationSource<string> {
  readonly #names: readonly MigrationName[];
  readonly #dropRows: boolean;
  readonly #shared: boolean;
  readonly #wishes: UsersOfDjango & SessionTableForm;

  /** @throws ImproperlyConfigured when `only` contains an unknown migration, or `partitions` is not from 2 to 256 */
  constructor({ only, AUTH_USER_MODEL, partitions, dropRows = false, shared = false }: MigrationSourceOptions = {}) {
    if (partitions !== undefined) checkPartitions(partitions);
    this.#names = migrationNames(only);
    this.#dropRows = dropRows;
    this.#shared = shared;
    this.#wishes = { AUTH_USER_MODEL, partitions };
  }

  /** In the order in which they run. */
  getMigrations(): Promise<string[]> {
    return Promise.resolve([...this.#names]);
  }

  /** The name itself, without an extension. */
  getMigrationName(name: string): string {
    return name;
  }

  /**
   * The migration for knex to run. Its `up` rejects with ImproperlyConfigured in the application's history table, its
   * `down` with RowsAtStake if rows would be lost, both with StoreUnavailable while another process migrates.
   */
  getMigration(name: string): Promise<Knex.Migration> {
    if (!isMigrationName(name)) return Promise.reject(new Error(`There is no migration ${name}.`));
    const { up, down, drops }: Migration = MIGRATIONS[name];
    return Promise.resolve({
      up: async (knex: Knex) => {
        if (!this.#shared) await refuseApplicationTables(knex);
        await alone(knex);
        await up(knex, this.#wishes);
      },
      down: async (knex: Knex) => {
        await alone(knex);
        if (!this.#dropRows) await refuseRows(knex, [name], await drops(knex));
        await down(knex);
      },
    });
  }
}

/** Takes our advisory lock. Knex's own lock is a row that a killed process leaves locked; `migrate` frees it. */
async function alone(knex: Knex): Promise<void> {
  if (await tryLock(knex, 'migrate')) return;
  throw new StoreUnavailable('Another process is migrating this database. Try again when it is done.');
}

/** Refuses the application's history table. Knex does not pass its name to a migration, but it has locked it by now. */
async function refuseApplicationTables(knex: Knex): Promise<void> {
  // If our own table is locked, it is the one in use; a killed process may have left the application's locked, too.
  if (await isLocked(knex, { schema: null, table: MIGRATIONS_TABLE })) return;
  for (const history of applicationTables(configOf(knex))) {
    if (!(await isLocked(knex, history))) continue;
    throw new ImproperlyConfigured(
      `These migrations are not for ${history.table}, where knex keeps the application's own: each would find the ` +
        'other\'s missing ("The migration directory is corrupt"). Call migrate(knex) of koa-django-session instead, or ' +
        `give knex tableName: '${MIGRATIONS_TABLE}'.`,
    );
  }
}

async function isLocked(knex: Knex, { schema, table }: HistoryTable): Promise<boolean> {
  const lock = await historyTable(knex, { schema, table: `${table}_lock` });
  if (lock === undefined) return false;
  return (await rowsOf(knex, `SELECT 1 FROM ${lock} WHERE is_locked = 1`)).length > 0;
}
