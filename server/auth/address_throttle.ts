/** A rate limit per client address, stored in the database, for expensive requests. */
import type { Knex } from 'knex';
import type { Clock } from '../clock.js';
import type { Deadline } from '../db/deadline.js';
import { checkKnex } from '../db/given.js';
import { ImproperlyConfigured, ValueError } from '../errors.js';
import { checkSettings } from '../settings/given.js';
import type { Settings } from '../settings.js';
import { salted_hmac } from '../signing/crypto.js';
import { addressBlock } from './address_block.js';
import { AttemptsTable } from './attempts_table.js';
import type { ThrottleAnswer } from './throttle.js';
import { healed } from './throttle_limits.js';

/** A leaky bucket: each request adds one, time removes them; while it is full, requests must wait. */
export interface AddressLimit {
  /** Requests allowed without waiting. */
  readonly free: number;
  /** Seconds until one request is removed from the bucket: the long-term rate is one request in that time. */
  readonly healsIn: number;
}

export interface AddressThrottleOptions {
  /** SECRET_KEY keys the hashes under which addresses are kept. */
  readonly settings: Pick<Settings, 'SECRET_KEY'>;
  /** The name of the limit: small letters, digits and _. Each name is counted separately. */
  readonly name: string;
  readonly limit: AddressLimit;
  /** For tests; without it the database's own clock, which all servers share. */
  readonly now?: Clock;
  /** Seconds, DATABASE_TIMEOUT: every bound on a wait is derived from it (server/db/wait_bounds.ts). 1 when absent. */
  readonly timeout?: number;
}

/**
 * Counts requests by client address (IPv6: by /64) in the table koa_login_attempts, which all servers share and which
 * survives restarts. Refused requests are not counted.
 *
 * ```ts
 * const pictures = new AddressThrottle(knex, { settings, name: 'captcha', limit: { free: 50, healsIn: 12 } });
 * const answer = await pictures.check(ctx.ip, requestDeadline(ctx));
 * if (!answer.allowed) ctx.throw(429, { headers: { 'Retry-After': String(answer.retry_after) } });
 * ```
 *
 * It uses `ctx.ip`: behind a proxy call `installProxies`, or all visitors share one address.
 */
export class AddressThrottle {
  readonly #table: AttemptsTable;
  readonly #key: string;
  readonly #name: string;
  readonly #limit: AddressLimit;

  /** @throws ImproperlyConfigured for an invalid name or limit, without a knex or a SECRET_KEY */
  constructor(knex: Knex, options: AddressThrottleOptions) {
    checkKnex('new AddressThrottle()', knex);
    checkSettings('new AddressThrottle()', options?.settings, 'SECRET_KEY');
    const { settings, name, limit, now, timeout } = options;
    const { free, healsIn } = limit ?? {};
    if (typeof name !== 'string' || !/^[a-z0-9_]{1,40}$/.test(name)) {
      throw new ImproperlyConfigured(
        `The name ${JSON.stringify(name)} of an AddressThrottle is not allowed. Use 1 to 40 small letters, digits and _.`,
      );
    }
    if (!Number.isSafeInteger(free) || free < 1 || !Number.isFinite(healsIn) || healsIn <= 0) {
      throw new ImproperlyConfigured(
        `The limit of the AddressThrottle "${name}" is not allowed. Use 1 or more free requests and a time above 0.`,
      );
    }
    this.#table = new AttemptsTable(knex, { now, timeout });
    this.#key = settings.SECRET_KEY;
    this.#name = name;
    this.#limit = { free, healsIn };
  }

  /**
   * Whether this request is allowed. Counts it in the same statement, so that concurrent requests are all counted.
   * @param deadline from `requestDeadline(ctx)`; one of its own when absent
   * @throws StoreUnavailable when the database does not answer
   */
  async check(address: string, deadline = this.#table.deadline()): Promise<ThrottleAnswer> {
    const { free, healsIn } = this.#limit;
    const now = `greatest(t.counted_at, excluded.counted_at)`;
    const left = healed('t', now, healsIn);
    const counted = await this.#table.rows(
      `WITH clock AS (${this.#table.clock()})
       INSERT INTO koa_login_attempts AS t (bucket, attempts, counted_at, retry_at, forget_at)
       SELECT ?, 1, at, at, at + interval '${healsIn} seconds' FROM clock
       ON CONFLICT (bucket) DO UPDATE
          SET attempts = ${left} + 1, counted_at = ${now}, retry_at = ${now},
              forget_at = ${now} + interval '1 second' * (${healsIn} * (${left} + 1))
        WHERE ${left} + 1 <= ${free}
       RETURNING 1`,
      [this.#bucket(address)],
      deadline,
    );
    this.#table.pruneNowAndThen();
    if (counted.length > 0) return { allowed: true };
    return { allowed: false, retry_after: Math.max(1, await this.wait(address, deadline)) };
  }

  /**
   * Whole seconds until a request of this address is allowed; 0 for now. Does not count.
   * @param deadline from `requestDeadline(ctx)`; one of its own when absent
   * @throws StoreUnavailable when the database does not answer
   */
  async wait(address: string, deadline?: Deadline): Promise<number> {
    const { free, healsIn } = this.#limit;
    const [row] = await this.#table.rows<{ wait: number }>(
      `WITH clock AS (${this.#table.clock()})
       SELECT (${healed('koa_login_attempts', 'at', healsIn)} + 1 - ${free}) * ${healsIn} AS wait
         FROM koa_login_attempts, clock WHERE bucket = ?`,
      [this.#bucket(address)],
      deadline,
    );
    return Math.max(0, Math.ceil(row?.wait ?? 0));
  }

  /** The table stores no addresses, only keyed hashes. */
  #bucket(address: string): string {
    if (typeof address !== 'string') throw new ValueError('The address of a request is a text: ctx.ip.');
    const hash = salted_hmac('koa_django_session.address_throttle', addressBlock(address), this.#key);
    return `${this.#name}:${hash.digest('hex')}`;
  }
}
