/** A database a suite, made in the PostgreSQL of DATABASE_URL and migrated by the package's own `migrate`. */
import { randomBytes } from 'node:crypto';
import type { Knex } from 'knex';
import { connectKnex, migrate } from 'koa-django-session';
import { makeKnex } from './knex.js';

export interface ApplicationDatabase {
  readonly url: string;
  /** For looking at rows; the applications open their own. */
  readonly knex: Knex;
  /** How many rows django_session has. */
  sessions(): Promise<number>;
  drop(): Promise<void>;
}

async function administrate(statement: string): Promise<void> {
  const knex = makeKnex({ client: 'pg', connection: process.env['DATABASE_URL'] ?? '', pool: { min: 0, max: 1 } });
  try {
    await knex.raw(statement);
  } finally {
    await knex.destroy();
  }
}

/** A fresh database with nothing in it. */
export async function emptyDatabase(): Promise<ApplicationDatabase> {
  const name = `application_${process.pid}_${randomBytes(5).toString('hex')}`;
  await administrate(`CREATE DATABASE "${name}"`);
  const address = new URL(process.env['DATABASE_URL'] ?? '');
  address.pathname = `/${name}`;
  const knex = connectKnex(address.href, { poolSize: 2, connect_timeout: 30, statement_timeout: 30 });
  return {
    url: address.href,
    knex,
    sessions: async () => {
      const [row] = await knex('django_session').count<{ count: string }[]>('* as count');
      return Number(row?.count);
    },
    drop: async () => {
      await knex.destroy();
      await administrate(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    },
  };
}

/** A fresh database with every table. */
export async function applicationDatabase(): Promise<ApplicationDatabase> {
  const database = await emptyDatabase();
  await migrate(database.knex);
  return database;
}
