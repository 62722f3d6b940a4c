/**
 * The way to Redis, with a bound on every wait. The npm package `redis` is loaded when it is first needed.
 *
 * A client is *current*, *left* or *over*. Commands take the current one; where there is none, the first makes it and
 * the others of that time wait for it. A client is left when it is in doubt: a connection was lost, an answer did not
 * come in time, or Redis said that another server is in charge. Commands on their way keep it until they have their
 * answers, each at its own bound, then it is over. Its successor finds the way anew: the address may lead to another
 * server by now, the sentinels know another master, the cluster another owner of the slot.
 *
 * In a cluster a client in doubt stays current until its successor is connected, because other masters answer by it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Deadline, inTime } from '../db/deadline.js';
import { StoreUnavailable } from '../errors.js';
import { optionalPackage } from '../optional_package.js';
import { type CacheUrl, readCacheUrl } from '../settings/cache_url.js';
import { makeClient, type RedisClient, type RedisPackage } from './clients.js';
import { redisCode, sentenceOf } from './faults.js';

/** How long Redis is waited for. */
export interface RedisOptions {
  /** Seconds until a connection or an answer is given up. */
  readonly timeout?: number;
}

/** A client with its commands on their way. */
interface Line {
  readonly client: RedisClient;
  readonly connected: Promise<unknown>;
  commands: number;
  left: boolean;
  /** Called when it is over. */
  ended: () => void;
}

const REDIS = { what: 'Engines that use Redis', packages: ['redis'] };

/** Milliseconds from one client's beginning to the next one's: who waits for a failover asks ten times a second. */
const PAUSE = 100;

/**
 * Codes by which Redis says that another server is in charge, or that this one is not yet. MOVED and ASK come here only
 * where the client does not know that there is a cluster.
 */
const ELSEWHERE: readonly unknown[] = ['READONLY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'MOVED', 'ASK'];

/** Keys that one step of `scan` looks at. */
const STEP = 500;

/** Keys that `check` asks for in a cluster, so that one of them is of a master that answers. */
const PROBES = 16;

/**
 * Commands of one tick go out together; nothing is sent twice, as it may have been done, but on MOVED and ASK.
 *
 * ```ts
 * const redis = await RedisConnection.open('rediss://user:password@redis.example.com:6380/0');
 * const store = new CacheStore(redis, settings);
 * // at shutdown
 * await redis.close();
 * ```
 */
export class RedisConnection {
  readonly #redis: RedisPackage;
  readonly #url: CacheUrl;
  readonly #timeout: number;
  #line: Line | undefined;
  /** In a cluster, the successor of a client in doubt. */
  #next: Line | undefined;
  #made = 0;
  /** When the latest client began to connect, by performance.now(). */
  #began = -Infinity;

  private constructor(redis: RedisPackage, url: CacheUrl, timeout: number) {
    this.#redis = redis;
    this.#url = url;
    this.#timeout = timeout;
  }

  /**
   * Connects at the first command, so that a Redis that is away keeps nobody from starting.
   * @param url CACHE_URL, of one Redis, of sentinels or of a cluster
   * @throws ImproperlyConfigured when the URL cannot work, and when the package `redis` is not installed
   */
  static async open(url: string, { timeout = 1 }: RedisOptions = {}): Promise<RedisConnection> {
    const read = readCacheUrl(url);
    return new RedisConnection(await optionalPackage(REDIS, () => import('redis')), read, timeout);
  }

  /** Whether keys lie on several servers, so that no command or script may have two of them. */
  get isCluster(): boolean {
    return this.#url.kind === 'cluster';
  }

  /**
   * Redis's answer. In a cluster the command goes where its key is: the first argument, of EVAL the first key.
   * @throws StoreUnavailable with the client's error as `cause`; the command may have been done
   */
  async command(...args: readonly string[]): Promise<unknown> {
    const key = args[0] === 'EVAL' ? args[3] : args[1];
    return this.#holding((line) => this.#ask(line, (client) => client.send(key, args)));
  }

  /**
   * All keys of a pattern, in steps; a key may come twice.
   * @throws StoreUnavailable as `command`
   */
  async *scan(pattern: string): AsyncGenerator<readonly string[]> {
    const line = this.#hold();
    try {
      for (const send of await this.#ask(line, (client) => client.nodes())) {
        let cursor = '0';
        do {
          const scan = ['SCAN', cursor, 'MATCH', pattern, 'COUNT', String(STEP)];
          const [next, keys] = (await this.#ask(line, () => send(scan))) as [string, string[]];
          cursor = String(next);
          yield keys;
        } while (cursor !== '0');
      }
    } finally {
      this.#release(line);
    }
  }

  /**
   * Resolves when Redis takes writes: what is deleted was never there. In a cluster, when one of its masters does.
   * @throws StoreUnavailable as `command`
   */
  async check(prefix: string): Promise<void> {
    const keys = Array.from({ length: this.isCluster ? PROBES : 1 }, (_, place) => `${prefix}check-${place}`);
    try {
      await Promise.any(keys.map((key) => this.command('DEL', key)));
    } catch (error) {
      throw (error as AggregateError).errors[0];
    }
  }

  /** Wait for what was sent, as long as for any answer, then hang up. */
  async close(): Promise<void> {
    const lines = [this.#line, this.#next].filter((line) => line !== undefined);
    this.#line = undefined;
    this.#next = undefined;
    await Promise.all(lines.map((line) => this.#leave(line)));
  }

  async #holding<T>(work: (line: Line) => Promise<T>): Promise<T> {
    const line = this.#hold();
    try {
      return await work(line);
    } finally {
      this.#release(line);
    }
  }

  #hold(): Line {
    this.#line ??= this.#begin();
    this.#line.commands += 1;
    return this.#line;
  }

  #release(line: Line): void {
    line.commands -= 1;
    if (line.left && line.commands === 0) this.#end(line);
  }

  async #ask<T>(line: Line, question: (client: RedisClient) => Promise<T>): Promise<T> {
    const answer = line.connected.then(() => question(line.client));
    try {
      return await inTime(answer, new Deadline(this.#timeout), silent);
    } catch (cause) {
      const code = redisCode(cause);
      if (code === null || ELSEWHERE.includes(code)) this.#doubt(line);
      throw new StoreUnavailable(sentenceOf(cause), { cause });
    }
  }

  #begin(): Line {
    const wait = this.#began + PAUSE - performance.now();
    this.#began = performance.now() + Math.max(wait, 0);
    const client = makeClient(this.#redis, {
      url: this.#url,
      timeout: this.#timeout,
      attempt: this.#made,
      lost: () => this.#doubt(line),
    });
    this.#made += 1;
    const connect = (): Promise<unknown> => {
      if (line.left && line.commands === 0) throw new Error('Nobody waits for this connection any more.');
      // A node that accepts connections and says nothing would keep its cluster from being asked anew.
      return inTime(client.connect(), new Deadline(this.#timeout), silent);
    };
    const line: Line = {
      client,
      connected: wait > 0 ? pause(wait).then(connect) : Promise.resolve().then(connect),
      commands: 0,
      left: false,
      ended: () => {},
    };
    line.connected.catch(() => {
      if (this.#line === line) this.#line = undefined;
      void this.#leave(line);
    });
    return line;
  }

  #doubt(line: Line): void {
    if (this.#line !== line) return;
    if (this.isCluster) this.#succeed(line);
    else {
      this.#line = undefined;
      void this.#leave(line);
    }
  }

  #succeed(line: Line): void {
    if (this.#next !== undefined) return;
    const next = this.#begin();
    this.#next = next;
    next.connected
      .then(() => {
        if (this.#next !== next) return;
        this.#line = next;
        void this.#leave(line);
      })
      .catch(() => {})
      .finally(() => {
        if (this.#next === next) this.#next = undefined;
      });
  }

  /** Resolves when no command of it is on its way. */
  #leave(line: Line): Promise<void> {
    return new Promise((resolve) => {
      const { ended } = line;
      line.ended = () => {
        ended();
        resolve();
      };
      line.left = true;
      if (line.commands === 0) this.#end(line);
    });
  }

  #end(line: Line): void {
    line.client.destroy();
    line.ended();
  }
}

const silent = (): Error => new Error('No answer in time.');

/**
 * Did Redis answer that it does not do this command, while it is in charge? The command was not done then.
 *
 * ```ts
 * await store.exists(session_key).catch((error: unknown) => {
 *   if (!isRedisRefusal(error)) throw error;
 * });
 * ```
 */
export function isRedisRefusal(error: unknown): boolean {
  const code = error instanceof StoreUnavailable ? redisCode(error.cause) : null;
  return code !== null && !ELSEWHERE.includes(code);
}
