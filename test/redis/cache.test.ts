/** Engine `cache` on a real Redis: the contract, what lies in Redis, races of two connections, and faults. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { Deadline } from '../../server/db/deadline.js';
import { CreateError, StoreUnavailable, UpdateError } from '../../server/errors.js';
import { RedisConnection } from '../../server/redis/connection.js';
import { newSessionKey } from '../../server/session/key.js';
import type { SessionRecord } from '../../server/session/store.js';
import { CacheStore } from '../../server/session/stores/cache.js';
import { rejects, storeContract } from '../session/stores/contract.js';
import { keepsUnreadableRows } from '../session/stores/unreadable.js';
import { reasonOf } from '../support/reason.js';
import { openPatiently, type RedisServer, startRedis, until } from './redis_server.js';
import { Relay } from './relay.js';

const NOW = 1_767_225_600;
const SETTINGS = { CACHE_KEY_PREFIX: '', CACHE_VERSION: 1 };

const record = (changes: Partial<SessionRecord> = {}): SessionRecord => ({
  session_key: newSessionKey(),
  session_data: 'first:text',
  expire_date: new Date((NOW + 60) * 1000),
  ...changes,
});

describe('CacheStore', () => {
  let server: RedisServer;
  let redis: RedisConnection;
  before(async () => {
    server = await startRedis();
    redis = await openPatiently(server.url);
  });
  after(async () => {
    await redis.close();
    await server.stop();
  });
  beforeEach(async () => {
    await redis.command('FLUSHALL');
  });
  const open = (now = NOW, settings = SETTINGS): CacheStore => new CacheStore(redis, settings, { now: () => now });

  storeContract(async (now) => ({ store: new CacheStore(redis, SETTINGS, { now }) }));
  keepsUnreadableRows(async () => new CacheStore(redis, SETTINGS));

  describe('what lies in Redis', () => {
    it("is the signed text under a key of its own, never one of Django's", async () => {
      const row = record();
      await open().create(row);
      const key = `:1:koa_django_session.cache${row.session_key}`;
      expect(await redis.command('KEYS', '*')).to.deep.equal([key]);
      expect(await redis.command('GET', key)).to.equal(`${(NOW + 60) * 1000} first:text`);
    });

    it("has the prefix and version of the settings, and others' are unknown", async () => {
      const row = record();
      const store = open(NOW, { CACHE_KEY_PREFIX: 'si[t]e*', CACHE_VERSION: 2 });
      await store.create(row);
      await redis.command('SET', 'sixte:2:koa_django_session.cacheother', '1 text');
      expect(await redis.command('EXISTS', `si[t]e*:2:koa_django_session.cache${row.session_key}`)).to.equal(1);
      expect(await open().load(row.session_key)).to.equal(null);
      const later = new CacheStore(redis, { CACHE_KEY_PREFIX: 'si[t]e*', CACHE_VERSION: 2 }, { now: () => NOW + 61 });
      expect(await later.clear_expired()).to.equal(1);
      expect(await redis.command('DBSIZE')).to.equal(1);
    });

    it('goes by itself a minute after its end, by a span from our clock', async () => {
      const row = record();
      const ttl = async (): Promise<number> =>
        Number(await redis.command('PTTL', `:1:koa_django_session.cache${row.session_key}`));
      const store = open();
      await store.create(row);
      expect(await ttl()).to.be.within(118_000, 120_000);
      await store.replace('first:text', { ...row, expire_date: new Date((NOW + 600) * 1000) });
      expect(await ttl()).to.be.within(658_000, 660_000);
      await store.modify(row.session_key, async () => record({ expire_date: new Date((NOW + 5) * 1000) }));
      expect(await ttl()).to.be.within(63_000, 65_000);
    });

    it('is cleared over many steps of the scan', async () => {
      const rows = Array.from({ length: 1500 }, (_, place) =>
        record({ expire_date: new Date((NOW + (place % 2 === 0 ? -5 : 5)) * 1000) }),
      );
      const store = open();
      await Promise.all(rows.map((row) => store.create(row)));
      expect(await store.clear_expired()).to.equal(750);
      expect(await redis.command('DBSIZE')).to.equal(750);
    });
  });

  describe('reads of one tick', () => {
    const commands = async (): Promise<Record<string, number>> => {
      const lines = String(await redis.command('INFO', 'commandstats')).matchAll(/cmdstat_(\w*get):calls=(\d+)/g);
      return Object.fromEntries([...lines].map(([, name = '', calls]) => [name, Number(calls)]));
    };

    it('are one command, and each has its own answer', async () => {
      const rows = Array.from({ length: 20 }, (_, place) => record({ session_data: `text ${place}` }));
      const store = open();
      await Promise.all(rows.map((row) => store.create(row)));
      await redis.command('CONFIG', 'RESETSTAT');
      const keys = [...rows.map(({ session_key }) => session_key), newSessionKey(), rows[0]?.session_key ?? ''];
      const texts = await Promise.all(keys.map((key) => store.load(key)));
      expect(texts).to.deep.equal([...rows.map(({ session_data }) => session_data), null, 'text 0']);
      expect(await commands()).to.deep.equal({ mget: 1 });
      await store.load(newSessionKey());
      expect(await commands()).to.deep.equal({ mget: 1, get: 1 });
    });

    it('are refused alone when Redis refuses them together', async () => {
      const [allowed, forbidden] = [record(), record()];
      const key = (row: SessionRecord): string => `:1:koa_django_session.cache${row.session_key}`;
      await Promise.all([allowed, forbidden].map((row) => open().create(row)));
      await redis.command('ACL', 'SETUSER', 'reader', 'reset', 'on', '>word', '+@all', `~${key(allowed)}`);
      const account = await openPatiently(`redis://reader:word@127.0.0.1:${server.port}/0`);
      const store = new CacheStore(account, SETTINGS, { now: () => NOW });
      const load = (row: SessionRecord): Promise<string | null> => store.load(row.session_key);
      try {
        const texts = Promise.all([load(allowed), rejects(load(forbidden), StoreUnavailable)]);
        expect((await texts)[0]).to.equal('first:text');
        await redis.command('ACL', 'SETUSER', 'reader', '~*', '-mget');
        expect(await Promise.all([allowed, forbidden].map(load))).to.deep.equal(['first:text', 'first:text']);
      } finally {
        await account.close();
      }
    });
  });

  describe('with another server on the same Redis', () => {
    let others: RedisConnection;
    beforeEach(async () => {
      others = await openPatiently(server.url);
    });
    afterEach(() => others.close());
    const other = (): CacheStore => new CacheStore(others, SETTINGS, { now: () => NOW });

    it('loses no change of either', async () => {
      const row = record({ session_data: '0' });
      await open().create(row);
      const increment = async (text: string) => ({ ...row, session_data: String(Number(text) + 1) });
      const stores = [open(), other()];
      await Promise.all(
        stores.flatMap((store) => Array.from({ length: 50 }, () => store.modify(row.session_key, increment))),
      );
      expect(await open().load(row.session_key)).to.equal('100');
    });

    it('writes the saves of one session that wait for each other together, and loses none', async () => {
      const row = record({ session_data: '' });
      await open().create(row);
      await redis.command('CONFIG', 'RESETSTAT');
      const stores = [open(), other()];
      const add = (text: string) => ({ ...row, session_data: `${text}x` });
      await Promise.all(stores.flatMap((store) => Array.from({ length: 60 }, () => store.merge(row.session_key, add))));
      expect(await open().load(row.session_key)).to.equal('x'.repeat(120));
      const [, writes] = /cmdstat_eval:calls=(\d+)/.exec(String(await redis.command('INFO', 'commandstats'))) ?? [];
      expect(Number(writes)).to.be.lessThan(30);
    });

    it('lets no save overtake those that wait for the session, so that each is written in time', async () => {
      const relay = await Relay.start(server.port);
      const far = await RedisConnection.open(relay.url, { timeout: 1 });
      const store = new CacheStore(far, SETTINGS, { now: () => NOW });
      const row = record({ session_data: '' });
      await store.create(row);
      relay.delay = 60;
      /** As a request saves: with the text that it has read, or else joined with what is there. */
      const save = async (): Promise<void> => {
        const deadline = store.deadline();
        const loaded = (await store.load(row.session_key, deadline)) ?? '';
        const add = (text: string) => ({ ...row, session_data: `${text}x` });
        if (!(await store.replace(loaded, add(loaded), deadline))) await store.merge(row.session_key, add, deadline);
      };
      try {
        const saves: Promise<unknown>[] = [];
        for (let n = 0; n < 400; n += 1) {
          saves.push(reasonOf(save()));
          await pause(10);
        }
        expect((await Promise.all(saves)).filter((error) => error !== undefined)).to.deep.equal([]);
        expect(await store.load(row.session_key)).to.equal('x'.repeat(400));
      } finally {
        await far.close();
        relay.close();
      }
    });

    it('gives an atomic 503 at its deadline while saves before it wait for a silent Redis', async () => {
      const row = record();
      const patient = await RedisConnection.open(server.url, { timeout: 30 });
      const store = new CacheStore(patient, SETTINGS, { now: () => NOW });
      await store.create(row);
      let go = (): void => {};
      const first = store.modify(row.session_key, async () => {
        await new Promise<void>((resolve) => {
          go = resolve;
        });
        return row;
      });
      const ended: string[] = [];
      const atomic = rejects(
        store.modify(row.session_key, async () => row, new Deadline(2)),
        StoreUnavailable,
      ).then(() => ended.push('atomic'));
      const merge = store
        .merge(
          row.session_key,
          () => {
            server.signal('SIGSTOP');
            return row;
          },
          new Deadline(60),
        )
        .then(() => ended.push('merge'));
      try {
        await until('the first changes', async () => go.name !== 'go');
        go();
        await atomic;
        expect(ended).to.deep.equal(['atomic']);
      } finally {
        server.signal('SIGCONT');
      }
      await Promise.all([first, merge]);
      await patient.close();
    });

    it('asks modify again when the other was faster', async () => {
      const row = record();
      await open().create(row);
      const seen: string[] = [];
      await open().modify(row.session_key, async (text) => {
        seen.push(text);
        if (seen.length === 1) await other().replace(text, { ...row, session_data: 'theirs' });
        return { ...row, session_data: `${text}+mine` };
      });
      expect(seen).to.deep.equal(['first:text', 'theirs']);
      expect(await open().load(row.session_key)).to.equal('theirs+mine');
    });

    it('does not bring back what the other deleted meanwhile', async () => {
      const row = record();
      for (const change of ['modify', 'cycle'] as const) {
        await open().create(row);
        const deleted = async () => {
          await other().delete(row.session_key);
          return record();
        };
        await rejects(open()[change](row.session_key, deleted), UpdateError);
        expect(await redis.command('DBSIZE')).to.equal(0);
      }
    });

    it('gives a key to one of two that create it at once', async () => {
      const row = record();
      const results = await Promise.allSettled([open().create(row), other().create(row)]);
      const refused = results.filter((result) => result.status === 'rejected');
      expect(refused.map(({ reason }) => (reason as Error).constructor)).to.deep.equal([CreateError]);
    });
  });

  describe('when Redis is away', () => {
    it('says 503 in time while it is silent, and works again when it is back', async () => {
      const row = record();
      await open().create(row);
      const hasty = await RedisConnection.open(server.url, { timeout: 1 });
      const store = new CacheStore(hasty, SETTINGS, { now: () => NOW });
      server.signal('SIGSTOP');
      try {
        const calls = [
          ...Array.from({ length: 20 }, () => store.load(row.session_key)),
          ...Array.from({ length: 20 }, () => store.modify(row.session_key, async () => row)),
          store.delete(row.session_key),
          store.clear_expired(),
        ];
        await Promise.all(calls.map((call) => rejects(call, StoreUnavailable)));
      } finally {
        server.signal('SIGCONT');
      }
      await until('Redis answers', async () => [row.session_data, null].includes(await store.load(row.session_key)));
      await hasty.close();
    });

    it('says 503 at once while nobody listens, and works again when it is back', async () => {
      const row = record();
      const { port } = server;
      const store = open();
      await store.create(row);
      await server.stop();
      await rejects(store.load(row.session_key), StoreUnavailable);
      await rejects(store.load(row.session_key), StoreUnavailable);
      server = await startRedis(port);
      expect(await store.load(row.session_key)).to.equal(null);
      await store.create(row);
      expect(await store.load(row.session_key)).to.equal('first:text');
    });

    it('gives up a connection that fell silent, and makes another', async () => {
      const relay = await Relay.start(server.port);
      const through = await RedisConnection.open(relay.url, { timeout: 0.5 });
      const answers = async (): Promise<boolean> => (await through.command('PING')) === 'PONG';
      await until('Redis answers', answers);
      relay.silence();
      await rejects(through.command('PING'), StoreUnavailable);
      await until('Redis answers by another connection', answers);
      await through.close();
      relay.close();
    });

    it('ends a change that takes too long, and goes on with the next one of the same session', async () => {
      const hasty = await RedisConnection.open(server.url, { timeout: 0.1 });
      const store = new CacheStore(hasty, SETTINGS, { now: () => NOW });
      const row = record();
      await store.create(row);
      await rejects(
        store.modify(row.session_key, () => new Promise(() => {})),
        StoreUnavailable,
      );
      await store.modify(row.session_key, async () => ({ ...row, session_data: 'next:text' }));
      expect(await store.load(row.session_key)).to.equal('next:text');
      await hasty.close();
    });

    it('refuses commands once it is closed, and connects no more', async () => {
      const closed = await RedisConnection.open(server.url);
      await closed.command('PING');
      await closed.close();
      await rejects(closed.command('PING'), StoreUnavailable);
      await rejects(new CacheStore(closed, SETTINGS).load(record().session_key), StoreUnavailable);
    });

    it('says 503 when Redis refuses, as when it is full', async () => {
      await redis.command('CONFIG', 'SET', 'maxmemory', '1');
      try {
        await rejects(open().create(record()), StoreUnavailable);
      } finally {
        await redis.command('CONFIG', 'SET', 'maxmemory', '0');
      }
    });

    it('keeps the password of CACHE_URL out of the error', async () => {
      const refused = await openPatiently(`redis://user:canary-password@127.0.0.1:${server.port}/0`);
      const error: unknown = await refused.command('PING').catch((reason: unknown) => reason);
      await refused.close();
      expect(error).to.be.instanceOf(StoreUnavailable);
      expect(`${String(error)} ${String((error as Error).cause)}`).not.to.contain('canary');
    });
  });
});
