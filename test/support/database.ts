/** PostgreSQL for the tests: one throw-away cluster a run (or DATABASE_URL's), one fresh migrated database a suite. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Knex } from 'knex';
import { connectKnex } from '../../server/db/knex.js';
import { migrate } from '../../server/db/migrate.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../server/embedded_database/index.js';

/** Timeouts of a knex for tests that are not about them, on a machine that may be busy. */
export const UNHURRIED = { connect_timeout: 60, statement_timeout: 60 };

export interface TestDatabase {
  readonly url: string;
  readonly knex: Knex;
  /** End `knex` and drop the database. */
  drop(): Promise<void>;
}

interface Server {
  /** A database from which others can be made and dropped. */
  readonly admin: string;
  readonly template: string;
}

/** The server, as long as the process that started it has not stopped it. */
interface StartedServer extends Server {
  readonly embedded: EmbeddedPostgres | undefined;
}

const name = (): string => `kds_test_${process.pid}_${randomBytes(5).toString('hex')}`;

function at(admin: string, database: string): string {
  const url = new URL(admin);
  url.pathname = `/${database}`;
  return url.href;
}

async function sql(url: string, statement: string): Promise<void> {
  const knex = connectKnex(url, { poolSize: 1, statement_timeout: 0, connect_timeout: 30 });
  try {
    await knex.raw(statement);
  } finally {
    await knex.destroy();
  }
}

async function start(): Promise<StartedServer> {
  let admin = process.env['DATABASE_URL'];
  let embedded: EmbeddedPostgres | undefined;
  if (admin === undefined || admin === '') {
    const folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-test-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    embedded = await startEmbeddedPostgres({ folder, throwaway: true });
    admin = embedded.url;
  }
  const template = `${name()}_template`;
  await sql(admin, `CREATE DATABASE "${template}"`);
  const knex = connectKnex(at(admin, template), { connect_timeout: 60, statement_timeout: 0 });
  await migrate(knex);
  await knex.destroy();
  return { admin, template, embedded };
}

// One server a run, even where this file is loaded twice under two addresses; started by the first suite that asks,
// because a run of the signing tests needs none.
const shared = globalThis as { koaDjangoSessionTestServer?: Promise<StartedServer> | undefined };

/** The environment variable by which the processes of a parallel run know the server. */
const HANDED_DOWN = 'KOA_DJANGO_SESSION_TEST_SERVER';

async function server(): Promise<Server> {
  const given = process.env[HANDED_DOWN];
  if (given !== undefined) return JSON.parse(given) as Server;
  shared.koaDjangoSessionTestServer ??= start();
  return shared.koaDjangoSessionTestServer;
}

async function create(template: string | undefined): Promise<TestDatabase> {
  const { admin } = await server();
  const database = name();
  await sql(admin, `CREATE DATABASE "${database}"${template === undefined ? '' : ` TEMPLATE "${template}"`}`);
  const url = at(admin, database);
  // As patient as a busy machine is slow: what is tested for its own bounds is opened with them.
  const knex = connectKnex(url, UNHURRIED);
  return {
    url,
    knex,
    drop: async () => {
      await knex.destroy();
      await sql(admin, `DROP DATABASE IF EXISTS "${database}" WITH (FORCE)`);
    },
  };
}

/** A fresh database with every migration applied. */
export async function testDatabase(): Promise<TestDatabase> {
  return create((await server()).template);
}

export type SuiteDatabase = Pick<TestDatabase, 'url' | 'knex'>;

/** A fresh, migrated database for the suite that calls this, there from its first `before` on; its end drops it. */
export function databaseOfSuite(): SuiteDatabase {
  const database = {} as TestDatabase;
  before(async () => void Object.assign(database, await testDatabase()));
  after(() => database.drop());
  return database;
}

/** A fresh database with nothing in it. */
export function emptyDatabase(): Promise<TestDatabase> {
  return create(undefined);
}

/** Mocha calls this before the first test; in a parallel run before there are processes. */
export async function mochaGlobalSetup(this: { isParallelMode(): boolean }): Promise<void> {
  if (!this.isParallelMode()) return;
  const { admin, template } = await server();
  process.env[HANDED_DOWN] = JSON.stringify({ admin, template });
}

/** Mocha calls this after the last test, in the process that started the server. */
export async function mochaGlobalTeardown(): Promise<void> {
  const started = shared.koaDjangoSessionTestServer;
  if (started === undefined) return;
  shared.koaDjangoSessionTestServer = undefined;
  const { admin, template, embedded } = await started;
  if (embedded === undefined) await sql(admin, `DROP DATABASE IF EXISTS "${template}" WITH (FORCE)`);
  else await embedded.stop();
}
