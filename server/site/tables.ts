/** The tables that pages read by themselves: the goods, and for the lab the row of a session. The site's only SQL. */
import type { Knex } from 'knex';
import { type DatabaseBounds, databaseBounds, shareOf } from '../db/bounds.js';
import { Deadline } from '../db/deadline.js';
import { Queue } from '../db/queue.js';
import { isUnavailable, unavailable } from '../db/unavailable.js';

export type Database = Knex;

export interface GoodRow {
  readonly id: number;
  readonly name_en: string;
  readonly name_zh: string;
  readonly description_en: string;
  readonly description_zh: string;
  readonly price_cents: number;
  /** An `<svg>` element. */
  readonly svg: string;
}

export interface StoredSession {
  readonly session_key: string;
  readonly session_data: string;
  readonly expire_date: Date;
}

/** @throws StoreUnavailable from every method when the database does not answer */
export class SiteTables {
  readonly #knex: Knex;
  readonly #queue: Queue;
  readonly #bounds: DatabaseBounds;

  readonly #sessions: string;

  /**
   * @param sessions the name of their table
   * @param timeout DATABASE_TIMEOUT, seconds
   */
  constructor(knex: Knex, sessions: string, timeout?: number) {
    this.#knex = knex;
    this.#sessions = sessions;
    this.#bounds = databaseBounds(timeout);
    this.#queue = new Queue(shareOf(knex), this.#bounds.statement);
  }

  async goods(): Promise<readonly GoodRow[]> {
    return this.#ask(this.#knex<GoodRow>('koa_goods').select('*').orderBy('id'));
  }

  /** Those that exist of `ids`, in that order. */
  async goodsById(ids: readonly number[]): Promise<readonly GoodRow[]> {
    if (ids.length === 0) return [];
    const rows = await this.#ask(
      this.#knex<GoodRow>('koa_goods')
        .select('*')
        .whereIn('id', [...ids]),
    );
    return ids.flatMap((id) => rows.filter((row) => row.id === id));
  }

  /** The row of a session as it is stored, expired or not. */
  async session(session_key: string): Promise<StoredSession | null> {
    const rows = await this.#ask(
      this.#knex<StoredSession>(this.#sessions)
        .select('session_key', 'session_data', 'expire_date')
        .where({ session_key }),
    );
    return rows[0] ?? null;
  }

  async #ask<Row>(query: PromiseLike<Row[]>): Promise<Row[]> {
    try {
      return await this.#queue.run(null, new Deadline(this.#bounds.request), async () => query);
    } catch (error) {
      throw isUnavailable(error) ? unavailable(error) : error;
    }
  }
}
