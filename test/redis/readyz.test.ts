/** What `/readyz` says of a server whose engine uses Redis, while Redis is well, away, and a replica. */
import { expect } from 'chai';
import { startServer, type TestServer } from '../security/server.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { type RedisServer, startRedis, until } from './redis_server.js';
import { Relay } from './relay.js';

const READY = '200 ready';
const REASONS = {
  away: 'Redis does not answer, or not in time. Try again in a moment.',
  replica: 'Redis is a replica, which takes no writes. Try again in a moment.',
};

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
    ['cache', (reason: string) => `503 ${reason}`],
    ['cached_db', (reason: string) => `${READY}; sessions are read and cannot be changed: ${reason}`],
    ['db', () => READY],
  ] as const) {
    it(`with engine ${SESSION_ENGINE} says "${without('…')}" without a Redis that takes writes, and heals`, async () => {
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
        for (const [reason, to] of [
          [REASONS.away, null],
          [REASONS.replica, replica.port],
        ] as const) {
          relay.lead(to);
          relay.cut();
          const status = without('').slice(0, 3);
          await until(`it says ${reason}`, async () => {
            const said = await say();
            // The first answers may be of the connection that is being lost.
            expect(said.slice(0, 3)).to.equal(status);
            return said === without(reason);
          });
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

  for (const SESSION_ENGINE of ['cache', 'cached_db']) {
    it(`and the log at the start say what is wrong with the CACHE_URL of ${SESSION_ENGINE}`, async () => {
      const sentence = 'Redis refuses the user or the password of CACHE_URL.';
      const CACHE_URL = `redis://ann:wrong@127.0.0.1:${redis.port}`;
      const server = await startServer({ SESSION_ENGINE, CACHE_URL, DATABASE_URL: database.url });
      try {
        await until('it is logged', async () => server.lines.some((line) => line.includes(sentence)));
        expect(server.lines.join('')).to.not.include('wrong@');
        expect(await (await fetch(`${server.url}/readyz`)).text()).to.include(sentence);
      } finally {
        await server.stop();
      }
    });
  }
});
