/** A cluster of three masters with a replica each: keys on several servers, slots that move, a master that dies. */
import { inspect } from 'node:util';
import { expect } from 'chai';
import { StoreUnavailable, UpdateError } from '../../server/errors.js';
import { RedisConnection } from '../../server/redis/connection.js';
import { newSessionKey } from '../../server/session/key.js';
import type { SessionRecord } from '../../server/session/store.js';
import { CacheStore } from '../../server/session/stores/cache.js';
import { rejects, storeContract } from '../session/stores/contract.js';
import { keepsUnreadableRows } from '../session/stores/unreadable.js';
import { reasonOf } from '../support/reason.js';
import { survivesItsMaster } from './killed_master.js';
import { isMaster, openPatiently, type RedisServer, tell, until } from './redis_server.js';
import { type RedisCluster, startCluster } from './topologies.js';

const SETTINGS = { CACHE_KEY_PREFIX: '', CACHE_VERSION: 1 };
/** Of each master. */
const LAST_SLOTS = [5460, 10_922, 16_383];
const PREFIX = ':1:koa_django_session.cache';

describe('Redis Cluster', function () {
  this.timeout(60_000);
  let cluster: RedisCluster;
  let masters: readonly RedisServer[];
  let connection: RedisConnection;
  before(async () => {
    cluster = await startCluster();
    masters = cluster.servers.slice(0, 3);
    connection = await openPatiently(cluster.url);
  });
  after(async () => {
    await connection?.close();
    await cluster?.stop();
  });

  const onEach = (...command: readonly string[]): Promise<unknown[]> =>
    Promise.all(masters.map((server) => tell(server, ...command)));
  const keys = async (): Promise<string[]> => ((await onEach('KEYS', '*')) as string[][]).flat();
  const open = (): CacheStore => new CacheStore(connection, SETTINGS);
  const slotOf = async (session_key: string): Promise<number> =>
    Number(await tell(masters[0] as RedisServer, 'CLUSTER', 'KEYSLOT', PREFIX + session_key));
  const row = (changes: Partial<SessionRecord> = {}): SessionRecord => ({
    session_key: newSessionKey(),
    session_data: 'first:text',
    expire_date: new Date(Date.now() + 60_000),
    ...changes,
  });
  let isWhole = true;
  beforeEach(async () => {
    if (isWhole) await onEach('FLUSHALL');
  });

  storeContract(async (now) => ({ store: new CacheStore(connection, SETTINGS, { now }) }));
  keepsUnreadableRows(async () => open());

  it('keeps each session under the key that it has without a cluster, on whichever master that is', async () => {
    const rows = Array.from({ length: 30 }, () => row());
    await Promise.all(rows.map((one) => open().create(one)));
    expect((await keys()).sort()).to.deep.equal(rows.map(({ session_key }) => PREFIX + session_key).sort());
    for (const size of await onEach('DBSIZE')) expect(size).to.be.greaterThan(0);
  });

  it('clears what expired on all masters', async () => {
    const rows = Array.from({ length: 60 }, (_, place) =>
      row({ expire_date: new Date(Date.now() + (place % 2 === 0 ? -5000 : 60_000)) }),
    );
    await Promise.all(rows.map((one) => open().create(one)));
    expect(await open().clear_expired()).to.equal(30);
    expect(await keys()).to.have.lengthOf(30);
  });

  describe('a cycle of keys', () => {
    it('moves a session between any two masters', async () => {
      for (let turn = 0; turn < 12; turn += 1) {
        const [from, to] = [row(), row({ session_data: `text ${turn}` })];
        await open().create(from);
        await open().cycle(from.session_key, async () => to);
        expect(await open().load(to.session_key)).to.equal(`text ${turn}`);
        expect(await open().load(from.session_key)).to.equal(null);
      }
    });

    it('takes along what another wrote meanwhile', async () => {
      const [from, to] = [row(), row()];
      await open().create(from);
      const seen: string[] = [];
      await open().cycle(from.session_key, async (session_data) => {
        seen.push(session_data);
        if (seen.length === 1) await open().replace(session_data, { ...from, session_data: 'theirs' });
        return { ...to, session_data };
      });
      expect(seen).to.deep.equal(['first:text', 'theirs']);
      expect(await open().load(to.session_key)).to.equal('theirs');
      expect(await keys()).to.deep.equal([PREFIX + to.session_key]);
    });

    it('leaves nothing behind of a session that was deleted meanwhile', async () => {
      const from = row();
      await open().create(from);
      const deleted = open().cycle(from.session_key, async () => {
        await open().delete(from.session_key);
        return row();
      });
      await rejects(deleted, UpdateError);
      expect(await keys()).to.deep.equal([]);
    });
  });

  describe('a slot that moves', () => {
    it('is followed while it is on its way (ASK), and after it has arrived (MOVED)', async () => {
      const [moved, staying, fresh] = [row(), row(), row()];
      const slot = await slotOf(moved.session_key);
      const from = LAST_SLOTS.findIndex((last) => slot <= last);
      const to = (from + 1) % 3;
      const [source, target] = [masters[from] as RedisServer, masters[to] as RedisServer];
      const setSlot = (server: RedisServer, ...how: readonly string[]): Promise<unknown> =>
        tell(server, 'CLUSTER', 'SETSLOT', String(slot), ...how);
      await Promise.all([moved, staying].map((one) => open().create(one)));
      await setSlot(target, 'IMPORTING', cluster.ids[from] ?? '');
      await setSlot(source, 'MIGRATING', cluster.ids[to] ?? '');
      await tell(source, 'MIGRATE', '127.0.0.1', String(target.port), PREFIX + moved.session_key, '0', '5000');
      expect(await open().load(moved.session_key)).to.equal('first:text');
      expect(await open().replace('first:text', { ...moved, session_data: 'asked' })).to.equal(true);
      await open().cycle(moved.session_key, async (session_data) => ({ ...fresh, session_data }));
      expect(await open().load(fresh.session_key)).to.equal('asked');
      await open().create({ ...moved, session_data: 'again' });

      for (const server of [target, source, ...masters]) await setSlot(server, 'NODE', cluster.ids[to] ?? '');
      expect(await open().load(moved.session_key)).to.equal('again');
      await open().modify(moved.session_key, async () => ({ ...moved, session_data: 'moved' }));
      expect(await open().load(moved.session_key)).to.equal('moved');
      expect(await open().load(staying.session_key)).to.equal('first:text');
      await onEach('FLUSHALL');
      for (const server of [source, target, ...masters]) await setSlot(server, 'NODE', cluster.ids[from] ?? '');
    });
  });

  it('is asked by way of any of its nodes that lives, replicas too', async () => {
    const replica = cluster.servers[4]?.port;
    const other = await openPatiently(`redis+cluster://127.0.0.1:1,127.0.0.1:${replica},127.0.0.1:2`);
    await new CacheStore(other, SETTINGS).check();
    await other.close();
  });

  it('is asked by way of another node when one is silent', async () => {
    const [silent, other] = [cluster.servers[4] as RedisServer, cluster.servers[1] as RedisServer];
    const url = `redis+cluster://127.0.0.1:${silent.port},127.0.0.1:${other.port}`;
    silent.signal('SIGSTOP');
    try {
      const ask = async (): Promise<void> => {
        const connection = await RedisConnection.open(url, { timeout: 0.5 });
        await until('the cluster answers', async () => (await connection.command('EXISTS', 'key')) === 0);
        await connection.close();
      };
      // The node that is asked first is drawn.
      await Promise.all(Array.from({ length: 10 }, ask));
    } finally {
      silent.signal('SIGCONT');
    }
  });

  it('is named by the error when CACHE_URL names a node as if it were the only one', async () => {
    const alone = await openPatiently(cluster.servers[1]?.url ?? '');
    const store = new CacheStore(alone, SETTINGS);
    const errors = await Promise.all(Array.from({ length: 30 }, () => reasonOf(store.create(row()))));
    const refusals = errors.filter((error) => error !== undefined) as Error[];
    expect(refusals).not.to.have.lengthOf(0);
    for (const error of refusals) {
      expect(error).to.be.instanceOf(StoreUnavailable);
      expect(error.message).to.include('let CACHE_URL begin with redis+cluster://');
    }
    await alone.close();
  });

  describe('one of whose masters', () => {
    before(() => {
      isWhole = false;
    });
    // A replica that has not heard yet of a slot that has moved to its master would not take it over: the slot would have no
    // master, and the whole cluster refuse.
    beforeEach(() =>
      until('all nodes agree on the slots', async () => {
        const views = await Promise.all(cluster.servers.map((server) => tell(server, 'CLUSTER', 'SLOTS')));
        const owners = views.map((view) =>
          (view as readonly [number, number, readonly [string, number, string]][])
            .map(([first, last, [, , id]]) => `${first}-${last} ${id}`)
            .sort()
            .join(),
        );
        return new Set(owners).size === 1;
      }),
    );

    it('falls silent: its sessions are had from its replica, and the others all the time', async () => {
      const hasty = await RedisConnection.open(cluster.url, { timeout: 1 });
      const store = new CacheStore(hasty, SETTINGS);
      const [silent, replica] = [masters[2] as RedisServer, cluster.servers[5] as RedisServer];
      const rows = Array.from({ length: 12 }, () => row());
      await Promise.all(rows.map((one) => open().create(one)));
      await until('its replica has everything', async () => {
        const [here, there] = await Promise.all([silent, replica].map((server) => tell(server, 'KEYS', '*')));
        return String((here as string[]).sort()) === String((there as string[]).sort());
      });
      silent.signal('SIGSTOP');
      try {
        await until('the replica is in its place', () => isMaster(replica));
        let found: unknown[] = [];
        await until('all sessions are there', async () => {
          const loads = rows.map(({ session_key }) => store.load(session_key).catch((error: Error) => error.cause));
          found = await Promise.all(loads);
          return found.every((text) => text === 'first:text');
        }).catch((cause) => expect.fail(`${cause}: ${inspect(found)}`));
      } finally {
        silent.signal('SIGCONT');
        await hasty.close();
      }
    });

    survivesItsMaster(() => ({
      url: cluster.url,
      master: masters[0] as RedisServer,
      isReplaced: () => isMaster(cluster.servers[3] as RedisServer),
    }));
  });
});
