/** A master of Redis is killed while visitors of both engines keep asking, and a Django beside them reads and caches. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { RedisConnection } from '../../server/redis/connection.js';
import type { SessionStore } from '../../server/session/store.js';
import { CacheStore } from '../../server/session/stores/cache.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { hangUp } from '../fire/visitor.js';
import { startServer, type TestServer } from '../security/server.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { openPatiently, type RedisServer, until } from './redis_server.js';
import { Visitors } from './visitors.js';

export interface Redundant {
  /** CACHE_URL. */
  readonly url: string;
  readonly master: RedisServer;
  /** Whether another Redis is in its place. */
  readonly isReplaced: () => Promise<boolean>;
}

const VISITORS = 8;

interface Site {
  readonly server: TestServer;
  readonly visitors: Visitors;
}

async function startSite(
  SESSION_ENGINE: string,
  CACHE_URL: string,
  database: TestDatabase,
  planting: SessionStore,
): Promise<Site> {
  const visitors = await Visitors.loggedIn(VISITORS, database, planting);
  const server = await startServer({ SESSION_ENGINE, CACHE_URL, DATABASE_URL: database.url });
  return { server, visitors };
}

/** A Django with cached_db: it reads rows and puts them into its cache, whoever changes them meanwhile. */
class ReadingDjango {
  readonly #database: TestDatabase;
  readonly #redis: RedisConnection;
  readonly #sessionKeys: readonly string[];
  #stopped = false;
  #reading: Promise<void> = Promise.resolve();

  constructor(database: TestDatabase, redis: RedisConnection, sessionKeys: readonly string[]) {
    this.#database = database;
    this.#redis = redis;
    this.#sessionKeys = sessionKeys;
  }

  begin(): void {
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    while (!this.#stopped) {
      for (const session_key of this.#sessionKeys) {
        const text = await this.#row(session_key);
        await this.#redis.command('SET', this.#entry(session_key), text).catch(() => pause(10));
      }
      await pause(1);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#reading;
  }

  /** Whether each entry is what the table says, or gone. */
  async isRight(): Promise<boolean> {
    const entries = await Promise.all(
      this.#sessionKeys.map((session_key) => this.#redis.command('GET', this.#entry(session_key))),
    );
    const rows = await Promise.all(this.#sessionKeys.map((session_key) => this.#row(session_key)));
    return entries.every((entry, place) => entry === null || entry === rows[place]);
  }

  async #row(session_key: string): Promise<string> {
    const row = await this.#database.knex('django_session').where({ session_key }).first('session_data');
    return String(row?.session_data);
  }

  #entry(session_key: string): string {
    return `:1:django.contrib.sessions.cached_db${session_key}`;
  }
}

/** @param given is asked when the test runs */
export function survivesItsMaster(given: () => Redundant): void {
  it('is killed under load: cached_db reads on and nothing is lost; errors of cache end by themselves', async function () {
    this.timeout(120_000);
    const { url, master, isReplaced } = given();
    const database = await testDatabase();
    const connection = await openPatiently(url);
    const cached_db = await startSite('cached_db', url, database, new DatabaseStore(database.knex));
    const cache = await startSite(
      'cache',
      url,
      database,
      new CacheStore(connection, { CACHE_KEY_PREFIX: '', CACHE_VERSION: 1 }),
    );
    const sites = [cached_db, cache];
    const django = new ReadingDjango(database, connection, cached_db.visitors.sessionKeys);
    django.begin();
    for (const { server, visitors } of sites) visitors.begin(server.url);
    try {
      const written = (count: number) => async (): Promise<boolean> =>
        sites.every(({ visitors }) => visitors.tally.written >= count);
      await until('all visitors have written', written(3 * VISITORS));
      await master.stop();
      await until('another Redis is in its place', isReplaced);
      for (const { server, visitors } of sites) {
        await visitors.stop();
        await until('nobody is refused', async () => {
          const { unread, unwritten } = await visitors.once(server.url);
          return unread + unwritten === 0;
        });
        expect((await fetch(`${server.url}/readyz`).then((answer) => answer.text())).trim()).to.equal('ready');
      }
      await django.stop();
      await until("Django's cache has nothing that is old", () => django.isRight());

      const { tally } = cached_db.visitors;
      expect(tally, 'cached_db').to.deep.include({ unread: 0, undone: 0, wrong: [] });
      expect(tally.unwritten).to.be.greaterThan(0);
      expect(cache.visitors.tally.wrong, 'cache').to.deep.equal([]);
      expect(cache.visitors.tally.unread).to.be.greaterThan(0);
    } finally {
      await Promise.all([django.stop(), ...sites.map(({ visitors }) => visitors.stop())]);
      hangUp();
      await Promise.all(sites.map(({ server }) => server.stop()));
      await connection.close();
      await database.drop();
    }
  });
}
