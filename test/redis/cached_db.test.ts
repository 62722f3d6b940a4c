/** Engine `cached_db` on a real Redis and PostgreSQL: what a Django with that engine would find after each change. */
import { expect } from 'chai';
import { UserSessionsTable } from '../../server/auth/user_sessions/table.js';
import { UserSessions } from '../../server/auth/user_sessions.js';
import { StoreUnavailable } from '../../server/errors.js';
import type { RedisConnection } from '../../server/redis/connection.js';
import { newSessionKey } from '../../server/session/key.js';
import type { SessionRecord, SessionStore } from '../../server/session/store.js';
import { CachedDatabaseStore } from '../../server/session/stores/cached_db.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { defineSettings } from '../../server/settings.js';
import { rejects, storeContract } from '../session/stores/contract.js';
import { keepsUnreadableRows } from '../session/stores/unreadable.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { openPatiently, type RedisServer, startRedis, tell, until } from './redis_server.js';
import { Relay } from './relay.js';

const SETTINGS = { CACHE_KEY_PREFIX: '', CACHE_VERSION: 1 };

describe('CachedDatabaseStore', () => {
  let server: RedisServer;
  let redis: RedisConnection;
  let database: TestDatabase;
  let store: CachedDatabaseStore;
  let row: SessionRecord;
  before(async () => {
    [server, database] = await Promise.all([startRedis(), testDatabase()]);
    redis = await openPatiently(server.url);
  });
  after(async () => {
    await redis.close();
    await Promise.all([server.stop(), database.drop()]);
  });
  beforeEach(async () => {
    await redis.command('FLUSHALL');
    store = new CachedDatabaseStore(new DatabaseStore(database.knex), redis, SETTINGS);
    row = { session_key: newSessionKey(), session_data: '1', expire_date: new Date(Date.now() + 60_000) };
  });

  storeContract(async (now) => {
    await database.knex('django_session').delete();
    return { store: new CachedDatabaseStore(new DatabaseStore(database.knex, { now }), redis, SETTINGS) };
  });
  keepsUnreadableRows(async () => new CachedDatabaseStore(new DatabaseStore(database.knex), redis, SETTINGS));

  const entry = (session_key: string): string => `:1:django.contrib.sessions.cached_db${session_key}`;
  const djangoCached = (session_key: string): Promise<unknown> =>
    redis.command('SET', entry(session_key), 'a pickle', 'EX', '1209600');
  const isCached = async (session_key: string): Promise<boolean> =>
    (await redis.command('EXISTS', entry(session_key))) === 1;

  const changes: Readonly<Record<string, (store: SessionStore, row: SessionRecord) => Promise<unknown>>> = {
    replace: (store, row) => store.replace('1', { ...row, session_data: '2' }),
    modify: (store, row) => store.modify(row.session_key, async () => ({ ...row, session_data: '2' })),
    cycle: (store, row) => store.cycle(row.session_key, async () => ({ ...row, session_key: newSessionKey() })),
    delete: (store, row) => store.delete(row.session_key),
  };

  it("takes a user's session that is revoked out of Django's cache", async () => {
    const settings = defineSettings({ SECRET_KEY: 'k' });
    const table = new UserSessionsTable(database.knex, settings, undefined);
    const userSessions = new UserSessions(database.knex, { settings, store });
    await store.create(row);
    await djangoCached(row.session_key);
    const { session_key } = row;
    await table.note([{ session_key, user_id: '7', user_agent: '', address: '', formerKey: null }]);
    expect(await userSessions.revokeOthers({ id: 7 })).to.equal(1);
    expect([await store.exists(session_key), await isCached(session_key)]).to.deep.equal([false, false]);
  });

  for (const [name, change] of Object.entries(changes)) {
    it(`takes the session out of Django's cache at ${name}, and nobody else's`, async () => {
      const other = newSessionKey();
      await store.create(row);
      await djangoCached(row.session_key);
      await djangoCached(other);
      await change(store, row);
      expect([await isCached(row.session_key), await isCached(other)]).to.deep.equal([false, true]);
    });

    it(`changes nothing at ${name} when Django's cache cannot be told`, async () => {
      await store.create(row);
      const unreachable = await openPatiently('redis://127.0.0.1:1/0');
      const cutOff = new CachedDatabaseStore(new DatabaseStore(database.knex), unreachable, SETTINGS);
      await rejects(change(cutOff, row), StoreUnavailable);
      expect(await store.load(row.session_key)).to.equal('1');
      await cutOff.close();
    });
  }

  it('has the database of the table, and writes a companion in the commit of the row', async () => {
    expect(store.database).to.equal(database.knex);
    await store.create(row);
    const next = { ...row, session_key: newSessionKey(), session_data: '2' };
    const failing = async (): Promise<void> => {
      throw new RangeError('no');
    };
    await rejects(
      store.cycle(row.session_key, async () => next, failing),
      RangeError,
    );
    await rejects(store.create(next, failing), RangeError);
    expect([await store.load(row.session_key), await store.load(next.session_key)]).to.deep.equal(['1', null]);
  });

  it('tells the new key of a row that was committed, although Redis went away at that moment', async () => {
    for (const moved of [true, false]) {
      const own = await startRedis();
      const connection = await openPatiently(own.url);
      const leaving = new CachedDatabaseStore(new DatabaseStore(database.knex), connection, SETTINGS);
      const next = { ...row, session_key: newSessionKey(), session_data: '2' };
      const redisEnds = (): Promise<void> => own.stop();
      row = { ...row, session_key: newSessionKey() };
      await store.create(row);
      if (moved) await leaving.cycle(row.session_key, async () => next, redisEnds);
      else await leaving.create(next, redisEnds);
      expect(await store.load(next.session_key)).to.equal('2');
      expect(await store.exists(row.session_key)).to.equal(!moved);
      await leaving.close().catch(() => {});
    }
  });

  it('takes the session out after the change, when a Django read it while the change was under way', async () => {
    await store.create(row);
    await store.modify(row.session_key, async () => {
      await djangoCached(row.session_key);
      return { ...row, session_data: '2' };
    });
    expect(await isCached(row.session_key)).to.equal(false);
  });

  it('takes out again what a Django puts in that had read the row just before', async () => {
    const own = await openPatiently(server.url);
    const closing = new CachedDatabaseStore(new DatabaseStore(database.knex), own, SETTINGS);
    await closing.create(row);
    await closing.delete(row.session_key);
    await djangoCached(row.session_key);
    // What would be done a second later is done when the server stops.
    await closing.close();
    expect(await isCached(row.session_key)).to.equal(false);
  });

  it('takes out again what a failover brought back, as soon as Redis answers', async () => {
    const [master, replica] = await Promise.all([startRedis(), startRedis()]);
    const relay = await Relay.start(master.port);
    const connection = await openPatiently(relay.url);
    const leaving = new CachedDatabaseStore(new DatabaseStore(database.knex), connection, SETTINGS);
    try {
      // What the master had, and the replica, which has not heard of its end yet.
      for (const { url } of [master, replica]) await tell({ url }, 'SET', entry(row.session_key), 'a pickle');
      await leaving.create(row);
      await leaving.delete(row.session_key);
      relay.lead(null);
      relay.cut();
      await until('the deletion a second later has failed', async () => relay.refused > 0);
      relay.lead(replica.port);
      await until('the entry is gone', async () => (await tell(replica, 'EXISTS', entry(row.session_key))) === 0);
    } finally {
      await leaving.close();
      relay.close();
      await Promise.all([master.stop(), replica.stop()]);
    }
  });

  it('sees at once what a Django wrote or deleted, whatever lies in Redis', async () => {
    await store.create(row);
    await djangoCached(row.session_key);
    await database.knex('django_session').where({ session_key: row.session_key }).update({ session_data: 'theirs' });
    expect(await store.load(row.session_key)).to.equal('theirs');
    await database.knex('django_session').where({ session_key: row.session_key }).delete();
    expect(await store.load(row.session_key)).to.equal(null);
  });

  it('reads without Redis', async () => {
    await store.create(row);
    const unreachable = await openPatiently('redis://127.0.0.1:1/0');
    const cutOff = new CachedDatabaseStore(new DatabaseStore(database.knex), unreachable, SETTINGS);
    expect(await cutOff.load(row.session_key)).to.equal('1');
    expect(await cutOff.exists(row.session_key)).to.equal(true);
  });

  it('finds entries under the KEY_PREFIX and VERSION of the settings', async () => {
    const settings = { CACHE_KEY_PREFIX: 'site', CACHE_VERSION: 7 };
    const other = new CachedDatabaseStore(new DatabaseStore(database.knex), redis, settings);
    await redis.command('SET', `site:7:django.contrib.sessions.cached_db${row.session_key}`, 'a pickle');
    await other.create(row);
    expect(await redis.command('DBSIZE')).to.equal(0);
  });
});
