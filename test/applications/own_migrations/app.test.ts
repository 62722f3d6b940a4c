import { expect } from 'chai';
import type { Knex } from 'knex';
import { MigrationSource } from 'koa-django-session/migrations';
import { type ApplicationDatabase, emptyDatabase } from '../support/database.js';
import { makeKnex } from '../support/knex.js';
import { migrateSessions, migrateShop, rollBackShop } from './app.js';

describe("a project's own migrations beside the package's", () => {
  let database: ApplicationDatabase;
  let knex: Knex;
  beforeEach(async () => {
    database = await emptyDatabase();
    knex = makeKnex({ client: 'pg', connection: database.url, pool: { min: 0, max: 4 } });
  });
  afterEach(async () => {
    await knex.destroy();
    await database.drop();
  });

  const tables = async (): Promise<string[]> => {
    const names: string[] = await knex('pg_tables').where({ schemaname: 'public' }).pluck('tablename');
    return names.filter((name) => !/migrations|^koa_django_session_/.test(name)).sort();
  };

  const BOTH = ['django_session', 'orders'];

  const orders: Readonly<Record<string, readonly ((knex: Knex) => Promise<unknown>)[]>> = {
    "the package's first": [migrateSessions, (knex) => migrateShop(knex, 1)],
    "the project's first": [(knex) => migrateShop(knex, 1), migrateSessions],
  };
  for (const [name, steps] of Object.entries(orders)) {
    it(`run with ${name}, at each later start again, and with a later release`, async () => {
      for (const step of [...steps, ...steps]) await step(knex);
      expect((await tables()).filter((table) => BOTH.includes(table))).to.deep.equal(BOTH);
      await migrateShop(knex, 2);
      await migrateSessions(knex);
      await migrateShop(knex, 2);
      expect(await knex.schema.hasColumn('orders', 'comment')).to.equal(true);
      expect(await migrateSessions(knex)).to.deep.equal([]);
    });
  }

  it('makes no table that was not asked for', async () => {
    await migrateSessions(knex);
    expect((await tables()).filter((name) => !name.startsWith('django_'))).to.deep.equal([]);
  });

  it("undoes the project's last migration and leaves the sessions", async () => {
    await migrateShop(knex, 1);
    await migrateSessions(knex);
    await migrateShop(knex, 2);
    await rollBackShop(knex, 2);
    expect(await knex.schema.hasColumn('orders', 'comment')).to.equal(false);
    expect((await tables()).filter((table) => BOTH.includes(table))).to.deep.equal(BOTH);
  });

  /** The state of a database after `knex.migrate.latest({ migrationSource })`, as the README of 0.1.0 had it. */
  async function asTheOldReadmeLeftIt(): Promise<void> {
    await migrateSessions(knex);
    await knex.schema.dropTableIfExists('koa_django_session_migrations');
    await knex.schema.dropTableIfExists('koa_django_session_migrations_lock');
    await knex.migrate.latest({
      migrationSource: {
        getMigrations: () => Promise.resolve(['0001_django_session']),
        getMigrationName: (name: string) => name,
        getMigration: () => Promise.resolve({ up: async () => {}, down: async () => {} }),
      },
    });
  }

  it("mends a database whose table of the project's migrations holds one of the package's, with its sessions", async () => {
    await asTheOldReadmeLeftIt();
    await knex('django_session').insert({ session_key: 'k'.repeat(32), session_data: 'x', expire_date: new Date() });
    await migrateSessions(knex);
    await migrateShop(knex, 1);
    await migrateSessions(knex);
    await migrateShop(knex, 2);
    expect(await database.sessions()).to.equal(1);
    expect(await knex('knex_migrations').pluck('name')).to.deep.equal(['20250101_orders.js', '20260101_comments.js']);
  });

  it("bears knex.migrate.latest with the package's source, which knex refuses in a project that has migrations", async () => {
    await migrateShop(knex, 1);
    const migrationSource = new MigrationSource({ only: ['0001_django_session'] });
    await knex.migrate.latest({ migrationSource }).catch(() => {});
    await migrateSessions(knex);
    await migrateShop(knex, 2);
    expect((await tables()).filter((table) => BOTH.includes(table))).to.deep.equal(BOTH);
  });
});
