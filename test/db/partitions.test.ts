/** A table of sessions that is divided by hash of session_key, in a schema other than public. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { gatherFacts } from '../../server/cli/doctor/facts.js';
import { examine } from '../../server/cli/doctor/report.js';
import { sweep } from '../../server/db/clear_expired.js';
import { connectKnex } from '../../server/db/knex.js';
import { migrate, migrationStatus, rollback } from '../../server/db/migrate.js';
import { sessionStatements } from '../../server/db/session_statements.js';
import { ImproperlyConfigured, SchemaMismatch } from '../../server/errors.js';
import { SessionCodec } from '../../server/session/codec.js';
import { Session } from '../../server/session/session.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { defineSettings } from '../../server/settings.js';
import { storeContract } from '../session/stores/contract.js';
import { emptyDatabase, type TestDatabase } from '../support/database.js';
import { reasonOf } from '../support/reason.js';

const PARTITIONS = 4;
const settings = defineSettings({ SECRET_KEY: 'k' });

describe('a table of sessions of several partitions', () => {
  let database: TestDatabase;
  let knex: Knex;

  before(async () => {
    database = await emptyDatabase();
    await database.knex.raw('CREATE SCHEMA shop');
    const options = { connect_timeout: 60, statement_timeout: 60 };
    knex = connectKnex(`${database.url}?options=-csearch_path%3Dshop`, options);
    await migrate(knex, { partitions: PARTITIONS });
  });
  after(async () => {
    await knex.destroy();
    await database.drop();
  });

  const fill = (seconds: number, count: number): Promise<unknown> =>
    Promise.resolve(
      knex.raw(
        `INSERT INTO django_session SELECT md5(random()::text || i), '', now() + make_interval(secs => ? * (1 + 1000 * random())) FROM generate_series(1, ?) i`,
        [seconds, count],
      ),
    );
  const lines = async (sql: string, bindings: readonly string[] = []): Promise<readonly string[]> => {
    const { rows }: { rows: readonly { line: string }[] } = await knex.raw(sql, [...bindings]);
    return rows.map(({ line }) => line);
  };

  describe('made by migrate', () => {
    it('has Django’s names, and all of it is in the schema', async () => {
      const tables = `SELECT relkind::text || ' ' || relnamespace::regnamespace || '.' || relname AS line FROM pg_class
        WHERE relname LIKE 'django_session%' AND relkind IN ('r', 'p') OR relkind = 'I' ORDER BY 1`;
      expect(await lines(tables)).to.deep.equal([
        'I shop.django_session_expire_date_a5c62663',
        'I shop.django_session_pkey',
        'I shop.django_session_session_key_c0390e0f_like',
        'p shop.django_session',
        'r shop.django_session_p0',
        'r shop.django_session_p1',
        'r shop.django_session_p2',
        'r shop.django_session_p3',
      ]);
      expect(await lines("SELECT name AS line FROM django_migrations WHERE app = 'sessions'")).to.deep.equal([
        '0001_initial',
      ]);
    });

    it('is up to date for later runs, with the number of its partitions and without', async () => {
      expect(await migrate(knex)).to.deep.equal([]);
      expect(await migrate(knex, { partitions: PARTITIONS })).to.deep.equal([]);
      expect((await migrationStatus(knex)).pending).to.deep.equal([]);
    });

    it('is not divided otherwise afterwards: that is said', async () => {
      const error = await reasonOf(migrate(knex, { partitions: 16 }));
      expect(error).to.be.instanceOf(SchemaMismatch);
      expect((error as Error).message).to.match(
        /^Table django_session is there with 4 partitions; 16 were asked for\. .*DEPLOYMENT\.md/,
      );
    });

    it('is refused in a number that cannot be', async () => {
      for (const partitions of [0, 1, 2.5, 257, Number.NaN]) {
        const error = await reasonOf(migrate(knex, { partitions }));
        expect(error).to.be.instanceOf(ImproperlyConfigured);
        expect((error as Error).message).to.equal(
          `There cannot be ${partitions} partitions. Use a whole number from 2 to 256, such as 16.`,
        );
      }
    });
  });

  describe('in use', () => {
    storeContract(async (now) => {
      await knex('django_session').delete();
      return { store: new DatabaseStore(knex, { now }) };
    });

    it('joins the changes of two requests, and takes a new key that lies in another partition', async () => {
      const store = new DatabaseStore(knex);
      const options = { store, codec: new SessionCodec(settings), settings };
      const first = new Session(options);
      first.set('a', 1);
      await first.save();
      const [one, other] = [new Session(options, first.session_key), new Session(options, first.session_key)];
      await Promise.all([one.load(), other.load()]);
      one.set('b', 2);
      other.set('c', 3);
      await Promise.all([one.save(), other.save()]);
      const cycled = new Session(options, first.session_key);
      await cycled.load();
      for (let times = 0; times < 8; times += 1) await cycled.cycle_key();
      expect(await store.load(String(first.session_key))).to.equal(null);
      const last = new Session(options, cycled.session_key);
      await last.load();
      expect(Object.fromEntries(last.items())).to.deep.equal({ a: 1, b: 2, c: 3 });
      await last.flush();
      expect(await lines('SELECT session_key AS line FROM django_session')).to.deep.equal([]);
    });

    it('is cleared of expired sessions in one run, whatever partitions they are in', async () => {
      await knex('django_session').delete();
      await fill(-60, 1000);
      await fill(60, 50);
      expect((await sweep(knex, { batch: 100 })).removed).to.equal(1000);
      expect((await knex('django_session')).length).to.equal(50);
    });

    it('is searched for each key in one partition alone', async () => {
      await knex('django_session').delete();
      await fill(60, 2000);
      await knex.raw('ANALYZE django_session');
      const keys = await lines('SELECT session_key AS line FROM django_session LIMIT 8');
      const { loadMany } = sessionStatements('django_session');
      await knex.transaction(async (trx) => {
        await trx.raw('SET LOCAL plan_cache_mode = force_generic_plan');
        await trx.raw(`PREPARE many (varchar[], float8) AS ${loadMany.text}`);
        const { rows } = await trx.raw(`EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE many ('{${keys.join()}}', 0)`);
        const scans = [...JSON.stringify(rows).matchAll(/"Node Type":"Index Scan"[^{}]*"Actual Loops":(\d+)/g)];
        expect(scans.length).to.equal(PARTITIONS);
        expect(scans.reduce((sum, [, loops]) => sum + Number(loops), 0)).to.equal(keys.length);
        await trx.raw('DEALLOCATE many');
      });
    });
  });

  describe('looked at by doctor', () => {
    it('is found well, and its rows are not all counted', async () => {
      await knex('django_session').delete();
      await fill(60, 12_000);
      await knex.raw('ANALYZE django_session');
      const { findings } = await examine(knex, { settings });
      const levels = Object.fromEntries(findings.map(({ check, level }) => [check, level]));
      expect(levels).to.include({ table: 'ok', indexes: 'ok', expired: 'ok' });
      const facts = await gatherFacts(knex, {
        table: 'django_session',
        sample: 1,
        now: () => Date.now() / 1000,
        users: async () => null,
        areOurs: () => true,
      });
      expect(facts.rows).to.be.closeTo(12_000, 1000);
    });

    it('has the traffic of all its partitions', async () => {
      const own = connectKnex(`${database.url}?options=-csearch_path%3Dshop`, { poolSize: 1, statement_timeout: 60 });
      try {
        await own.raw("INSERT INTO django_session SELECT 'row' || i, '', now() FROM generate_series(1, 100) i");
        await own.raw("DELETE FROM django_session WHERE session_key LIKE 'row%'");
        await own.raw('SELECT pg_stat_force_next_flush()');
        const { traffic } = await gatherFacts(own, {
          table: 'django_session',
          sample: 1,
          now: () => 0,
          users: async () => null,
          areOurs: () => true,
        });
        expect(traffic.writes).to.be.greaterThan(99);
        expect(traffic.deletes).to.be.greaterThan(99);
      } finally {
        await own.destroy();
      }
    });
  });

  describe('made by hand', () => {
    let other: TestDatabase;
    beforeEach(async () => {
      other = await emptyDatabase();
    });
    afterEach(() => other.drop());
    const make = async (key: string, partition: string): Promise<void> => {
      await other.knex.raw(
        `CREATE TABLE django_session (session_key varchar(40) NOT NULL, session_data text NOT NULL,
          expire_date timestamptz NOT NULL, PRIMARY KEY (${key})) PARTITION BY ${partition}`,
      );
    };

    it('by hash is taken as it is, and a rollback leaves it', async () => {
      await make('session_key', 'HASH (session_key)');
      expect(await migrate(other.knex, { only: ['0001_django_session'] })).to.deep.equal(['0001_django_session']);
      expect(await rollback(other.knex)).to.deep.equal(['0001_django_session']);
      expect(await other.knex.schema.hasTable('django_session')).to.equal(true);
    });

    it('of a table in use, by the statements of DEPLOYMENT.md, has its live sessions and its indexes', async () => {
      await migrate(other.knex, { only: ['0001_django_session'] });
      await other.knex.raw(
        `INSERT INTO django_session SELECT 'key' || i, 'x', now() + make_interval(hours => CASE WHEN i > 40 THEN 1 ELSE -1 END)
           FROM generate_series(1, 100) i`,
      );
      const [, statements = ''] = /```sql\n([\s\S]*?)```/.exec(readFileSync('DEPLOYMENT.md', 'utf8')) ?? [];
      await other.knex.raw(statements);
      expect((await other.knex('django_session')).length).to.equal(60);
      expect(await migrate(other.knex, { only: ['0001_django_session'], partitions: 16 })).to.deep.equal([]);
      const { findings } = await examine(other.knex, { settings });
      expect(
        findings.filter(({ check }) => ['table', 'indexes', 'history'].includes(check)).map(({ level }) => level),
      ).to.deep.equal(['ok', 'ok']);
    });

    it('by expire_date is refused, because a key could be there twice', async () => {
      await make('session_key, expire_date', 'RANGE (expire_date)');
      const error = await reasonOf(migrate(other.knex, { only: ['0001_django_session'] }));
      expect((error as Error).message).to.match(/^Column django_session\.session_key is not unique; Django's is\./);
    });
  });
});
