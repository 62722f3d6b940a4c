/**
 * Sessions in Django's table, beside a Django whose engine is `cached_db` (django.contrib.sessions.backends.cached_db).
 *
 * Such a Django reads its cache first, where an entry is a pickle and lives for up to SESSION_COOKIE_AGE. Each change here
 * deletes that entry, so that Django reads the table again. We always read the table and have no cache of our own: Django
 * would not delete its entries, and a session could stay logged in here after a logout there.
 */
import { type Deadline, leavingAsMuch } from '../../db/deadline.js';
import { StoreUnavailable } from '../../errors.js';
import type { RedisConnection } from '../../redis/connection.js';
import { checkSettings } from '../../settings/given.js';
import { checkRedis, checkStore } from '../given.js';
import { liveOf } from '../live.js';
import { mergeRow } from '../merge_row.js';
import type { Companion, SessionChange, SessionRecord, SessionStore, WrittenCookie } from '../store.js';
import { type CacheSettings, make_key } from './cache.js';

/** django.contrib.sessions.backends.cached_db.KEY_PREFIX. */
const KEY_PREFIX = 'django.contrib.sessions.cached_db';

/**
 * Milliseconds after which an entry is deleted a second time. A Django that read the row just before our change may cache
 * the old row just after our first delete.
 */
const AGAIN = 1000;

/** The maximum number of attempts at that second delete, AGAIN apart, while Redis does not answer. */
const TRIES = 60;

/**
 * Engine `db` that also deletes the cache entries of a Django with `cached_db`.
 *
 * ```ts
 * import { RedisConnection } from 'koa-django-session/stores/redis_connection';
 *
 * const redis = await RedisConnection.open(settings.CACHE_URL ?? 'redis://127.0.0.1:6379/0');
 * const cached = new CachedDatabaseStore(new DatabaseStore(knex), redis, settings);
 * ```
 */
export class CachedDatabaseStore implements SessionStore {
  readonly serves: NonNullable<SessionStore['serves']>;
  readonly #db: SessionStore;
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  /** The timers of the second deletes, by session key. */
  readonly #later = new Map<string, NodeJS.Timeout>();

  /**
   * @param db a DatabaseStore
   * @throws ImproperlyConfigured without a store, a connection or settings
   */
  constructor(db: SessionStore, redis: RedisConnection, settings: CacheSettings) {
    checkStore('new CachedDatabaseStore()', { store: db });
    checkRedis('new CachedDatabaseStore()', redis);
    checkSettings('new CachedDatabaseStore()', settings, 'CACHE_KEY_PREFIX', 'CACHE_VERSION');
    this.#db = db;
    this.serves = { ...db.serves, SESSION_ENGINE: 'cached_db' };
    this.#redis = redis;
    this.#prefix = make_key(KEY_PREFIX, settings);
  }

  deadline(): Deadline {
    return this.#db.deadline?.() ?? this.#redis.deadline();
  }

  load(session_key: string, deadline?: Deadline): Promise<string | null> {
    return this.#db.load(session_key, deadline);
  }

  live(sessionKeys: readonly string[], deadline?: Deadline): Promise<ReadonlySet<string>> {
    return liveOf(this.#db, sessionKeys, deadline);
  }

  async stored(session_key: string, deadline?: Deadline): Promise<SessionChange | null> {
    return (await this.#db.stored?.(session_key, deadline)) ?? null;
  }

  exists(session_key: string, deadline?: Deadline): Promise<boolean> {
    return this.#db.exists(session_key, deadline);
  }

  get database(): object | undefined {
    return this.#db.database;
  }

  create(record: SessionRecord, companion?: Companion, deadline = this.deadline()): Promise<WrittenCookie> {
    return this.#tellingOfKey(record.session_key, deadline, () => this.#db.create(record, companion, deadline));
  }

  replace(loaded: string, record: SessionRecord, deadline = this.deadline()): Promise<boolean | string> {
    return this.#telling(record.session_key, deadline, () => this.#db.replace(loaded, record, deadline));
  }

  modify(
    session_key: string,
    change: (session_data: string) => Promise<SessionChange>,
    deadline = this.deadline(),
  ): Promise<WrittenCookie> {
    return this.#telling(session_key, deadline, () => this.#db.modify(session_key, change, deadline));
  }

  merge(
    session_key: string,
    change: (session_data: string) => SessionChange,
    deadline = this.deadline(),
  ): Promise<WrittenCookie> {
    return this.#telling(session_key, deadline, () => mergeRow(this.#db, session_key, change, deadline));
  }

  cycle(
    session_key: string,
    change: (session_data: string) => Promise<SessionRecord>,
    companion?: Companion,
    deadline = this.deadline(),
  ): Promise<WrittenCookie> {
    return this.#tellingOfKey(session_key, deadline, () => this.#db.cycle(session_key, change, companion, deadline));
  }

  delete(session_key: string, deadline = this.deadline()): Promise<void> {
    return this.#telling(session_key, deadline, () => this.#db.delete(session_key, deadline));
  }

  /** Removes rows only: the entries in Django's cache expire by themselves. */
  clear_expired(): Promise<number> {
    return this.#db.clear_expired();
  }

  /** Returns a warning instead of throwing if Redis is away, because sessions can still be read. */
  async check(): Promise<string | undefined> {
    try {
      await this.#redis.check(this.#prefix);
      return undefined;
    } catch (error) {
      const reason = error instanceof StoreUnavailable ? error.message : 'Redis does not answer.';
      return `sessions are read and cannot be changed: ${reason}`;
    }
  }

  /** Runs the pending second deletes at once, then disconnects. */
  async close(): Promise<void> {
    const sessionKeys = [...this.#later.keys()];
    for (const timer of this.#later.values()) clearTimeout(timer);
    this.#later.clear();
    await Promise.all(sessionKeys.map((key) => this.#forget(key))).catch(() => {});
    await this.#redis.close();
  }

  /**
   * Deletes the entry before and after the write. The first delete checks that Redis answers, and in time for the second:
   * otherwise nothing is written. The second one removes what Django cached meanwhile, and is sent even if the deadline has
   * come.
   */
  async #telling<T>(session_key: string, deadline: Deadline, write: () => Promise<T>): Promise<T> {
    const result = await this.#written(session_key, deadline, write);
    if (result !== false) await this.#forget(session_key, deadline);
    return result;
  }

  /**
   * As `#telling`, for a write that gives the row a new key. An error of the delete after the write is ignored, because
   * the visitor must get the new key. The entry of the old key is deleted later.
   */
  async #tellingOfKey<T>(session_key: string, deadline: Deadline, write: () => Promise<T>): Promise<T> {
    const result = await this.#written(session_key, deadline, write);
    await this.#forget(session_key, deadline).catch(() => {});
    return result;
  }

  async #written<T>(session_key: string, deadline: Deadline, write: () => Promise<T>): Promise<T> {
    await leavingAsMuch(this.#forget(session_key, deadline), deadline);
    try {
      const result = await write();
      if (result !== false) this.#forgetLater(session_key);
      return result;
    } catch (error) {
      // PostgreSQL may still do it, within the time of a request.
      if (error instanceof StoreUnavailable) this.#forgetLater(session_key, AGAIN + this.#redis.deadline().left());
      throw error;
    }
  }

  async #forget(session_key: string, deadline = this.#redis.deadline()): Promise<void> {
    await this.#redis.commandBy(deadline, 'DEL', this.#prefix + session_key);
  }

  /**
   * Retries while Redis is away: after a failover the new master may still have the entry, because replication is
   * asynchronous.
   */
  #forgetLater(session_key: string, delay = AGAIN, tries = TRIES): void {
    clearTimeout(this.#later.get(session_key));
    const timer = setTimeout(() => {
      this.#later.delete(session_key);
      this.#forget(session_key).catch(() => {
        // Not if a newer change has scheduled its own delete.
        if (tries > 1 && !this.#later.has(session_key)) this.#forgetLater(session_key, AGAIN, tries - 1);
      });
    }, delay);
    timer.unref();
    this.#later.set(session_key, timer);
  }
}
