/** Login throttling: attempts are counted in the database, before the password is checked, and expire with time. */
import type { Knex } from 'knex';
import type { Clock } from '../clock.js';
import type { Deadline } from '../db/deadline.js';
import { checkKnex } from '../db/given.js';
import { ValueError } from '../errors.js';
import { checkSettings } from '../settings/given.js';
import type { Settings } from '../settings.js';
import { salted_hmac } from '../signing/crypto.js';
import { addressBlock } from './address_block.js';
import { AttemptsTable } from './attempts_table.js';
import {
  checkLimits,
  healed,
  mostOf,
  THROTTLE_LIMITS,
  type ThrottleLimit,
  type ThrottleLimits,
  waitOf,
} from './throttle_limits.js';
import { foldUsername, MAX_NAME_LENGTH } from './username.js';

/** Options of `LoginThrottle`. */
export interface LoginThrottleOptions {
  /** SECRET_KEY keys the hashes under which names and addresses are kept. */
  readonly settings: Pick<Settings, 'SECRET_KEY'>;
  readonly limits?: Partial<ThrottleLimits>;
  /** For tests; without it the database's own clock, which all servers share. */
  readonly now?: Clock;
  /** Seconds, DATABASE_TIMEOUT: every bound on a wait is derived from it (server/db/wait_bounds.ts). 1 when absent. */
  readonly timeout?: number;
  /** Called for every refused attempt, for logs and metrics. */
  readonly throttled?: (attempt: LoginAttempt) => void;
}

/** The name and the address of a login attempt. */
export interface LoginAttempt {
  /** As typed; it need not exist. */
  readonly username: string;
  /**
   * The client's address, from `ctx.ip`. Behind a proxy use `installProxies`; without it all visitors share one
   * address. Do not use Koa's `app.proxy = true` alone: the visitor can then choose `ctx.ip` by X-Forwarded-For.
   */
  readonly address: string;
}

/** Whether an attempt is allowed now, otherwise when. */
export type ThrottleAnswer =
  | { readonly allowed: true }
  /** For a 429 with `Retry-After`; whole seconds, 1 or more. */
  | { readonly allowed: false; readonly retry_after: number };

/**
 * Slows down guessing without locking accounts permanently. Counts in the table koa_login_attempts, which all servers
 * share and which survives restarts. Unknown names are counted too.
 *
 * ```ts
 * const deadline = requestDeadline(ctx);
 * const answer = await throttle.check({ username, address: ctx.ip }, deadline);
 * if (!answer.allowed) ctx.throw(429, { headers: { 'Retry-After': String(answer.retry_after) } });
 * const user = await authenticate(ctx, { username, password });
 * if (user !== null) await throttle.succeeded({ username, address: ctx.ip }, deadline);
 * ```
 *
 * Pass `succeeded` the same name as `check`. Attempts are counted under the normalised name, so that other spellings
 * give no further attempts, with any collation. But `alice` and `Alice` may both exist: so a login restores only the
 * attempts of its exact spelling, and its address is known only for that spelling. Otherwise the owner of one account
 * could reset the count of their guesses at the other.
 *
 * A refused attempt is not counted where it was refused and does not extend the wait, so after the wait there is always
 * an attempt. One that the account refuses counts for its address. Attempts from a known address are counted
 * separately: attackers on the account do not make its owner wait there. From a new address the owner competes with
 * them for one attempt per `account.longestWait`.
 */
export class LoginThrottle {
  readonly #table: AttemptsTable;
  readonly #key: string;
  readonly #limits: ThrottleLimits;
  readonly #throttled: LoginThrottleOptions['throttled'];

  /** @throws ImproperlyConfigured for invalid limits, without a knex or a SECRET_KEY */
  constructor(knex: Knex, options: LoginThrottleOptions) {
    checkKnex('new LoginThrottle()', knex);
    checkSettings('new LoginThrottle()', options?.settings, 'SECRET_KEY');
    const { settings, limits = {}, now, timeout, throttled } = options;
    this.#table = new AttemptsTable(knex, { now, timeout });
    this.#key = settings.SECRET_KEY;
    this.#limits = { ...THROTTLE_LIMITS, ...limits };
    this.#throttled = throttled;
    checkLimits(this.#limits);
  }

  /**
   * Whether this attempt is allowed. Counts it in the same statement, so that concurrent attempts are all counted; a
   * failed login needs no further call.
   * @param deadline from `requestDeadline(ctx)`; one of its own when absent
   * @throws StoreUnavailable when the database does not answer: then nobody logs in
   */
  async check(attempt: LoginAttempt, deadline = this.#table.deadline()): Promise<ThrottleAnswer> {
    const answer = await this.#answer(attempt, deadline);
    this.#table.pruneNowAndThen();
    if (!answer.allowed) this.#throttled?.(attempt);
    return answer;
  }

  /**
   * One statement, because each one costs a round trip. Its parts run in the order of its locks, which is the same in
   * `succeeded`: address, known, account, exact. So concurrent statements cannot deadlock.
   */
  async #answer(attempt: LoginAttempt, deadline: Deadline): Promise<ThrottleAnswer> {
    const { address, account, exact, known } = this.#buckets(attempt);
    const { healsIn, longestWait } = this.#limits.account;
    const most = mostOf(this.#limits.account);
    // The address first: a refused address must not use up an account's attempts. `exact` is counted beside `account`:
    // both expire at the same rate, so the difference is the count of other spellings.
    const [row] = await this.#table.rows<{ address: boolean; account: boolean; known: boolean }>(
      `WITH clock AS (${this.#table.clock()}),
            seen AS (${IS_KNOWN}),
            by_address AS (${counted('?', this.#limits.address, 'clock')}),
            by_account AS (${counted('CASE WHEN known THEN ? ELSE ? END', this.#limits.account, 'clock, seen WHERE EXISTS (SELECT FROM by_address)')}),
            by_exact AS (
              INSERT INTO koa_login_attempts AS t (bucket, attempts, counted_at, retry_at, forget_at)
              SELECT ?, 1, at, at, at + interval '${healsIn + longestWait} seconds'
                FROM clock, seen WHERE NOT known AND EXISTS (SELECT FROM by_account)
              ON CONFLICT (bucket) DO UPDATE
                 SET attempts = least(${most}, ${healed('t', 'excluded.counted_at', healsIn)} + 1),
                     counted_at = greatest(t.counted_at, excluded.counted_at),
                     retry_at = excluded.retry_at,
                     forget_at = greatest(t.forget_at,
                       excluded.counted_at + interval '1 second' * (${longestWait} + ${healsIn} * ${most})))
       SELECT EXISTS (SELECT FROM by_address) AS address, EXISTS (SELECT FROM by_account) AS account, known FROM seen`,
      [known, address, known, account, exact],
      deadline,
    );
    if (row?.account === true) return { allowed: true };
    const ofAccount = row?.known === true ? known : account;
    return this.#wait(row?.address === true ? ofAccount : address, deadline);
  }

  async #wait(bucket: string, deadline: Deadline): Promise<ThrottleAnswer> {
    const [row] = await this.#table.rows<{ wait: number }>(
      `WITH clock AS (${this.#table.clock()})
       SELECT extract(epoch FROM retry_at - clock.at)::float8 AS wait FROM koa_login_attempts, clock WHERE bucket = ?`,
      [bucket],
      deadline,
    );
    // The wait may have ended, or a login may have removed the row, between the two statements.
    return { allowed: false, retry_after: Math.max(1, Math.ceil(row?.wait ?? 1)) };
  }

  /**
   * After a login, remove the attempt and those counted with it; for an account only those with exactly this spelling.
   * Call it once after each `check` that was allowed: without one, it gives the address an attempt of somebody else back.
   * @param deadline from `requestDeadline(ctx)`; one of its own when absent
   */
  async succeeded(attempt: LoginAttempt, deadline = this.#table.deadline()): Promise<void> {
    const { address, account, exact, known } = this.#buckets(attempt);
    const limit = this.#limits.account;
    const left = `greatest(0, t.attempts - ${healed('own', 't.counted_at', limit.healsIn)})`;
    // From a known address, the account's own count is due to others: this login must not give them new attempts.
    await this.#table.rows(
      `WITH clock AS (${this.#table.clock()}),
            seen AS (${IS_KNOWN}),
            by_address AS (
              UPDATE koa_login_attempts
                 SET attempts = greatest(0, attempts - 1),
                     retry_at = CASE WHEN ceil(attempts - 1) < ${this.#limits.address.free} THEN counted_at ELSE retry_at END
               WHERE bucket = ? RETURNING 1),
            by_known AS (
              INSERT INTO koa_login_attempts (bucket, attempts, counted_at, retry_at, forget_at)
              SELECT ?, 0, at, at, at + interval '${this.#limits.knownFor} seconds' FROM clock WHERE ${after('by_address')}
              ON CONFLICT (bucket) DO UPDATE SET attempts = 0, counted_at = excluded.counted_at,
                 retry_at = excluded.retry_at, forget_at = excluded.forget_at
              RETURNING 1),
            by_account AS (
              SELECT 1 FROM koa_login_attempts WHERE bucket = ? AND NOT (SELECT known FROM seen) AND ${after('by_known')}
                 FOR UPDATE),
            own AS (
              DELETE FROM koa_login_attempts WHERE bucket = ? AND NOT (SELECT known FROM seen) AND ${after('by_account')}
              RETURNING attempts, counted_at)
       UPDATE koa_login_attempts AS t
          SET attempts = ${left}, retry_at = least(t.retry_at, t.counted_at + ${waitOf(limit, left)})
         FROM own WHERE t.bucket = ?`,
      [known, address, known, account, exact, account],
      deadline,
    );
  }

  /**
   * The number of failed attempts of this address, or of this account if a name is given, for a form that requires more
   * after some. Does not count.
   * @param deadline from `requestDeadline(ctx)`; one of its own when absent
   */
  async failures(
    attempt: { readonly username?: string; readonly address: string },
    deadline?: Deadline,
  ): Promise<number> {
    const buckets = this.#buckets({ username: '', ...attempt });
    const wanted =
      attempt.username === undefined ? [buckets.address] : [buckets.address, buckets.account, buckets.known];
    const { account, address: byAddress } = this.#limits;
    const [row] = await this.#table.rows<{ failures: number }>(
      `WITH clock AS (${this.#table.clock()})
       SELECT coalesce(max(ceil(attempts - extract(epoch FROM clock.at - counted_at)::float8
                / CASE WHEN bucket = ? THEN ${byAddress.healsIn} ELSE ${account.healsIn} END)), 0) AS failures
         FROM koa_login_attempts, clock WHERE bucket IN (${wanted.map(() => '?').join(', ')})`,
      [buckets.address, ...wanted],
      deadline,
    );
    return Math.max(0, row?.failures ?? 0);
  }

  /** Remove some outdated rows; `check` calls it now and then. @returns how many */
  prune(): Promise<number> {
    return this.#table.prune();
  }

  #buckets(attempt: LoginAttempt): Record<'account' | 'address' | 'exact' | 'known', string> {
    const { username, address } = attempt ?? {};
    if (typeof username !== 'string' || typeof address !== 'string') throw new ValueError(NO_ATTEMPT);
    const name = foldUsername(username);
    const spelling = username.slice(0, MAX_NAME_LENGTH);
    const block = addressBlock(address);
    const hash = (...parts: readonly string[]): string =>
      salted_hmac('koa_django_session.login_attempts', JSON.stringify(parts), this.#key).digest('hex');
    return {
      account: `account:${hash('account', name)}`,
      address: `address:${hash('address', block)}`,
      exact: `exact:${hash('exact', name, spelling)}`,
      known: `known:${hash('known', name, spelling, block)}`,
    };
  }
}

const NO_ATTEMPT = 'A login attempt has two texts: { username, address: ctx.ip }.';

/** SQL: whether an address is known to an account. Takes the bucket `known`. */
const IS_KNOWN =
  'SELECT EXISTS (SELECT FROM koa_login_attempts, clock WHERE bucket = ? AND forget_at > clock.at) AS known';

/** SQL that is always true, and makes PostgreSQL run `part` first, so that the rows of `part` are locked first. */
const after = (part: string): string => `(SELECT count(*) FROM ${part}) >= 0`;

/** SQL: counts one attempt unless the bucket is full, and returns a row if it did. */
function counted(bucket: string, limit: ThrottleLimit, from: string): string {
  const { healsIn, longestWait } = limit;
  const attempts = `least(${mostOf(limit)}, ${healed('t', 'excluded.counted_at', healsIn)} + 1)`;
  return `
              INSERT INTO koa_login_attempts AS t (bucket, attempts, counted_at, retry_at, forget_at)
              SELECT ${bucket}, 1, at, at + ${waitOf(limit, '1::float8')}, at + interval '${healsIn + longestWait} seconds'
                FROM ${from}
              ON CONFLICT (bucket) DO UPDATE
                 SET attempts = ${attempts},
                     counted_at = greatest(t.counted_at, excluded.counted_at),
                     retry_at = excluded.counted_at + ${waitOf(limit, attempts)},
                     forget_at = greatest(t.forget_at,
                       excluded.counted_at + interval '1 second' * (${longestWait} + ${healsIn} * ${attempts}))
               WHERE t.retry_at <= greatest(t.counted_at, excluded.counted_at)
              RETURNING 1`;
}
