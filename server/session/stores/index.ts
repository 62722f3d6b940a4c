/** Opens the store of SESSION_ENGINE. Imports only the module of that engine. */
import type { Knex } from 'knex';
import type { Clock } from '../../clock.js';
import { ImproperlyConfigured } from '../../errors.js';
import type { RedisConnection, RedisOptions } from '../../redis/connection.js';
import { checkSettings } from '../../settings/given.js';
import { engineName, type Settings } from '../../settings.js';
import type { SessionStore } from '../store.js';
import type { DatabaseStoreOptions } from './db.js';

/** What the engines need. Each engine ignores the options of the others. */
export interface StoreOptions {
  readonly settings: Settings;
  /** For `db` and `cached_db`. */
  readonly knex?: Knex;
  /** For `db` and `cached_db`: false to use no prepared statements, see DatabaseStoreOptions. */
  readonly prepared?: boolean;
  /** For `db`, `cached_db` and `cache`: DATABASE_TIMEOUT in seconds, see DatabaseStoreOptions and RedisOptions. */
  readonly timeout?: number;
  readonly now?: Clock;
  /** For `db` and `cached_db`: the further columns of a custom session model, see DatabaseStoreOptions. */
  readonly columns?: DatabaseStoreOptions['columns'];
}

/** Whether SESSION_ENGINE stores sessions as rows of SESSION_TABLE. */
export function hasSessionTable(settings: Pick<Settings, 'SESSION_ENGINE'>): boolean {
  return ['db', 'cached_db'].includes(engineName(settings));
}

/**
 * Opens the store that SESSION_ENGINE names.
 *
 * ```ts
 * const store = await openStore({ settings, knex });
 * app.use(sessions(app, { settings, store }));
 * ```
 *
 * @throws ImproperlyConfigured without settings, and when the engine needs `knex` or CACHE_URL and it is missing
 */
export async function openStore(options: StoreOptions): Promise<SessionStore> {
  checkSettings('openStore', options?.settings, 'SESSION_ENGINE', 'SESSION_TABLE');
  const { settings, knex, prepared = true, timeout, now, columns } = options;
  const clock = now === undefined ? {} : { now };
  const bound = timeout === undefined ? {} : { timeout };
  const expireDateStep = settings.SESSION_EXPIRE_DATE_STEP;
  const table = {
    prepared,
    table: settings.SESSION_TABLE,
    expireDateStep,
    ...bound,
    ...(columns === undefined ? {} : { columns }),
  };
  switch (engineName(settings)) {
    case 'db':
      return openDatabase(settings, knex, { ...clock, ...table });
    case 'cached_db': {
      const db = await openDatabase(settings, knex, { ...clock, ...table });
      const redis = await openRedis(settings, bound);
      const { CachedDatabaseStore } = await import('./cached_db.js');
      return new CachedDatabaseStore(db, redis, settings);
    }
    case 'cache': {
      const redis = await openRedis(settings, bound);
      const { CacheStore } = await import('./cache.js');
      return new CacheStore(redis, settings, clock);
    }
    case 'file': {
      const { FileStore } = await import('./file.js');
      return new FileStore(settings, clock);
    }
    case 'signed_cookies': {
      const { SignedCookiesStore } = await import('./signed_cookies.js');
      return new SignedCookiesStore(settings, clock);
    }
  }
}

async function openDatabase(
  settings: Settings,
  knex: Knex | undefined,
  options: DatabaseStoreOptions,
): Promise<SessionStore> {
  if (knex === undefined) {
    throw new ImproperlyConfigured(`SESSION_ENGINE ${engineName(settings)} needs a knex instance.`);
  }
  const { DatabaseStore } = await import('./db.js');
  return new DatabaseStore(knex, options);
}

async function openRedis(settings: Settings, options: RedisOptions): Promise<RedisConnection> {
  if (settings.CACHE_URL === null) {
    throw new ImproperlyConfigured(
      `SESSION_ENGINE ${engineName(settings)} needs CACHE_URL, such as redis://127.0.0.1:6379/0.`,
    );
  }
  const { RedisConnection } = await import('../../redis/connection.js');
  return RedisConnection.open(settings.CACHE_URL, options);
}
