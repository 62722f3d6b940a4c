/**
 * Combines the reads of one tick into one MGET, to share its cost in this process and in Redis.
 *
 * A batch does not wait for the one before: the connection is a pipeline, and each batch has the connection's timeout. In a
 * cluster, each read is a separate GET: one MGET must not have keys of several slots, and one master may be silent.
 */
import { type BatchAnswers, type BatchCall, Batcher } from '../db/batcher.js';
import { Deadline } from '../db/deadline.js';
import { isRedisRefusal, type RedisConnection } from './connection.js';

/** The batcher needs no deadline: the connection has a timeout for each command. */
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
   * The result of GET.
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
      // The Redis user may lack MGET or one of the keys (ACL). GET each key alone, so that the others succeed.
      return calls.map(({ key }) => this.#redis.command('GET', key));
    }
  }
}
