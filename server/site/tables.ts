/** The goods' table: the site's only SQL. */
import type { Knex } from 'knex';
import type { Deadline } from '../db/deadline.js';
import { PoolShare } from '../db/pool_share.js';

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

/** Whether it can be the id of a row, which PostgreSQL's integer holds; other numbers would be errors of a statement. */
export const isGoodId = (id: unknown): id is number =>
  Number.isSafeInteger(id) && Number(id) > 0 && Number(id) <= 0x7fff_ffff;

/** @throws StoreUnavailable from every method if the database does not respond */
export class SiteTables {
  readonly #knex: Knex;
  readonly #share: PoolShare;

  /** @param timeout DATABASE_TIMEOUT, seconds */
  constructor(knex: Knex, timeout?: number) {
    this.#knex = knex;
    this.#share = PoolShare.ofPages(knex, timeout);
  }

  async goods(deadline: Deadline): Promise<readonly GoodRow[]> {
    return this.#share.run(() => this.#knex<GoodRow>('koa_goods').select('*').orderBy('id'), deadline);
  }

  /** The existing goods of `ids`, in that order. */
  async goodsById(ids: readonly number[], deadline: Deadline): Promise<readonly GoodRow[]> {
    if (ids.length === 0) return [];
    const rows = await this.#share.run(
      () =>
        this.#knex<GoodRow>('koa_goods')
          .select('*')
          .whereIn('id', [...ids]),
      deadline,
    );
    return ids.flatMap((id) => rows.filter((row) => row.id === id));
  }
}
