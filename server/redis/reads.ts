/**
 * Combines the reads of one tick into one MGET, to share its cost in this process and in Redis.
 *
 * A batch does not wait for the one before: the connection is a pipeline. Each batch has the timeout of a command, and each
 * read its request's deadline. In a cluster, each read is a separate GET: one MGET must not have keys of several slots, and
 * one master may be silent.
 */
import { type BatchAnswers, type BatchCall, Batcher } from '../db/batcher.js';
import type { Deadline } from '../db/deadline.js';
import { isRedisRefusal, type RedisConnection } from './connection.js';

export class RedisReads {
  readonly #redis: RedisConnection;
  readonly #batcher = new Batcher<Deadline, unknown>((calls) => this.#getMany(calls), {
    lanes: Number.POSITIVE_INFINITY,
    shared: true,
  });

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /**
   * The result of GET.
   * @throws StoreUnavailable as RedisConnection.command, and at the deadline
   */
  get(key: string, deadline: Deadline): Promise<unknown> {
    if (this.#redis.isCluster) return this.#redis.commandBy(deadline, 'GET', key);
    return this.#batcher.call({ key, input: deadline }, deadline);
  }

  async #getMany(calls: readonly BatchCall<Deadline>[]): Promise<BatchAnswers<unknown>> {
    const [only] = calls;
    if (only !== undefined && calls.length === 1) return [await this.#redis.command('GET', only.key)];
    try {
      return (await this.#redis.command('MGET', ...calls.map(({ key }) => key))) as unknown[];
    } catch (error) {
      if (!isRedisRefusal(error)) throw error;
      // The Redis user may lack MGET or one of the keys (ACL). GET each key alone, so that the others succeed.
      return calls.map(({ key, input: deadline }) => this.#redis.commandBy(deadline, 'GET', key));
    }
  }
}
