import { expect } from 'chai';
import { clear_expired, countExpired, sweep } from '../../server/db/clear_expired.js';
import { connectKnex } from '../../server/db/knex.js';
import { whileLocked } from '../../server/db/lock.js';
import { databaseOfSuite, UNHURRIED } from '../support/database.js';
import { reasonOf } from '../support/reason.js';

describe('clear_expired', () => {
  const database = databaseOfSuite();

  beforeEach(() => database.knex('django_session').truncate());

  /** Rows that expire so many seconds from now, by the database's clock. */
  const fill = async (seconds: number, count = 1): Promise<void> => {
    await database.knex.raw(
      `INSERT INTO django_session SELECT md5(random()::text || i), '', now() + make_interval(secs => ?) FROM generate_series(1, ?) i`,
      [seconds, count],
    );
  };
  const left = async (): Promise<number> => {
    const [row] = await database.knex('django_session').count<{ count: string }[]>();
    return Number(row?.count);
  };

  it('removes what has expired, and nothing else', async () => {
    await fill(-1, 3);
    await fill(-1_000_000);
    await fill(60, 2);
    expect(await clear_expired(database.knex)).to.equal(4);
    expect(await left()).to.equal(2);
  });

  it('removes all of it in batches, also where rows expire at one moment', async () => {
    await fill(-5, 25);
    await fill(-3, 12);
    await fill(60);
    const progress: number[] = [];
    const { removed } = await sweep(database.knex, { batch: 10, onProgress: (sum) => progress.push(sum) });
    expect(removed).to.equal(37);
    expect(progress).to.deep.equal([10, 20, 30, 37]);
    expect(await left()).to.equal(1);
  });

  it('goes by the database’s clock, and by another only when one is given', async () => {
    await fill(3600);
    expect(await clear_expired(database.knex)).to.equal(0);
    expect(await clear_expired(database.knex, { now: () => Date.now() / 1000 + 7200 })).to.equal(1);
  });

  it('counts and removes nothing as a dry run', async () => {
    await fill(-1, 4);
    await fill(60);
    expect(await sweep(database.knex, { dry_run: true })).to.deep.equal({ removed: 4, busy: false });
    expect(await countExpired(database.knex)).to.equal(4);
    expect(await left()).to.equal(5);
  });

  it('can be stopped after a batch, and the next run goes on', async () => {
    await fill(-1, 30);
    const stop = new AbortController();
    const options = { batch: 10, signal: stop.signal, onProgress: () => stop.abort() };
    expect((await sweep(database.knex, options)).removed).to.equal(10);
    expect(await left()).to.equal(20);
    expect(await clear_expired(database.knex)).to.equal(20);
  });

  it('leaves a row that another transaction holds, without waiting for it', async () => {
    await fill(-2, 3);
    const holder = await database.knex.transaction();
    try {
      await holder.raw('SELECT 1 FROM django_session ORDER BY expire_date LIMIT 1 FOR UPDATE');
      expect(await clear_expired(database.knex)).to.equal(2);
    } finally {
      await holder.rollback();
    }
    expect(await clear_expired(database.knex)).to.equal(1);
  });

  it('spares a row that is revived while it runs', async () => {
    await fill(-2, 2);
    const revive = await database.knex.transaction();
    const key = await revive('django_session').first<{ session_key: string }>('session_key');
    await revive('django_session')
      .where(key)
      .update({ expire_date: new Date(Date.now() + 3_600_000) });
    const clearing = clear_expired(database.knex);
    await revive.commit();
    expect(await clearing).to.equal(1);
    expect(await database.knex('django_session').pluck('session_key')).to.deep.equal([key?.session_key]);
  });

  it('is done by one process at a time: the second says that it is busy', async () => {
    await fill(-1, 2);
    const other = connectKnex(database.url, UNHURRIED);
    await whileLocked(other, { lock: 'clearsessions', wait: 0 }, async () => {
      expect(await sweep(database.knex)).to.deep.equal({ removed: 0, busy: true });
    });
    await other.destroy();
    expect(await sweep(database.knex)).to.deep.equal({ removed: 2, busy: false });
  });

  it('does not wait for a table that is locked for long', async () => {
    await fill(-1);
    const holder = await database.knex.transaction();
    try {
      await holder.raw('LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE');
      const error = await reasonOf(clear_expired(database.knex, { now: () => Date.now() / 1000 }));
      expect(error).to.include({ code: '55P03' });
    } finally {
      await holder.rollback();
    }
  });

  it('walks along the index on expire_date', async () => {
    await fill(60, 5000);
    await database.knex.raw('ANALYZE django_session');
    const plan: { rows: { 'QUERY PLAN': string }[] } = await database.knex.raw(
      `EXPLAIN SELECT ctid FROM django_session WHERE expire_date < now() AND expire_date >= '-infinity'
        ORDER BY expire_date LIMIT 1000 FOR UPDATE SKIP LOCKED`,
    );
    expect(plan.rows.map((row) => row['QUERY PLAN']).join('\n')).to.include('django_session_expire_date_a5c62663');
  });
});
