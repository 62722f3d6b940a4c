/** How many logins may be tried in which time, and how long whoever tries more has to wait. */
import { ImproperlyConfigured } from '../errors.js';

/** A leaky bucket: every attempt adds one, time takes away; a full one makes the next attempt wait. All times in seconds. */
export interface ThrottleLimit {
  /** Attempts that need no waiting. */
  readonly free: number;
  /** How long until one attempt is forgotten. */
  readonly healsIn: number;
  /** The wait after the last free attempt; it doubles with every further one. */
  readonly firstWait: number;
  readonly longestWait: number;
}

/** How many attempts are free, and how fast they come back. */
export interface ThrottleLimits {
  /** For one account from wherever, and for one account from an address that has logged in there before. */
  readonly account: ThrottleLimit;
  /** For one address (IPv6: one /64), whatever the accounts. */
  readonly address: ThrottleLimit;
  /** How long an address from which an account has logged in counts as known there. */
  readonly knownFor: number;
}

/**
 * An account: five at once, then 15 s, 30 s … up to 15 minutes, so 96 guesses a day in the long run. An address: fifty
 * at once, then one every 12 s, which is fifty in ten minutes.
 */
export const THROTTLE_LIMITS: ThrottleLimits = {
  account: { free: 5, healsIn: 900, firstWait: 15, longestWait: 900 },
  address: { free: 50, healsIn: 12, firstWait: 12, longestWait: 12 },
  knownFor: 30 * 86_400,
};

/** More attempts than this would not make the wait longer, only the healing. */
export const mostOf = ({ free, firstWait, longestWait }: ThrottleLimit): number =>
  free + Math.ceil(Math.log2(longestWait / firstWait));

/** SQL: what is left at a time of a row's attempts. Of some at once, one may have read the clock before one counted first. */
export const healed = (row: string, at: string, healsIn: number): string =>
  `greatest(0, ${row}.attempts - greatest(0, extract(epoch FROM ${at} - ${row}.counted_at)::float8) / ${healsIn})`;

/** SQL: the wait after so many attempts. A row without one says so by a retry_at that is no later than its counted_at. */
export const waitOf = ({ free, firstWait, longestWait }: ThrottleLimit, count: string): string =>
  `CASE WHEN ceil(${count}) < ${free} THEN interval '0'
        ELSE interval '1 second' * least(${longestWait}, ${firstWait} * power(2::float8, ceil(${count}) - ${free})) END`;

/** The numbers become part of the statements. */
export function checkLimits({ account, address, knownFor }: ThrottleLimits): void {
  for (const [name, limit] of Object.entries({ account, address })) {
    const { free, healsIn, firstWait, longestWait } = limit;
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
