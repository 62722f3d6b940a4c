/** One address, behind which another Redis takes over: what the former says ends the connection, so that it heals. */
import { expect } from 'chai';
import { StoreUnavailable } from '../../server/errors.js';
import type { RedisConnection } from '../../server/redis/connection.js';
import { CacheStore } from '../../server/session/stores/cache.js';
import { freePort } from '../support/ports.js';
import { reasonOf } from '../support/reason.js';
import { openPatiently, type RedisServer, startRedis, tell, temporaryFolder } from './redis_server.js';
import { Relay } from './relay.js';
import { startNode } from './topologies.js';

const causeOf = async (work: Promise<unknown>): Promise<string> => {
  const reason = await reasonOf(work);
  expect(reason).to.be.instanceOf(StoreUnavailable);
  return String(((reason as Error).cause as Error).message);
};

describe('RedisConnection to one address', () => {
  let good: RedisServer;
  before(async () => {
    good = await startRedis();
  });
  after(() => good.stop());

  /** Each a Redis that is not in charge, by what it says to a read; where it answers reads, to a write. */
  const former: Readonly<Record<string, () => Promise<RedisServer>>> = {
    READONLY: () => startRedis(undefined, '--replicaof', '127.0.0.1', String(good.port)),
    MASTERDOWN: async () =>
      startRedis(
        undefined,
        ...['--replicaof', '127.0.0.1', String(await freePort())],
        ...['--replica-serve-stale-data', 'no'],
      ),
    LOADING: async () => {
      const folder = temporaryFolder();
      const saved = await startRedis(undefined, '--dir', folder, '--enable-debug-command', 'yes');
      await tell(saved, 'DEBUG', 'POPULATE', '1000', 'key', '1024');
      await tell(saved, 'SAVE');
      await saved.stop();
      // 20 ms for each key, and between two of them an ear for clients.
      const slow = ['--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024'];
      return startRedis(saved.port, '--dir', folder, ...slow);
    },
    CLUSTERDOWN: () => startNode(),
  };
  for (const [code, start] of Object.entries(former)) {
    describe(`that says ${code}`, () => {
      let bad: RedisServer;
      let relay: Relay;
      let connection: RedisConnection;
      beforeEach(async () => {
        bad = await start();
        relay = await Relay.start(bad.port);
        connection = await openPatiently(relay.url);
      });
      afterEach(async () => {
        await connection.close();
        relay.close();
        await bad.stop();
      });

      const command = code === 'READONLY' ? ['SET', 'key', 'value'] : ['GET', 'key'];
      const said = code === 'MASTERDOWN' ? /^(MASTERDOWN|READONLY)/ : new RegExp(`^${code}`);

      it('fails with that once, and writes by a new connection after another has taken over', async () => {
        expect(await causeOf(connection.command(...command))).to.match(new RegExp(`^${code}`));
        relay.lead(good.port);
        expect(await connection.command('SET', 'key', 'value')).to.equal('OK');
      });

      it('is found out by a check, although nobody writes', async () => {
        const store = new CacheStore(connection, { CACHE_KEY_PREFIX: '', CACHE_VERSION: 1 });
        expect(await causeOf(store.check())).to.match(said);
        relay.lead(good.port);
        expect(await reasonOf(store.check())).to.equal(undefined);
      });
    });
  }

  it('heals when a script was refused', async () => {
    const replica = await former['READONLY']?.();
    const relay = await Relay.start(replica?.port ?? 0);
    const connection = await openPatiently(relay.url);
    const script = "return redis.call('SET', KEYS[1], 'value')";
    try {
      expect(await causeOf(connection.command('EVAL', script, '1', 'key'))).to.match(/READONLY/);
      relay.lead(good.port);
      expect(String(await connection.command('EVAL', script, '1', 'key'))).to.equal('OK');
    } finally {
      await connection.close();
      relay.close();
      await replica?.stop();
    }
  });

  it('keeps its connection when Redis refuses a command for another reason', async () => {
    const connection = await openPatiently(good.url);
    await connection.command('SET', 'text', 'a');
    const client = async (): Promise<unknown> => connection.command('CLIENT', 'ID');
    const before = await client();
    expect(await causeOf(connection.command('LPUSH', 'text', 'a'))).to.match(/^WRONGTYPE/);
    expect(await client()).to.equal(before);
    await connection.close();
  });

  it('lets commands on their way have their answers when another was refused', async () => {
    const replica = await former['READONLY']?.();
    const connection = await openPatiently(replica?.url ?? '');
    const [write, ...reads] = await Promise.allSettled([
      connection.command('SET', 'key', 'value'),
      ...Array.from({ length: 50 }, () => connection.command('EXISTS', 'nothing')),
    ]);
    expect(write?.status).to.equal('rejected');
    expect(reads.map(({ status }) => status)).to.deep.equal(reads.map(() => 'fulfilled'));
    await connection.close();
    await replica?.stop();
  });

  it('connects ten times a second at most while Redis refuses, and at once after that', async () => {
    const relay = await Relay.start(good.port);
    const connection = await openPatiently(relay.url);
    relay.lead(null);
    const start = performance.now();
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(Array.from({ length: 10 }, () => causeOf(connection.command('PING'))));
    }
    expect(relay.refused).to.be.within(5, 1 + Math.ceil((performance.now() - start) / 100));
    relay.lead(good.port);
    expect(await connection.command('PING')).to.equal('PONG');
    await connection.close();
    relay.close();
  });
});
