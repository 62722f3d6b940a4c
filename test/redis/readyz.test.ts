/** What `/readyz` says of a server whose engine uses Redis, while Redis is well, away, and a replica. */
import { expect } from 'chai';
import { startServer, type TestServer } from '../security/server.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { type RedisServer, startRedis, until } from './redis_server.js';
import { Relay } from './relay.js';

const READY = '200 ready';
const WITHOUT_REDIS = '200 ready; Redis does not answer: sessions are read and cannot be changed';
const NO_STORE = '503 the store of sessions does not answer';

describe('/readyz', () => {
  let database: TestDatabase;
  let redis: RedisServer;
  let replica: RedisServer;
  before(async () => {
    [database, redis] = await Promise.all([testDatabase(), startRedis()]);
    replica = await startRedis(undefined, '--replicaof', '127.0.0.1', String(redis.port));
  });
  after(async () => {
    await Promise.all([redis.stop(), replica.stop(), database.drop()]);
  });

  for (const [SESSION_ENGINE, without] of [
    ['cache', NO_STORE],
    ['cached_db', WITHOUT_REDIS],
    ['db', READY],
  ] as const) {
    it(`with engine ${SESSION_ENGINE} says "${without}" without a Redis that takes writes, and heals`, async () => {
      const relay = await Relay.start(redis.port);
      const server: TestServer = await startServer({
        SESSION_ENGINE,
        CACHE_URL: relay.url,
        DATABASE_URL: database.url,
      });
      const say = async (): Promise<string> => {
        const answer = await fetch(`${server.url}/readyz`);
        return `${answer.status} ${(await answer.text()).trim()}`;
      };
      try {
        await until('it is ready', async () => (await say()) === READY);
        for (const to of [null, replica.port]) {
          relay.lead(to);
          relay.cut();
          expect(await say()).to.equal(without);
          relay.lead(redis.port);
          await until('it is ready again', async () => (await say()) === READY);
        }
        expect((await fetch(`${server.url}/livez`)).status).to.equal(200);
      } finally {
        await server.stop();
        relay.close();
      }
    });
  }
});
