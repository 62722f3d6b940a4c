/** The migrations as knex's MigrationSource: one list for the start, the command line, knex's own tool and library users. */
import type { Knex } from 'knex';
import * as django_session from '../../migrations/0001_django_session.js';
import * as auth_user from '../../migrations/0002_auth_user.js';
import type { UsersOfDjango } from '../../migrations/0002_auth_user.js';
import * as goods from '../../migrations/0003_goods.js';
import * as login_attempts from '../../migrations/0004_login_attempts.js';

/** Knex's history of our migrations. Not `knex_migrations`: another program in the same database may use that name. */
export const MIGRATIONS_TABLE = 'koa_django_session_migrations';

interface Migration extends Knex.Migration {
  up(knex: Knex, users?: UsersOfDjango): Promise<void>;
}

const MIGRATIONS = {
  '0001_django_session': django_session,
  '0002_auth_user': auth_user,
  '0003_goods': goods,
  '0004_login_attempts': login_attempts,
} as const satisfies Readonly<Record<string, Migration>>;

/** The name of a migration, without extension. */
export type MigrationName = keyof typeof MIGRATIONS;

const isMigrationName = (name: string): name is MigrationName => Object.hasOwn(MIGRATIONS, name);

export interface MigrationSourceOptions {
  /** The migrations to run, for an application that has its own users or no shop; all when absent. */
  readonly only?: readonly MigrationName[];
  /** Django's AUTH_USER_MODEL, `auth.User` when absent: users of another model Django has to make before. */
  readonly AUTH_USER_MODEL?: string | undefined;
}

/**
 * Names have no extension: knex keeps them in the database, and a list of files that ends in `.ts` in the sources and in
 * `.js` in the build is "corrupt" to it. The migrations are imported, not listed from a folder, which would also hold
 * `.d.ts` files in the build.
 *
 * ```ts
 * await knex.migrate.latest({ migrationSource: new MigrationSource({ only: ['0001_django_session'] }) })
 * ```
 */
export class MigrationSource implements Knex.MigrationSource<string> {
  readonly #names: readonly string[];
  readonly #users: UsersOfDjango;

  constructor(options: MigrationSourceOptions = {}) {
    const { only, AUTH_USER_MODEL } = options;
    this.#users = { AUTH_USER_MODEL };
    this.#names = Object.keys(MIGRATIONS).filter(
      (name) => only === undefined || only.some((wanted) => wanted === name),
    );
  }

  /** In the order in which they run. */
  getMigrations(): Promise<string[]> {
    return Promise.resolve([...this.#names]);
  }

  getMigrationName(name: string): string {
    return name;
  }

  getMigration(name: string): Promise<Knex.Migration> {
    if (!isMigrationName(name)) return Promise.reject(new Error(`There is no migration ${name}.`));
    const { up, down }: Migration = MIGRATIONS[name];
    return Promise.resolve({ up: (knex: Knex) => up(knex, this.#users), ...(down === undefined ? {} : { down }) });
  }
}
