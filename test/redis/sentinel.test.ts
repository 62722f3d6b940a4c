/** A master with a replica, and three sentinels that put one in the other's place. */
import { expect } from 'chai';
import { StoreUnavailable } from '../../server/errors.js';
import { RedisConnection } from '../../server/redis/connection.js';
import { CacheStore } from '../../server/session/stores/cache.js';
import { rejects, storeContract } from '../session/stores/contract.js';
import { survivesItsMaster } from './killed_master.js';
import { isMaster, openPatiently, until } from './redis_server.js';
import { startSentinels, type Watched } from './topologies.js';

describe('Redis with sentinels', function () {
  this.timeout(60_000);
  let watched: Watched;
  let connection: RedisConnection;
  before(async () => {
    watched = await startSentinels();
    connection = await openPatiently(watched.url);
  });
  after(async () => {
    await connection?.close();
    await watched?.stop();
  });

  storeContract(async (now) => {
    await connection.command('FLUSHALL');
    return { store: new CacheStore(connection, { CACHE_KEY_PREFIX: '', CACHE_VERSION: 1 }, { now }) };
  });

  it('is reached at the master, in the database of the URL, also as django-redis-sentinel writes it', async () => {
    const hosts = watched.sentinels.map(({ port }) => `127.0.0.1:${port}`).join();
    for (const [database, url] of [`redis+sentinel://${hosts}/mymaster/1`, `mymaster/${hosts}/2`].entries()) {
      const other = await openPatiently(url);
      await other.command('SET', 'where', url);
      await other.close();
      const direct = await openPatiently(watched.master.url.replace(/0$/, String(database + 1)));
      expect(await direct.command('GET', 'where')).to.equal(url);
      await direct.close();
    }
  });

  it('is not reached under a name that the sentinels do not know, nor without a sentinel', async () => {
    for (const url of [watched.url.replace('mymaster', 'other'), 'redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster']) {
      const other = await openPatiently(url);
      await rejects(other.command('PING'), StoreUnavailable);
      await other.close();
    }
  });

  it('is reached while one sentinel is silent, and another one is gone', async () => {
    const [silent, third] = [watched.sentinels[0], watched.sentinels[2]];
    silent?.signal('SIGSTOP');
    try {
      const hosts = [silent?.port, 1, third?.port].map((port) => `127.0.0.1:${port}`).join();
      const other = await RedisConnection.open(`redis+sentinel://${hosts}/mymaster`);
      await until('Redis answers', async () => (await other.command('PING')) === 'PONG');
      await other.close();
    } finally {
      silent?.signal('SIGCONT');
    }
  });

  describe('whose master', () => {
    survivesItsMaster(() => ({
      url: watched.url,
      master: watched.master,
      isReplaced: () => isMaster(watched.replica),
    }));
  });
});
