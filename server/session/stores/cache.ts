/**
 * Sessions in Redis, signed as in the table. Sessions are not shared with Django's engine `cache`, which stores pickles;
 * both can use the same Redis, with different keys.
 */
import type { Clock } from '../../clock.js';
import { type Deadline, inTime, leavingAsMuch, tookLong } from '../../db/deadline.js';
import { Queue } from '../../db/queue.js';
import { CreateError, UpdateError } from '../../errors.js';
import type { RedisConnection } from '../../redis/connection.js';
import { RedisReads } from '../../redis/reads.js';
import { checkedClock, checkSettings } from '../../settings/given.js';
import type { Settings } from '../../settings.js';
import { checkRedis } from '../given.js';
import { RowMerges } from '../row_merges.js';
import type { Companion, SessionChange, SessionRecord, SessionStore } from '../store.js';

/** The settings that are part of each key, as in Django's cache. */
export type CacheSettings = Pick<Settings, 'CACHE_KEY_PREFIX' | 'CACHE_VERSION'>;

/**
 * A key in the format of Django's cache: prefix, version and name (django.core.cache.backends.base.default_key_func).
 *
 * ```ts
 * make_key('greeting', { CACHE_KEY_PREFIX: '', CACHE_VERSION: 1 }); // ':1:greeting'
 * ```
 */
export function make_key(name: string, { CACHE_KEY_PREFIX, CACHE_VERSION }: CacheSettings): string {
  return `${CACHE_KEY_PREFIX}:${CACHE_VERSION}:${name}`;
}

/**
 * Seconds that Redis keeps a session after its expire_date. As in every engine, our clock decides whether a session has
 * expired; Redis only frees the memory. PX is a duration, so that the clock of Redis need not agree with ours.
 */
const SWEEP = 60;

/** The maximum number of sessions that this process changes at a time. */
const CHANGING = 256;

// A value is expire_date in milliseconds since 1970, a space and session_data. Redis runs each script atomically.
const TEXT_OF = `
  local function text_of(key)
    local value = redis.call('GET', key)
    return value and string.sub(value, (string.find(value, ' ', 1, true) or 0) + 1)
  end`;

/** KEYS: the session. ARGV: the expected text, the new value, its PX in milliseconds. Returns 0 if the text differs. */
const REPLACE = `${TEXT_OF}
  if text_of(KEYS[1]) ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1`;

/** KEYS: the session. ARGV: the expected text. Returns 0 if the text differs. */
const REMOVE = `${TEXT_OF}
  if text_of(KEYS[1]) ~= ARGV[1] then return 0 end
  return redis.call('DEL', KEYS[1])`;

/** KEYS: the old session, the new one. ARGV: as REPLACE. Returns -1 if the new key is taken. */
const CYCLE = `${TEXT_OF}
  if text_of(KEYS[1]) ~= ARGV[1] then return 0 end
  if redis.call('EXISTS', KEYS[2]) == 1 then return -1 end
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
  redis.call('DEL', KEYS[1])
  return 1`;

/** KEYS: sessions. ARGV: the current time in milliseconds. Returns the number of keys removed. */
const CLEAR = `
  local removed = 0
  for _, key in ipairs(KEYS) do
    local value = redis.call('GET', key)
    if value and tonumber(string.match(value, '^-?%d+') or ARGV[1]) < tonumber(ARGV[1]) then
      removed = removed + redis.call('DEL', key)
    end
  end
  return removed`;

/**
 * Stores sessions in Redis. Each write is an atomic compare-and-set, so that no process overwrites another's change.
 *
 * ```ts
 * import { RedisConnection } from 'koa-django-session/stores/redis_connection';
 *
 * const redis = await RedisConnection.open('redis://127.0.0.1:6379/1');
 * app.use(sessions(app, { settings, store: new CacheStore(redis, settings) }));
 * ```
 */
export class CacheStore implements SessionStore {
  readonly serves = { SESSION_ENGINE: 'cache' } as const;
  readonly #redis: RedisConnection;
  readonly #reads: RedisReads;
  readonly #prefix: string;
  readonly #now: Clock;
  readonly #turns = new Queue(CHANGING);
  readonly #merges = new RowMerges<SessionChange>({
    inTurn: (session_key, deadline, work) => inTime(this.#turns.run(session_key, deadline, work), deadline),
    update: (session_key, change, deadline) =>
      this.#untilWritten(session_key, deadline, async (session_data) => {
        const changed = await change(session_data);
        return changed === undefined || this.#compareAndSet(session_data, { ...changed, session_key }, deadline);
      }),
    // `writeBy` sends nothing with too little time left.
    reserve: 0,
  });

  /** @throws ImproperlyConfigured without a connection or settings */
  constructor(redis: RedisConnection, settings: CacheSettings, { now }: { readonly now?: Clock } = {}) {
    checkRedis('new CacheStore()', redis);
    checkSettings('new CacheStore()', settings, 'CACHE_KEY_PREFIX', 'CACHE_VERSION');
    this.#redis = redis;
    this.#reads = new RedisReads(redis);
    this.#prefix = make_key('koa_django_session.cache', settings);
    this.#now = checkedClock(now);
  }

  deadline(): Deadline {
    return this.#redis.deadline();
  }

  async load(session_key: string, deadline = this.deadline()): Promise<string | null> {
    const value = parse(await this.#reads.get(this.#prefix + session_key, deadline));
    return value !== null && value.expires > this.#now() * 1000 ? value.session_data : null;
  }

  async stored(session_key: string, deadline = this.deadline()): Promise<SessionChange | null> {
    const value = parse(await this.#reads.get(this.#prefix + session_key, deadline));
    return value === null ? null : { session_data: value.session_data, expire_date: new Date(value.expires) };
  }

  async exists(session_key: string, deadline = this.deadline()): Promise<boolean> {
    return (await this.#redis.commandBy(deadline, 'EXISTS', this.#prefix + session_key)) === 1;
  }

  async create(record: SessionRecord, _companion?: Companion, deadline = this.deadline()): Promise<void> {
    const kept = this.#kept(record, 'PX');
    const done = await this.#redis.writeBy(deadline, 'SET', this.#prefix + record.session_key, ...kept, 'NX');
    if (done === null) throw new CreateError('The session key is taken.');
  }

  async replace(loaded: string, record: SessionRecord, deadline = this.deadline()): Promise<boolean> {
    const { session_key } = record;
    // Not past those that wait: they would find another text again and again.
    if (this.#merges.has(session_key)) return this.#merges.replace(session_key, loaded, record, deadline);
    return this.#compareAndSet(loaded, record, deadline);
  }

  async #compareAndSet(loaded: string, record: SessionRecord, deadline: Deadline): Promise<boolean> {
    return (await this.#run(deadline, REPLACE, [record.session_key], [loaded, ...this.#kept(record)])) === 1;
  }

  async modify(
    session_key: string,
    change: (session_data: string) => Promise<SessionChange>,
    deadline = this.deadline(),
  ): Promise<void> {
    await this.#changeInTurn(session_key, deadline, async (session_data) => {
      const own = this.#redis.changeDeadline();
      const changed = await inTime(change(session_data), own, tookLong(own));
      return this.#compareAndSet(session_data, { ...changed, session_key }, deadline);
    });
  }

  merge(
    session_key: string,
    change: (session_data: string) => SessionChange,
    deadline = this.deadline(),
  ): Promise<void> {
    return this.#merges.merge(session_key, change, deadline);
  }

  async cycle(
    session_key: string,
    change: (session_data: string) => Promise<SessionRecord>,
    _companion?: Companion,
    deadline = this.deadline(),
  ): Promise<void> {
    await this.#changeInTurn(session_key, deadline, async (session_data) => {
      const record = await change(session_data);
      if (this.#redis.isCluster) return this.#move(session_key, session_data, record, deadline);
      const keys = [session_key, record.session_key];
      const done = await this.#run(deadline, CYCLE, keys, [session_data, ...this.#kept(record)]);
      if (done === -1) throw new CreateError('The session key is taken.');
      return done === 1;
    });
  }

  /**
   * In a cluster, the two keys of a cycle may be on two servers, so no script can change both. Creates the new session,
   * then removes the old one. If that fails, removes the new session again, also after the deadline; no visitor has its key
   * yet.
   */
  async #move(session_key: string, session_data: string, record: SessionRecord, deadline: Deadline): Promise<boolean> {
    const before = deadline.left();
    await this.create(record, undefined, deadline);
    const took = before - deadline.left();
    const removeNew = (): Promise<unknown> => this.#redis.commandBy(deadline, 'DEL', this.#prefix + record.session_key);
    try {
      deadline.require(took / 1000);
      if ((await this.#run(deadline, REMOVE, [session_key], [session_data])) === 1) return true;
    } catch (error) {
      await removeNew().catch(() => {});
      throw error;
    }
    await removeNew();
    return false;
  }

  async delete(session_key: string, deadline = this.deadline()): Promise<void> {
    await this.#redis.writeBy(deadline, 'DEL', this.#prefix + session_key);
  }

  /** Removes sessions that expired less than SWEEP ago; Redis removes the older ones itself. */
  async clear_expired(): Promise<number> {
    const now = String(Math.floor(this.#now() * 1000));
    const pattern = `${this.#prefix.replaceAll(/[\\*?[\]]/g, '\\$&')}*`;
    let removed = 0;
    for await (const keys of this.#redis.scan(pattern)) {
      const steps = this.#redis.isCluster || keys.length === 0 ? keys.map((key) => [key]) : [keys];
      const counts = await Promise.all(
        steps.map((step) => this.#redis.command('EVAL', CLEAR, String(step.length), ...step, now)),
      );
      removed += counts.reduce((sum: number, count) => sum + Number(count), 0);
    }
    return removed;
  }

  /** @throws StoreUnavailable if Redis takes no writes */
  async check(): Promise<undefined> {
    await this.#redis.check(this.#prefix);
  }

  async close(): Promise<void> {
    await this.#redis.close();
  }

  /** The value, the option PX if given, and the milliseconds that Redis keeps it, in the order of SET's arguments. */
  #kept({ session_data, expire_date }: SessionChange, ...word: readonly string[]): string[] {
    const expires = expire_date.getTime();
    const lifetime = Math.max(Math.ceil(expires - this.#now() * 1000), 0) + SWEEP * 1000;
    return [`${expires} ${session_data}`, ...word, String(lifetime)];
  }

  #run(deadline: Deadline, script: string, sessionKeys: readonly string[], args: readonly string[]): Promise<unknown> {
    const keys = sessionKeys.map((key) => this.#prefix + key);
    return this.#redis.writeBy(deadline, 'EVAL', script, String(keys.length), ...keys, ...args);
  }

  /** Changes of one session in this process are queued. */
  #changeInTurn(
    session_key: string,
    deadline: Deadline,
    write: (session_data: string) => Promise<boolean>,
  ): Promise<void> {
    return this.#turns.run(session_key, deadline, async () => {
      await inTime(this.#merges.writeWaiting(session_key), deadline);
      await this.#untilWritten(session_key, deadline, write);
    });
  }

  /** Calls `write` with the current text until it returns true. */
  async #untilWritten(
    session_key: string,
    deadline: Deadline,
    write: (session_data: string) => Promise<boolean>,
  ): Promise<void> {
    const attempt = async (): Promise<boolean> => {
      const value = parse(await leavingAsMuch(this.#reads.get(this.#prefix + session_key, deadline), deadline));
      if (value === null) throw new UpdateError('The session was deleted meanwhile.');
      return write(value.session_data);
    };
    if (await attempt()) return;
    // Others changed the session meanwhile. From now on the application's own time counts too, or this might never end.
    deadline.begin();
    try {
      while (!(await attempt()));
    } finally {
      deadline.end();
    }
  }
}

function parse(value: unknown): { readonly expires: number; readonly session_data: string } | null {
  if (typeof value !== 'string') return null;
  const space = value.indexOf(' ');
  return { expires: Number(value.slice(0, space)), session_data: value.slice(space + 1) };
}
