import { expect } from 'chai';
import type { Knex } from 'knex';
import { connectKnex } from '../../../server/db/knex.js';
import { sessionStatements } from '../../../server/db/session_statements.js';
import { newSessionKey } from '../../../server/session/key.js';
import type { SessionRecord } from '../../../server/session/store.js';
import { DatabaseStore } from '../../../server/session/stores/db.js';
import { databaseOfSuite, UNHURRIED } from '../../support/database.js';

describe('DatabaseStore, when many ask at once', () => {
  const database = databaseOfSuite();
  let store: DatabaseStore;
  let statements: string[];
  const note = ({ sql }: { readonly sql: string }): void => {
    statements.push(sql.trim().split(/\s+/, 1)[0] ?? '');
  };

  beforeEach(() => {
    statements = [];
    store = new DatabaseStore(database.knex);
    database.knex.on('query', note);
  });
  afterEach(() => {
    database.knex.off('query', note);
  });

  const record = (session_key = newSessionKey(), session_data = 'first:text'): SessionRecord => ({
    session_key,
    session_data,
    expire_date: new Date(Date.now() + 60_000),
  });
  const create = async (count: number): Promise<SessionRecord[]> => {
    const rows = Array.from({ length: count }, () => record());
    await Promise.all(rows.map((row) => store.create(row)));
    statements = [];
    return rows;
  };
  /** A transaction of somebody else that holds a row's lock until it is released. */
  async function lock({ session_key }: SessionRecord): Promise<() => Promise<void>> {
    const knex: Knex = connectKnex(database.url, { ...UNHURRIED, poolSize: 1 });
    const transaction = await knex.transaction();
    await transaction.raw('SELECT 1 FROM django_session WHERE session_key = ? FOR UPDATE', [session_key]);
    return async () => {
      await transaction.rollback();
      await knex.destroy();
    };
  }

  it('keeps one plan for batches of any size, also of a few', async () => {
    await database.knex.raw(
      "INSERT INTO django_session SELECT md5(i::text), 'x', '2100-01-01' FROM generate_series(1, 3000) i",
    );
    await database.knex.raw('ANALYZE django_session');
    const { live, loadMany, replaceMany } = sessionStatements('django_session');
    await database.knex.transaction(async (trx) => {
      await trx.raw(`PREPARE polls (varchar[], float8) AS ${live.text}`);
      await trx.raw(`PREPARE reads (varchar[], float8) AS ${loadMany.text}`);
      await trx.raw(`PREPARE writes (varchar[], text[], timestamptz[], text[]) AS ${replaceMany.text}`);
      for (let times = 0; times < 12; times += 1) {
        const { rows } = await trx.raw(
          `SELECT array_agg(session_key)::text AS keys FROM (SELECT session_key FROM django_session LIMIT ${2 + (times % 3)}) k`,
        );
        const keys = `'${rows[0].keys}'`;
        await trx.raw(`EXECUTE polls (${keys}, 0)`);
        await trx.raw(`EXECUTE reads (${keys}, 0)`);
        await trx.raw(`EXECUTE writes (${keys}, ${keys}, ARRAY[now(), now(), now(), now()], ${keys})`);
      }
      // PostgreSQL makes five plans before it compares their cost with that of one for all.
      const { rows } = await trx.raw(
        "SELECT name, custom_plans, generic_plans FROM pg_prepared_statements WHERE name IN ('polls', 'reads', 'writes') ORDER BY 1",
      );
      expect(rows).to.deep.equal([
        { name: 'polls', custom_plans: '5', generic_plans: '7' },
        { name: 'reads', custom_plans: '5', generic_plans: '7' },
        { name: 'writes', custom_plans: '5', generic_plans: '7' },
      ]);
      const plan = await trx.raw("EXPLAIN EXECUTE writes ('{a,b}', '{a,b}', ARRAY[now(), now()], '{a,b}')");
      // Each given row compared with each locked one.
      expect(JSON.stringify(plan.rows)).to.include('LockRows').and.not.to.include('Join Filter');
      for (const name of ['polls', 'reads', 'writes']) await trx.raw(`DEALLOCATE ${name}`);
    });
  });

  describe('reading', () => {
    it('asks once for the sessions of one tick, and gives each request its own', async () => {
      const rows = await create(40);
      await Promise.all(rows.map((row) => store.replace('first:text', { ...row, session_data: row.session_key })));
      statements = [];
      const texts = await Promise.all(rows.map(({ session_key }) => store.load(session_key)));
      expect(texts).to.deep.equal(rows.map(({ session_key }) => session_key));
      expect(statements).to.deep.equal(['SELECT']);
    });

    it('asks once for a session that many ask for', async () => {
      const [row = record()] = await create(1);
      const texts = await Promise.all(Array.from({ length: 30 }, () => store.load(row.session_key)));
      expect(new Set(texts)).to.deep.equal(new Set(['first:text']));
      expect(statements).to.deep.equal(['SELECT']);
    });

    it('tells those who are there from those who are not', async () => {
      const [row = record()] = await create(1);
      const texts = await Promise.all([store.load(row.session_key), store.load(newSessionKey())]);
      expect(texts).to.deep.equal(['first:text', null]);
    });

    it('never answers a read that came after a write with what was before it', async () => {
      const [row = record()] = await create(1);
      for (let round = 0; round < 50; round += 1) {
        const early = store.load(row.session_key);
        await new Promise(setImmediate);
        await store.replace(round === 0 ? 'first:text' : `text:${round - 1}`, {
          ...row,
          session_data: `text:${round}`,
        });
        expect(await store.load(row.session_key)).to.equal(`text:${round}`);
        await early;
      }
    });

    it('is not disturbed by a lock on the row', async () => {
      const [row = record()] = await create(1);
      const release = await lock(row);
      expect(await store.load(row.session_key)).to.equal('first:text');
      await release();
    });
  });

  describe('behind a pooler that keeps no prepared statements', () => {
    it('leaves none behind', async () => {
      const knex = connectKnex(database.url, { ...UNHURRIED, poolSize: 1 });
      const kept = async (): Promise<number> =>
        (await knex.raw("SELECT 1 FROM pg_prepared_statements WHERE name LIKE 'django_session%'")).rows.length;
      try {
        for (const prepared of [false, true]) {
          const unnamed = new DatabaseStore(knex, { prepared });
          const rows = [record(), record()];
          for (const row of rows) await unnamed.create(row);
          const texts = await Promise.all(rows.map(({ session_key }) => unnamed.load(session_key)));
          expect(texts).to.deep.equal(['first:text', 'first:text']);
          expect(await Promise.all(rows.map((row) => unnamed.replace('first:text', row)))).to.deep.equal([true, true]);
          expect((await kept()) > 0).to.equal(prepared);
        }
      } finally {
        await knex.destroy();
      }
    });
  });

  describe('writing', () => {
    it('writes the sessions of one tick in one statement', async () => {
      const rows = await create(16);
      const written = await Promise.all(
        rows.map((row) => store.replace('first:text', { ...row, session_data: `${row.session_key}:2` })),
      );
      expect(new Set(written)).to.deep.equal(new Set([true]));
      expect(statements).to.deep.equal(['WITH']);
      const texts = await Promise.all(rows.map(({ session_key }) => store.load(session_key)));
      expect(texts).to.deep.equal(rows.map(({ session_key }) => `${session_key}:2`));
    });

    it('writes the expire_date of each row', async () => {
      const [row = record()] = await create(1);
      const expire_date = new Date('2033-05-18T03:33:20.123Z');
      await store.replace('first:text', { ...row, expire_date });
      const there = await database.knex('django_session').where({ session_key: row.session_key }).first();
      expect(there.expire_date).to.deep.equal(expire_date);
    });

    it('says for each whether it was written: not what has changed, and not what is gone', async () => {
      const [same = record(), changed = record(), gone = record()] = await create(3);
      await store.replace('first:text', { ...changed, session_data: 'other:text' });
      await store.delete(gone.session_key);
      const written = await Promise.all(
        [same, changed, gone].map((row) => store.replace('first:text', { ...row, session_data: 'mine:text' })),
      );
      expect(written).to.deep.equal([true, false, false]);
      expect(await store.load(changed.session_key)).to.equal('other:text');
      expect(await store.load(gone.session_key)).to.equal(null);
    });

    it('lets one of many win who change the same text', async () => {
      const [row = record()] = await create(1);
      const written = await Promise.all(
        Array.from({ length: 20 }, (_, n) => store.replace('first:text', { ...row, session_data: `mine:${n}` })),
      );
      expect(written.filter(Boolean)).to.have.length(1);
      expect(await store.load(row.session_key)).to.equal(`mine:${written.indexOf(true)}`);
    });

    it('writes the others while one row is locked, and that one when it is free', async () => {
      const [locked = record(), ...others] = await create(20);
      const release = await lock(locked);
      let settled = false;
      const waiting = store.replace('first:text', { ...locked, session_data: 'mine:text' }).finally(() => {
        settled = true;
      });
      const written = await Promise.all(
        others.map((row) => store.replace('first:text', { ...row, session_data: 'mine:text' })),
      );
      expect(new Set(written)).to.deep.equal(new Set([true]));
      expect(settled).to.equal(false);
      await release();
      expect(await waiting).to.equal(true);
    });

    it('leaves connections for others while many wait for locked rows', async () => {
      const rows = await create(12);
      const releases = await Promise.all(rows.slice(0, 8).map(lock));
      const waiting = rows
        .slice(0, 8)
        .flatMap((row) =>
          Array.from({ length: 5 }, (_, n) => store.replace('first:text', { ...row, session_data: `m:${n}` })),
        );
      const [, , , , , , , , ...free] = rows;
      for (const row of free) {
        expect(await store.load(row.session_key)).to.equal('first:text');
        expect(await store.replace('first:text', { ...row, session_data: 'mine:text' })).to.equal(true);
      }
      await Promise.all(releases.map((release) => release()));
      expect((await Promise.all(waiting)).filter(Boolean)).to.have.length(8);
    });

    it('never deadlocks with another process that writes the same sessions in another order', async () => {
      const rows = await create(30);
      const knex = connectKnex(database.url, UNHURRIED);
      const other = new DatabaseStore(knex);
      try {
        for (let round = 0; round < 10; round += 1) {
          const loaded = round === 0 ? 'first:text' : `text:${round}`;
          const next = `text:${round + 1}`;
          const change = (side: DatabaseStore) => (row: SessionRecord) =>
            side.replace(loaded, { ...row, session_data: next });
          const [mine, theirs] = await Promise.all([
            Promise.all(rows.map(change(store))),
            Promise.all([...rows].reverse().map(change(other))),
          ]);
          theirs.reverse();
          // Exactly one side wrote each row.
          expect(mine.map((written, n) => Number(written) + Number(theirs[n]))).to.deep.equal(rows.map(() => 1));
        }
      } finally {
        await knex.destroy();
      }
    });
  });
});
