/** A shop with migrations of its own, in knex's default table, beside the package's. */
import type { Knex } from 'knex';
import { migrate } from 'koa-django-session';

/** What the shop's folder of migrations would hold, oldest first. */
export const MIGRATIONS = {
  '20250101_orders.js': {
    up: (knex: Knex) => knex.schema.createTable('orders', (table) => table.increments('id')),
    down: (knex: Knex) => knex.schema.dropTable('orders'),
  },
  '20260101_comments.js': {
    up: (knex: Knex) => knex.schema.alterTable('orders', (table) => table.text('comment')),
    down: (knex: Knex) => knex.schema.alterTable('orders', (table) => table.dropColumn('comment')),
  },
} as const;

type Name = keyof typeof MIGRATIONS;

class ShopMigrations implements Knex.MigrationSource<Name> {
  readonly #names: readonly Name[];

  constructor(release: number) {
    this.#names = (Object.keys(MIGRATIONS) as Name[]).slice(0, release);
  }

  getMigrations(): Promise<Name[]> {
    return Promise.resolve([...this.#names]);
  }

  getMigrationName(name: Name): string {
    return name;
  }

  getMigration(name: Name): Promise<Knex.Migration> {
    return Promise.resolve(MIGRATIONS[name]);
  }
}

/** The shop's own migrations up to a release, as its start or knex's command line runs them. */
export function migrateShop(knex: Knex, release: number): Promise<unknown> {
  return knex.migrate.latest({ migrationSource: new ShopMigrations(release) });
}

export function rollBackShop(knex: Knex, release: number): Promise<unknown> {
  return knex.migrate.rollback({ migrationSource: new ShopMigrations(release) });
}

/** The sessions alone: the shop has users and goods of its own. */
export function migrateSessions(knex: Knex): Promise<readonly string[]> {
  return migrate(knex, { only: ['0001_django_session'] });
}
