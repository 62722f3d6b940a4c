/** The tables that pages read by themselves: the goods. The site's only SQL. */
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

/** @throws StoreUnavailable from every method when the database does not answer */
export class SiteTables {
  readonly #knex: Knex;
  readonly #queue: Queue;
  readonly #bounds: DatabaseBounds;

  /** @param timeout DATABASE_TIMEOUT, seconds */
  constructor(knex: Knex, timeout?: number) {
    this.#knex = knex;
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

  async #ask<Row>(query: PromiseLike<Row[]>): Promise<Row[]> {
    try {
      return await this.#queue.run(null, new Deadline(this.#bounds.request), async () => query);
    } catch (error) {
      throw isUnavailable(error) ? unavailable(error) : error;
    }
  }
}
