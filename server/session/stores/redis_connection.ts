/** One connection to Redis, with a bound on every wait. The npm package `redis` is loaded when it is first needed. */
import { setTimeout as pause } from 'node:timers/promises';
import { Deadline, inTime } from '../../db/deadline.js';
import { StoreUnavailable } from '../../errors.js';
import { optionalPackage } from '../../optional_package.js';

export interface RedisOptions {
  /** Seconds until a connection or an answer is given up. */
  readonly timeout?: number;
}

/** Of a client of the package `redis`, what is used here. */
interface Client {
  connect(): Promise<unknown>;
  sendCommand(args: readonly string[]): Promise<unknown>;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  close(): Promise<unknown>;
  destroy(): void;
}

type MakeClient = () => Client;

const REDIS = { what: 'Engines that use Redis', packages: ['redis'] };

/**
 * Commands of one tick go out together. A connection that broke, or on which an answer did not come in time, is given
 * up with all that waits on it, and the next command makes a new one: nothing is sent twice, as it may have been done.
 */
export class RedisConnection {
  readonly #make: MakeClient;
  readonly #timeout: number;
  #client: Promise<Client> | undefined;

  private constructor(make: MakeClient, timeout: number) {
    this.#make = make;
    this.#timeout = timeout;
  }

  /**
   * Connects at the first command, so that a Redis that is away keeps nobody from starting.
   * @throws ImproperlyConfigured when the package `redis` is not installed
   */
  static async open(url: string, { timeout = 1 }: RedisOptions = {}): Promise<RedisConnection> {
    const { createClient } = await optionalPackage(REDIS, () => import('redis'));
    const make = (): Client =>
      createClient({
        url,
        disableOfflineQueue: true,
        socket: { connectTimeout: timeout * 1000, reconnectStrategy: false },
      });
    return new RedisConnection(make, timeout);
  }

  /** Redis's answer. @throws StoreUnavailable with the client's error as `cause`; the command may have been done */
  async command(...args: readonly string[]): Promise<unknown> {
    let client: Promise<Client> | undefined;
    try {
      client = this.#connected();
      const answer = client.then((connected) => connected.sendCommand(args));
      return await inTime(answer, new Deadline(this.#timeout), () => new LateError('No answer in time.'));
    } catch (cause) {
      if (cause instanceof LateError && client !== undefined) this.#giveUp(client);
      throw new StoreUnavailable('Redis does not answer, or not in time. Try again in a moment.', { cause });
    }
  }

  /** Wait for what was sent, as long as for any answer, then hang up. */
  async close(): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    this.#client = undefined;
    const closed = client.then((connected) => connected.close()).catch(() => {});
    const tooLate = new AbortController();
    await Promise.race([closed, pause(this.#timeout * 1000, undefined, tooLate).catch(() => {})]);
    tooLate.abort();
    this.#giveUp(client);
  }

  #connected(): Promise<Client> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  #connect(): Promise<Client> {
    const client = this.#make();
    const connected = client.connect().then(() => client);
    const drop = (): void => {
      if (this.#client === connected) this.#client = undefined;
    };
    // Without a listener an error of the socket would end the process.
    client.on('error', drop);
    connected.catch(drop);
    return connected;
  }

  #giveUp(client: Promise<Client>): void {
    if (this.#client === client) this.#client = undefined;
    client.then((connected) => connected.destroy()).catch(() => {});
  }
}

class LateError extends Error {}
