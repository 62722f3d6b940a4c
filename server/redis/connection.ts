/**
 * Connects to Redis, with a timeout for each command and a deadline for all commands of a request. Imports the npm package
 * `redis` when it is first needed.
 *
 * A client is in one of these states:
 *
 * - current: new commands use it. If there is none, the next command makes one, and later commands share it.
 * - left: it had a fault: a lost connection, a timeout, or an answer that another server is the master. No new command
 *   uses it. The commands under way keep it until they have an answer or time out.
 * - over: it was left and no command is under way. It is destroyed.
 *
 * The next client resolves the address again: the host may be another server by now, the sentinels may know another master,
 * the cluster another owner of the slot. In a cluster, a client with a fault stays current until the next one is connected,
 * because its other masters still answer.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Deadline, inTime } from '../db/deadline.js';
import { checkTimeout, type DatabaseBounds, databaseBounds } from '../db/wait_bounds.js';
import { StoreUnavailable } from '../errors.js';
import { optionalPackage } from '../optional_package.js';
import { type CacheUrl, readCacheUrl } from '../settings/cache_url.js';
import { makeClient, type RedisClient, type RedisPackage } from './clients.js';
import { redisCode, sentenceOf } from './faults.js';

/** Options of RedisConnection. */
export interface RedisOptions {
  /**
   * DATABASE_TIMEOUT, in seconds: for connecting, and for each command. The other timeouts are multiples of it
   * (server/db/wait_bounds.ts). 1 when absent.
   */
  readonly timeout?: number;
}

/** A client with its state. */
interface Line {
  readonly client: RedisClient;
  readonly connected: Promise<unknown>;
  commands: number;
  left: boolean;
  /** Called when the client is over. */
  ended: () => void;
}

const REDIS = { what: 'Engines that use Redis', packages: ['redis'] };

/** The minimum number of milliseconds between two new clients: during a failover, ten attempts a second. */
const PAUSE = 100;

/**
 * Error codes of a Redis that is not the master, or not ready yet. MOVED and ASK arrive here only if CACHE_URL does not say
 * that this is a cluster.
 */
const ELSEWHERE: readonly unknown[] = ['READONLY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'MOVED', 'ASK'];

/** SCAN's COUNT: about the number of keys that one step examines. */
const STEP = 500;

/** The number of keys that `check` tries in a cluster, so that at least one is on a master that answers. */
const PROBES = 16;

/**
 * A connection to one Redis, to sentinels or to a cluster. Sends the commands of one tick together. Does not retry one,
 * because Redis may have executed it, except after MOVED and ASK.
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
  readonly #bounds: DatabaseBounds;
  #line: Line | undefined;
  /** In a cluster, the client that will replace the current one, while it connects. */
  #next: Line | undefined;
  #made = 0;
  #isClosed = false;
  /** When the latest client started to connect, by performance.now(). */
  #began = -Infinity;

  private constructor(redis: RedisPackage, url: CacheUrl, timeout: number) {
    this.#redis = redis;
    this.#url = url;
    this.#bounds = databaseBounds(timeout);
  }

  /**
   * Connects at the first command, so that this does not fail while Redis is away.
   * @param url CACHE_URL: of one Redis, of sentinels or of a cluster
   * @throws ImproperlyConfigured when the URL cannot work, or the package `redis` is not installed
   */
  static async open(url: string, { timeout = 1 }: RedisOptions = {}): Promise<RedisConnection> {
    checkTimeout(timeout);
    const read = readCacheUrl(url);
    return new RedisConnection(await optionalPackage(REDIS, () => import('redis')), read, timeout);
  }

  /** Whether this is a cluster: then no command or script may use two keys, which may be on different servers. */
  get isCluster(): boolean {
    return this.#url.kind === 'cluster';
  }

  /**
   * Sends a command. Resolves with the answer of Redis. In a cluster, the command goes to the node of its key, which is the
   * first argument, or for EVAL the first key.
   * @throws StoreUnavailable with the client's error as `cause`; Redis may have executed the command
   */
  command(...args: readonly string[]): Promise<unknown> {
    return this.#holding((line) => this.#ask(line, (client) => client.send(keyOf(args), args)));
  }

  /** A new deadline for the function given to `atomic`. */
  changeDeadline(): Deadline {
    return new Deadline(this.#bounds.change);
  }

  /** A new deadline for one request: the time limit of all its commands together. */
  deadline(): Deadline {
    return new Deadline(this.#bounds.request);
  }

  /**
   * As `command`, and waits no longer than the deadline. Sends the command even if it has come.
   * @throws StoreUnavailable as `command`
   */
  commandBy(deadline: Deadline, ...args: readonly string[]): Promise<unknown> {
    return this.#holding((line) => this.#ask(line, (client) => client.send(keyOf(args), args), deadline));
  }

  /**
   * As `commandBy`, for a write: sends nothing if too little time is left to report its result.
   * @throws StoreUnavailable as `command`
   */
  writeBy(deadline: Deadline, ...args: readonly string[]): Promise<unknown> {
    return this.#holding((line) => {
      deadline.require(this.#bounds.commit);
      return this.#ask(line, (client) => client.send(keyOf(args), args), deadline);
    });
  }

  /**
   * All keys that match a pattern, in several arrays. A key may occur twice (see SCAN).
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
   * Resolves if Redis takes writes; deletes a key that does not exist. In a cluster, one master that does is enough.
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

  /** Waits for the commands under way, each until its timeout, then disconnects. Later commands are refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
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
    if (this.#isClosed) throw new StoreUnavailable('The connection to Redis was closed.');
    this.#line ??= this.#begin();
    this.#line.commands += 1;
    return this.#line;
  }

  #release(line: Line): void {
    line.commands -= 1;
    if (line.left && line.commands === 0) this.#end(line);
  }

  async #ask<T>(line: Line, question: (client: RedisClient) => Promise<T>, deadline?: Deadline): Promise<T> {
    const answer = line.connected.then(() => question(line.client));
    const { redis } = this.#bounds;
    // One timer for both: the deadline of the request, where it comes before the command's own timeout.
    const short = deadline !== undefined && deadline.left() < redis * 1000 ? deadline : undefined;
    deadline?.begin();
    try {
      return await inTime(answer, short ?? new Deadline(redis), silent);
    } catch (cause) {
      const code = redisCode(cause);
      // That the time of the request is over is no fault of the connection.
      const isFault = code === null ? short === undefined || short.left() > 0 : ELSEWHERE.includes(code);
      if (isFault) this.#doubt(line);
      throw new StoreUnavailable(sentenceOf(cause), { cause });
    } finally {
      deadline?.end();
    }
  }

  #begin(): Line {
    const wait = this.#began + PAUSE - performance.now();
    this.#began = performance.now() + Math.max(wait, 0);
    const client = makeClient(this.#redis, {
      url: this.#url,
      timeout: this.#bounds.redis,
      attempt: this.#made,
      lost: () => this.#doubt(line),
    });
    this.#made += 1;
    const connect = (): Promise<unknown> => {
      if (line.left && line.commands === 0) throw new Error('No command needs this connection any more.');
      // A timeout here too: a node may accept the connection and not answer.
      return inTime(client.connect(), new Deadline(this.#bounds.redis), silent);
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

  /** Leaves the client. Resolves when it is over. */
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

/** The key of a command: its first argument, for EVAL the first key. */
const keyOf = (args: readonly string[]): string | undefined => (args[0] === 'EVAL' ? args[3] : args[1]);

const silent = (): Error => new Error('No answer in time.');

/**
 * Whether the error is Redis's refusal of this command, such as for a missing permission. The command was not executed.
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
