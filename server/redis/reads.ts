/**
 * Reads of one tick as one MGET, so that its cost in this process and in Redis is shared.
 *
 * Nothing waits for a batch that is on its way: the connection is a pipeline, and each batch has the connection's own
 * bound. In a cluster keys of one tick lie in several slots, which no MGET may have together, and on several masters, one
 * of which may be silent: there each read is a GET of its own, in the pipeline of its master.
 */
import { type BatchAnswers, type BatchCall, Batcher } from '../db/batcher.js';
import { Deadline } from '../db/deadline.js';
import { isRedisRefusal, type RedisConnection } from './connection.js';

/** The connection bounds each batch. */
const NO_DEADLINE = Number.POSITIVE_INFINITY;

export class RedisReads {
  readonly #redis: RedisConnection;
  readonly #batcher = new Batcher<undefined, unknown>((calls) => this.#getMany(calls), {
    lanes: Number.POSITIVE_INFINITY,
    shared: true,
  });

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /**
   * What GET answers.
   * @throws StoreUnavailable as RedisConnection.command
   */
  get(key: string): Promise<unknown> {
    if (this.#redis.isCluster) return this.#redis.command('GET', key);
    return this.#batcher.call({ key, input: undefined }, new Deadline(NO_DEADLINE));
  }

  async #getMany(calls: readonly BatchCall<undefined>[]): Promise<BatchAnswers<unknown>> {
    const [only] = calls;
    if (only !== undefined && calls.length === 1) return [await this.#redis.command('GET', only.key)];
    try {
      return (await this.#redis.command('MGET', ...calls.map(({ key }) => key))) as unknown[];
    } catch (error) {
      if (!isRedisRefusal(error)) throw error;
      // An account without MGET, or without one of the keys: what Redis refuses to one is not refused to the others.
      return calls.map(({ key }) => this.#redis.command('GET', key));
    }
  }
}
