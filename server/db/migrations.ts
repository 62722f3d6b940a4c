/** The migrations as knex's MigrationSource: one list for the start, the command line, knex's own tool and library users. */
import type { Knex } from 'knex';
import * as django_session from '../../migrations/0001_django_session.js';
import * as auth_user from '../../migrations/0002_auth_user.js';
import * as goods from '../../migrations/0003_goods.js';
import * as login_attempts from '../../migrations/0004_login_attempts.js';

/** Knex's history of our migrations. Not `knex_migrations`: another program in the same database may use that name. */
export const MIGRATIONS_TABLE = 'koa_django_session_migrations';

const MIGRATIONS: ReadonlyMap<string, Knex.Migration> = new Map<string, Knex.Migration>([
  ['0001_django_session', django_session],
  ['0002_auth_user', auth_user],
  ['0003_goods', goods],
  ['0004_login_attempts', login_attempts],
]);

/**
 * Names have no extension: knex keeps them in the database, and a list of files that ends in `.ts` in the sources and in
 * `.js` in the build is "corrupt" to it. The migrations are imported, not listed from a folder, which would also hold
 * `.d.ts` files in the build.
 *
 * ```ts
 * await knex.migrate.latest({ migrationSource: new MigrationSource() })
 * ```
 */
export class MigrationSource implements Knex.MigrationSource<string> {
  /** In the order in which they run. */
  getMigrations(): Promise<string[]> {
    return Promise.resolve([...MIGRATIONS.keys()]);
  }

  getMigrationName(name: string): string {
    return name;
  }

  getMigration(name: string): Promise<Knex.Migration> {
    const migration = MIGRATIONS.get(name);
    return migration === undefined
      ? Promise.reject(new Error(`There is no migration ${name}.`))
      : Promise.resolve(migration);
  }
}
