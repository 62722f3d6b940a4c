/** Our migrations in a project that has migrations of its own, as its developers run them: by knex's command line and in code. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import makeKnex, { type Knex } from 'knex';
import { migrate, migrationStatus, rollback } from '../../server/db/migrate.js';
import { MIGRATIONS_TABLE, MigrationSource, migrationNames } from '../../server/db/migrations.js';
import { ImproperlyConfigured } from '../../server/errors.js';
import { emptyDatabase, type TestDatabase } from '../support/database.js';
import { reasonOf } from '../support/reason.js';

const run = promisify(execFile);
const KNEX = path.resolve('node_modules/knex/bin/cli.js');
const OWN = ['20240101000000_orders.cjs', '20240102000000_notes.cjs'];
const SESSIONS = { only: ['0001_django_session'] } as const;

/** A migration as `knex migrate:make` writes it. */
const file = (table: string): string => `
exports.up = (knex) => knex.schema.createTable('${table}', (table) => table.increments());
exports.down = (knex) => knex.schema.dropTable('${table}');
`;

describe('our migrations beside an application’s own', function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let folder: string;
  let application: Knex;

  beforeEach(async () => {
    database = await emptyDatabase();
    folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-project-'));
    mkdirSync(path.join(folder, 'migrations'));
    symlinkSync(path.resolve('node_modules'), path.join(folder, 'node_modules'));
    for (const name of OWN) {
      writeFileSync(path.join(folder, 'migrations', name), file(/_(\w+)\./.exec(name)?.[1] ?? ''));
    }
    const settings = { client: 'pg', connection: database.url, migrations: { directory: './migrations' } };
    writeFileSync(path.join(folder, 'knexfile.cjs'), `module.exports = ${JSON.stringify(settings)};`);
    application = makeKnex({
      ...settings,
      log: { warn() {} },
      migrations: { directory: path.join(folder, 'migrations') },
    });
  });
  afterEach(async () => {
    await application.destroy();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The two ways in which the project runs its own. */
  const own: Readonly<Record<string, () => Promise<unknown>>> = {
    'knex migrate:latest': () =>
      run(process.execPath, [KNEX, 'migrate:latest', '--knexfile', 'knexfile.cjs'], { cwd: folder }),
    'knex.migrate.latest()': () => application.migrate.latest(),
  };
  /** What the README of 0.1.0 said. */
  const asBefore = (): Promise<unknown> =>
    application.migrate.latest({ migrationSource: new MigrationSource({ ...SESSIONS, shared: true }) });

  const ownHistory = (): Promise<string[]> => database.knex('knex_migrations').orderBy('id').pluck<string[]>('name');
  const whole = async (only: readonly string[] = migrationNames()): Promise<void> => {
    expect((await ownHistory()).sort()).to.deep.equal(OWN);
    expect((await migrationStatus(database.knex)).applied).to.deep.equal([...only]);
    for (const table of ['orders', 'notes', 'django_session']) {
      expect(await database.knex.schema.hasTable(table), table).to.equal(true);
    }
  };

  for (const [way, latest] of Object.entries(own)) {
    it(`run first, ${way} second, and both again`, async () => {
      expect(await migrate(application, SESSIONS)).to.deep.equal(SESSIONS.only);
      await latest();
      expect(await migrate(application, SESSIONS)).to.deep.equal([]);
      await latest();
      await whole(SESSIONS.only);
    });

    it(`run second, ${way} first, and both again`, async () => {
      await latest();
      expect(await migrate(application, SESSIONS)).to.deep.equal(SESSIONS.only);
      await latest();
      expect(await migrate(application)).to.deep.equal(migrationNames().slice(1));
      await latest();
      await whole();
    });

    it(`in a history that was damaged before the project’s own ran: ${way} passes after migrate`, async () => {
      await asBefore();
      await database.knex('django_session').insert({ session_key: 'k', session_data: 'd', expire_date: new Date(0) });
      expect(String(await reasonOf(latest()))).to.match(/directory is corrupt/);
      expect(await migrationStatus(application, SESSIONS)).to.deep.equal({ applied: SESSIONS.only, pending: [] });
      expect(await migrate(application, SESSIONS)).to.deep.equal([]);
      await latest();
      await whole(SESSIONS.only);
      expect(await database.knex('django_session').pluck('session_key')).to.deep.equal(['k']);
    });
  }

  it('in a history that both share, because knex’s check was turned off: moves ours alone', async () => {
    const unchecked = { disableMigrationsListValidation: true };
    await application.migrate.latest();
    await application.migrate.latest({ migrationSource: new MigrationSource({ shared: true }), ...unchecked });
    expect(await ownHistory()).to.have.length(7);
    expect(await migrate(application, SESSIONS)).to.deep.equal([]);
    await application.migrate.latest();
    await whole();
  });

  it('in a history from which somebody has deleted our rows by hand: makes no table twice', async () => {
    await application.migrate.latest({ migrationSource: new MigrationSource({ shared: true }) });
    await database.knex('knex_migrations').del();
    await database.knex('koa_goods').where('id', '>', 2).del();
    expect(await migrate(application)).to.deep.equal(migrationNames());
    expect(await database.knex('koa_goods')).to.have.length(2);
    await application.migrate.latest();
    await whole();
  });

  it('in a history with another name and schema', async () => {
    await database.knex.raw('CREATE SCHEMA history');
    const there = { directory: path.join(folder, 'migrations'), tableName: 'done', schemaName: 'history' };
    const other = makeKnex({ client: 'pg', connection: database.url, migrations: there });
    try {
      await other.migrate.latest({ migrationSource: new MigrationSource({ ...SESSIONS, shared: true }) });
      expect(await migrate(other, SESSIONS)).to.deep.equal([]);
      await other.migrate.latest();
      expect(await database.knex('history.done').pluck('name')).to.deep.equal(OWN);
      expect((await migrationStatus(other)).applied).to.deep.equal(SESSIONS.only);
    } finally {
      await other.destroy();
    }
  });

  it('leave a row of the same name that is somebody else’s', async () => {
    await application.migrate.latest();
    await database.knex('knex_migrations').insert({ name: '0003_goods', batch: 1, migration_time: new Date(0) });
    await migrate(application, SESSIONS);
    expect(await ownHistory()).to.include('0003_goods');
  });

  it('pass over a history that this database user may not read', async () => {
    await application.migrate.latest();
    const role = `kds_test_reader_${process.pid}`;
    await database.knex.raw(`CREATE ROLE ${role}; GRANT CREATE ON SCHEMA public TO ${role}`);
    const config = { client: 'pg', connection: database.url, searchPath: ['public'] };
    const limited = makeKnex({
      ...config,
      pool: {
        afterCreate: (
          connection: { query: (sql: string, done: (error: unknown) => void) => void },
          done: (error: unknown, connection: unknown) => void,
        ) => connection.query(`SET ROLE ${role}`, (error) => done(error, connection)),
      },
    });
    try {
      expect(await migrate(limited, SESSIONS)).to.deep.equal(SESSIONS.only);
    } finally {
      await limited.destroy();
      await database.knex.raw(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  it('take Django’s tables as they are, and the project’s own still run', async () => {
    await migrate(database.knex);
    await database.knex.raw('DROP TABLE ??, ??, koa_django_session_created', [
      MIGRATIONS_TABLE,
      `${MIGRATIONS_TABLE}_lock`,
    ]);
    await asBefore();
    await migrate(application, SESSIONS);
    await application.migrate.latest();
    await whole(SESSIONS.only);
    expect(await rollback(application)).to.deep.equal(SESSIONS.only);
    expect(await database.knex.schema.hasTable('django_session')).to.equal(true);
  });

  it('bear names that the application’s knex maps', async () => {
    const loud = makeKnex({
      client: 'pg',
      connection: database.url,
      wrapIdentifier: (value, wrap) => wrap(value === '*' ? value : `app_${value}`),
      postProcessResponse: (result: unknown) => [result],
      migrations: { directory: 'nowhere', schemaName: 'nowhere', tableName: 'nothing', disableTransactions: true },
    });
    try {
      expect(await migrate(loud, SESSIONS)).to.deep.equal(SESSIONS.only);
      expect((await migrationStatus(loud, SESSIONS)).pending).to.deep.equal([]);
      expect(await rollback(loud)).to.deep.equal(SESSIONS.only);
    } finally {
      await loud.destroy();
    }
  });

  describe('by MigrationSource', () => {
    it('are refused in the application’s table, in one sentence, and nothing is made', async () => {
      const misuse = reasonOf(application.migrate.latest({ migrationSource: new MigrationSource(SESSIONS) }));
      expect(await misuse).to.be.instanceOf(ImproperlyConfigured);
      expect(String(await misuse)).to.match(/not for knex_migrations.*migrate\(knex\).*koa_django_session_migrations/);
      expect(await database.knex.schema.hasTable('django_session')).to.equal(false);
      await application.migrate.latest();
      await migrate(application, SESSIONS);
      await whole(SESSIONS.only);
    });

    it('run in a table of their own, in either order', async () => {
      const source = { migrationSource: new MigrationSource(SESSIONS), tableName: MIGRATIONS_TABLE };
      await application.migrate.latest(source);
      await application.migrate.latest();
      await application.migrate.latest(source);
      expect(await migrate(application, SESSIONS)).to.deep.equal([]);
      await whole(SESSIONS.only);
    });

    it('run in a table of their own while a killed process has left the application’s locked', async () => {
      await application.migrate.latest();
      await database.knex('knex_migrations_lock').update({ is_locked: 1 });
      const source = { migrationSource: new MigrationSource(SESSIONS), tableName: MIGRATIONS_TABLE };
      await application.migrate.latest(source);
      expect((await migrationStatus(application, SESSIONS)).pending).to.deep.equal([]);
    });

    it('run in the application’s table when one source lists both', async () => {
      const ours = new MigrationSource({ ...SESSIONS, shared: true });
      const names = [...OWN, ...SESSIONS.only];
      const both: Knex.MigrationSource<string> = {
        getMigrations: () => Promise.resolve(names),
        getMigrationName: (name) => name,
        getMigration: (name) =>
          name.endsWith('.cjs')
            ? import(path.join(folder, 'migrations', name)).then(
                (module: { default: Knex.Migration }) => module.default,
              )
            : ours.getMigration(name),
      };
      await application.migrate.latest({ migrationSource: both });
      expect(await ownHistory()).to.deep.equal(names);
    });

    it('refuse a name that there is not', async () => {
      const only = ['0001_sessions'] as unknown as typeof SESSIONS.only;
      expect(() => new MigrationSource({ only })).to.throw(ImproperlyConfigured, /no migration "0001_sessions"/);
      expect(await reasonOf(migrate(application, { only }))).to.be.instanceOf(ImproperlyConfigured);
      const text = '0001_django_session' as unknown as typeof SESSIONS.only;
      expect(() => new MigrationSource({ only: text })).to.throw(ImproperlyConfigured, 'list');
    });
  });
});
