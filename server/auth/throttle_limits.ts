/** The limits of login attempts, and the waits above them. */
import { ImproperlyConfigured } from '../errors.js';
import { checkNames } from '../settings/given.js';

/**
 * The window, as a leaky bucket: each attempt adds one, time removes them; while it is full, attempts must wait. Times are in seconds.
 */
export interface ThrottleLimit {
  /** Attempts allowed without waiting. */
  readonly free: number;
  /** Seconds until one attempt is removed from the bucket. */
  readonly healsIn: number;
  /** The wait after the last free attempt; it doubles with every further one. */
  readonly firstWait: number;
  readonly longestWait: number;
}

/** How many attempts are free, and how fast they come back. */
export interface ThrottleLimits {
  /** For one account from all addresses, and separately for one account from a known address. */
  readonly account: ThrottleLimit;
  /** For one address (IPv6: one /64), whatever the accounts. */
  readonly address: ThrottleLimit;
  /** Seconds for which an address is known to an account after a login. */
  readonly knownFor: number;
}

/**
 * Account: five attempts, then waits of 15 s, 30 s … up to 15 minutes: 96 attempts a day in the long run. Address:
 * fifty attempts, then one every 12 s, which is fifty in ten minutes.
 */
export const THROTTLE_LIMITS: ThrottleLimits = {
  account: { free: 5, healsIn: 900, firstWait: 15, longestWait: 900 },
  address: { free: 50, healsIn: 12, firstWait: 12, longestWait: 12 },
  knownFor: 30 * 86_400,
};

/** More attempts would not extend the wait, only the time until they expire. */
export const mostOf = ({ free, firstWait, longestWait }: ThrottleLimit): number =>
  free + Math.ceil(Math.log2(longestWait / firstWait));

/**
 * SQL: a row's attempts at a given time. Of concurrent attempts, one may have an earlier time than one counted before
 * it.
 */
export const healed = (row: string, at: string, healsIn: number): string =>
  `greatest(0, ${row}.attempts - greatest(0, extract(epoch FROM ${at} - ${row}.counted_at)::float8) / ${healsIn})`;

/** SQL: the wait after so many attempts. A row without a wait has a retry_at that is not after its counted_at. */
export const waitOf = ({ free, firstWait, longestWait }: ThrottleLimit, count: string): string =>
  `CASE WHEN ceil(${count}) < ${free} THEN interval '0'
        ELSE interval '1 second' * least(${longestWait}, ${firstWait} * power(2::float8, ceil(${count}) - ${free})) END`;

/** The numbers are inserted into the statements. */
export function checkLimits(limits: ThrottleLimits): void {
  checkNames("The throttle's `limits`", limits, ['account', 'address', 'knownFor']);
  const { account, address, knownFor } = limits;
  for (const [name, limit] of Object.entries({ account, address })) {
    checkNames(`The throttle's limit "${name}"`, limit ?? {}, ['free', 'healsIn', 'firstWait', 'longestWait']);
    const { free, healsIn, firstWait, longestWait } = limit ?? {};
    const whole = Number.isSafeInteger(free) && free >= 1;
    const times = [healsIn, firstWait, longestWait].every((time) => Number.isFinite(time) && time > 0);
    if (!whole || !times || longestWait < firstWait) {
      throw new ImproperlyConfigured(
        `The throttle's limit "${name}" is not allowed. Use 1 or more free attempts, times above 0, and a longestWait that is not below firstWait.`,
      );
    }
  }
  if (!Number.isFinite(knownFor) || knownFor < 0) {
    throw new ImproperlyConfigured("The throttle's knownFor is not allowed. Use seconds, 0 or more.");
  }
}
