/** One migrating process at a time, killed processes included; and what a rollback keeps. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { connectKnex } from '../../server/db/knex.js';
import { whileLocked } from '../../server/db/lock.js';
import { migrate, migrationStatus, rollback } from '../../server/db/migrate.js';
import { MIGRATIONS_TABLE, MigrationSource, migrationNames } from '../../server/db/migrations.js';
import { ImproperlyConfigured, RowsAtStake, StoreUnavailable } from '../../server/errors.js';
import { until } from '../fire/until.js';
import { emptyDatabase, type TestDatabase, UNHURRIED } from '../support/database.js';
import { commandLine } from '../support/programs.js';
import { reasonOf } from '../support/reason.js';

const LOCK_TABLE = `${MIGRATIONS_TABLE}_lock`;
/** Of the server's locks those in this suite's database. */
const OWN_LOCKS = 'pg_locks JOIN pg_database d ON d.oid = database AND d.datname = current_database()';

describe('migrate and rollback', function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let knex: Knex;

  beforeEach(async () => {
    database = await emptyDatabase();
    knex = database.knex;
  });
  afterEach(() => database.drop());

  const tables = (): Promise<string[]> =>
    knex('pg_tables').where({ schemaname: 'public' }).orderBy('tablename').pluck<string[]>('tablename');

  describe('on a database that is up to date', () => {
    it('only reads: a database user who may do nothing else can start', async () => {
      await migrate(knex);
      const reader = connectKnex(database.url, { ...UNHURRIED, poolSize: 1 });
      await knex.raw('ALTER DATABASE ?? SET default_transaction_read_only = on', [
        new URL(database.url).pathname.slice(1),
      ]);
      try {
        expect((await reader.raw('SHOW default_transaction_read_only')).rows[0].default_transaction_read_only).to.equal(
          'on',
        );
        expect(await migrate(reader)).to.deep.equal([]);
      } finally {
        await reader.destroy();
      }
    });

    it('waits for nobody who migrates meanwhile', async () => {
      await migrate(knex);
      await whileLocked(knex, { lock: 'migrate', wait: 0 }, async () => {
        expect(await migrate(knex)).to.deep.equal([]);
      });
    });

    it('leaves alone what a later release has noted', async () => {
      await migrate(knex);
      await knex(MIGRATIONS_TABLE).insert({ name: '0099_later', batch: 2, migration_time: new Date(0) });
      expect(await migrate(knex)).to.deep.equal([]);
      await knex(MIGRATIONS_TABLE).where({ name: '0004_login_attempts' }).del();
      expect(await migrate(knex)).to.deep.equal(['0004_login_attempts']);
      expect(String(await reasonOf(rollback(knex, { dropRows: true })))).to.match(/0099_later is not of this release/);
    });
  });

  describe('with a lock that nobody holds', () => {
    const odd: Readonly<Record<string, (lock: Knex.QueryBuilder) => PromiseLike<unknown>>> = {
      'left by a process that is gone': (lock) => lock.update({ is_locked: 1 }),
      'without its row': (lock) => lock.del(),
      'with two rows': (lock) => lock.insert({ is_locked: 0 }),
      'with two rows, one locked': (lock) => lock.insert({ is_locked: 1 }),
      'without its table': () => knex.schema.dropTable(LOCK_TABLE),
    };
    for (const [what, spoil] of Object.entries(odd)) {
      it(`(${what}) migrates and rolls back`, async () => {
        await migrate(knex, { only: ['0001_django_session'] });
        await spoil(knex(LOCK_TABLE));
        expect(await migrate(knex, { only: ['0001_django_session', '0002_auth_user'] })).to.deep.equal([
          '0002_auth_user',
        ]);
        await spoil(knex(LOCK_TABLE));
        expect(await rollback(knex)).to.deep.equal(['0002_auth_user']);
        expect(await knex(LOCK_TABLE).pluck('is_locked')).to.deep.equal([0]);
      });
    }

    it('(its table alone is there) migrates', async () => {
      await knex.schema.createTable(LOCK_TABLE, (table) => {
        table.increments('index').primary();
        table.integer('is_locked');
      });
      expect(await migrate(knex)).to.deep.equal(migrationNames());
    });
  });

  describe('when a process ends in the middle', () => {
    let child: ChildProcess | undefined;
    afterEach(() => child?.kill('SIGKILL'));

    /** Start a program and resolve when its statement waits for a lock of `holder`. */
    const stuck = async (holder: Knex.Transaction, ...program: string[]): Promise<ChildProcess> => {
      const started = spawn(process.execPath, commandLine(program), {
        env: { PATH: process.env['PATH'], DATABASE_URL: database.url },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = started;
      const output = Promise.all([text(started.stdout), text(started.stderr)]);
      const { rows } = await holder.raw('SELECT pg_backend_pid() AS pid');
      await until(
        async () => {
          if (started.exitCode !== null) throw new Error((await output).join(''));
          const blocked = await knex.raw('SELECT 1 FROM pg_stat_activity WHERE ? = ANY (pg_blocking_pids(pid))', [
            rows[0].pid,
          ]);
          return blocked.rows.length > 0 || undefined;
        },
        { seconds: 30, what: () => 'a statement that waits' },
      );
      return started;
    };
    const kill = async (started: ChildProcess): Promise<void> => {
      const gone = once(started, 'exit');
      started.kill('SIGKILL');
      await gone;
    };

    it('nothing of a migration is left, and the next start migrates', async () => {
      const holder = await knex.transaction();
      await holder.raw('CREATE TABLE koa_goods (id int)');
      await kill(await stuck(holder, 'server/cli/main.ts', 'migrate'));
      await holder.rollback();
      expect(await migrate(knex)).to.deep.equal(migrationNames());
      expect(await knex(LOCK_TABLE).pluck('is_locked')).to.deep.equal([0]);
    });

    it('nothing of a rollback is left, and the next one passes', async () => {
      await migrate(knex);
      const holder = await knex.transaction();
      await holder('auth_user').select();
      await kill(await stuck(holder, 'server/cli/main.ts', 'migrate:rollback', '--all', '--yes'));
      await holder.rollback();
      expect(await rollback(knex, { all: true, dropRows: true })).to.have.length(5);
    });

    it('the lock that knex’s own command line leaves keeps no server down', async () => {
      await migrate(knex, { only: ['0001_django_session', '0002_auth_user', '0004_login_attempts'] });
      const holder = await knex.transaction();
      await holder('koa_login_attempts').select();
      const knexfile = ['node_modules/knex/bin/cli.js', 'migrate:rollback', '--knexfile', 'config/knexfile.ts'];
      await kill(await stuck(holder, ...knexfile));
      await holder.rollback();
      expect(await knex(LOCK_TABLE).pluck('is_locked')).to.deep.equal([1]);
      expect(await migrate(knex)).to.deep.equal(['0003_goods', '0005_user_sessions']);
      expect(await knex(LOCK_TABLE).pluck('is_locked')).to.deep.equal([0]);
    });

    it('(its connection is cut) it says so, and the next start migrates', async () => {
      const holder = await knex.transaction();
      await holder.raw('CREATE TABLE koa_goods (id int)');
      const started = await stuck(holder, 'server/cli/main.ts', 'migrate');
      const gone = once(started, 'exit');
      await knex.raw(`SELECT pg_terminate_backend(pid) FROM ${OWN_LOCKS} WHERE locktype = 'advisory' AND granted`);
      expect((await gone)[0]).to.equal(1);
      await holder.rollback();
      expect(await tables()).to.deep.equal([]);
      expect(await migrate(knex)).to.deep.equal(migrationNames());
    });

    it('knex’s own command line does not run while another process migrates', async () => {
      await migrate(knex, { only: ['0001_django_session'] });
      await whileLocked(knex, { lock: 'migrate', wait: 0 }, async () => {
        const source = { migrationSource: new MigrationSource(), tableName: MIGRATIONS_TABLE };
        expect(await reasonOf(knex.migrate.latest(source))).to.be.instanceOf(StoreUnavailable);
        expect(await reasonOf(knex.migrate.down(source))).to.be.instanceOf(StoreUnavailable);
      });
      expect((await migrationStatus(knex)).applied).to.deep.equal(['0001_django_session']);
    });
  });

  describe('rollback', () => {
    const refusal = async (work: Promise<unknown>): Promise<RowsAtStake> => {
      const error = await reasonOf(work);
      expect(error).to.be.instanceOf(RowsAtStake);
      return error as RowsAtStake;
    };

    it('undoes one migration, the last', async () => {
      await migrate(knex, { only: ['0001_django_session', '0002_auth_user'] });
      expect(await rollback(knex)).to.deep.equal(['0002_auth_user']);
      expect(await tables())
        .to.include('django_session')
        .and.not.include('auth_user');
      expect(await rollback(knex)).to.deep.equal(['0001_django_session']);
      expect(await rollback(knex)).to.deep.equal([]);
    });

    it('on a fresh database makes nothing', async () => {
      expect(await rollback(knex)).to.deep.equal([]);
      expect(await tables()).to.deep.equal([]);
    });

    for (const options of [{}, { all: true }]) {
      it(`with ${JSON.stringify(options)} throws where rows would be lost, and changes nothing`, async () => {
        await migrate(knex, { only: ['0001_django_session', '0002_auth_user'] });
        await knex('auth_group').insert([{ name: 'one' }, { name: 'two' }]);
        const before = await tables();
        const error = await refusal(rollback(knex, options));
        expect(error.code).to.equal('ROWS_AT_STAKE');
        expect(error.migrations[0]).to.equal('0002_auth_user');
        expect(error.tables).to.deep.include({ table: 'auth_group', rows: 2 });
        expect(error.message).to.include('auth_group (2 rows)').and.include('dropRows: true');
        expect(await tables()).to.deep.equal(before);
        expect((await migrationStatus(knex)).applied).to.deep.equal(['0001_django_session', '0002_auth_user']);
        expect((await rollback(knex, { ...options, dropRows: true }))[0]).to.equal('0002_auth_user');
      });
    }

    it('sees a row that comes between the look and the drop', async () => {
      await migrate(knex, { only: ['0001_django_session'] });
      const writer = await knex.transaction();
      await writer('django_session').insert({ session_key: 'k', session_data: 'd', expire_date: new Date(0) });
      const undone = refusal(rollback(knex));
      await until(
        async () =>
          (await knex.raw(`SELECT 1 FROM ${OWN_LOCKS} WHERE NOT granted AND mode = 'AccessExclusiveLock'`)).rows
            .length > 0 || undefined,
        { seconds: 30, what: () => 'the rollback to wait for the table' },
      );
      await writer.commit();
      expect((await undone).tables).to.deep.equal([{ table: 'django_session', rows: 1 }]);
    });

    it('counts no rows of tables that Django made, and drops none of them', async () => {
      await migrate(knex, { only: ['0001_django_session'] });
      await knex.raw(`DROP TABLE koa_django_session_created`);
      await knex('django_session').insert({ session_key: 'k', session_data: 'd', expire_date: new Date(0) });
      expect(await rollback(knex)).to.deep.equal(['0001_django_session']);
      expect(await knex('django_session').pluck('session_key')).to.deep.equal(['k']);
    });

    it('by knex itself refuses as well, unless the source says that rows may go', async () => {
      await migrate(knex, { only: ['0001_django_session'] });
      await knex('django_session').insert({ session_key: 'k', session_data: 'd', expire_date: new Date(0) });
      const down = (dropRows: boolean): Promise<unknown> =>
        knex.migrate.rollback({ migrationSource: new MigrationSource({ dropRows }), tableName: MIGRATIONS_TABLE });
      await refusal(down(false));
      expect(await knex('django_session')).to.have.length(1);
      await down(true);
      expect(await tables()).to.not.include('django_session');
    });
  });

  it('take a knex that the application made, with its password where knex hides it', async () => {
    const { username, password, hostname, port, pathname } = new URL(database.url);
    const { default: makeKnex } = await import('knex');
    const connection = { user: username, password, host: hostname, port: Number(port), database: pathname.slice(1) };
    for (const given of [connection, database.url, () => connection]) {
      const other = makeKnex({ client: 'pg', connection: given });
      try {
        expect(await migrate(other)).to.have.length(5);
        expect(await rollback(other, { all: true, dropRows: true })).to.have.length(5);
      } finally {
        await other.destroy();
      }
    }
  });

  it('refuse a name that there is not', async () => {
    const only = ['sessions'] as unknown as ['0001_django_session'];
    for (const work of [migrate(knex, { only }), migrationStatus(knex, { only })]) {
      expect(await reasonOf(work)).to.be.instanceOf(ImproperlyConfigured);
    }
  });
});
