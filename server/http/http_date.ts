/** Dates and durations of cookies: `http_date` as django.utils.http, and Python's timedelta as an object. */
import { ValueError } from '../errors.js';

/** Python's `datetime.timedelta(...)`: every field adds up, fractions and negative numbers are allowed. */
export interface TimeDelta {
  readonly weeks?: number;
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly milliseconds?: number;
  readonly microseconds?: number;
}

const SECONDS: Readonly<Record<keyof TimeDelta, number>> = {
  weeks: 604_800,
  days: 86_400,
  hours: 3600,
  minutes: 60,
  seconds: 1,
  milliseconds: 1e-3,
  microseconds: 1e-6,
};

const NO_DURATION = 'A duration is a number of seconds or an object such as { minutes: 5 }.';

/**
 * A duration in seconds, as `timedelta.total_seconds()`; a number is one already.
 *
 * @throws ValueError for NaN, an infinity, text, or a field that timedelta does not have
 */
export function total_seconds(duration: number | TimeDelta): number {
  let seconds = 0;
  if (typeof duration === 'number') seconds = duration;
  else {
    if (typeof duration !== 'object' || duration === null) throw new ValueError(NO_DURATION);
    for (const [unit, amount] of Object.entries(duration) as [keyof TimeDelta, number | undefined][]) {
      if (!Object.hasOwn(SECONDS, unit))
        throw new ValueError(`A duration has no ${unit}. Use ${Object.keys(SECONDS).join(', ')}.`);
      if (amount !== undefined) seconds += amount * SECONDS[unit];
    }
  }
  if (!Number.isFinite(seconds)) throw new ValueError('A duration must be a finite number of seconds.');
  return seconds;
}

// 9999-12-31T23:59:59Z and the year 1: where Python's datetime ends.
const LAST = 253_402_300_799;
const FIRST = -62_135_596_800;

/**
 * `Thu, 01 Jan 1970 00:00:00 GMT` for 0 (RFC 9110 section 5.6.7). Fractions are cut after rounding to microseconds,
 * as Python's datetime.fromtimestamp does.
 *
 * ```ts
 * http_date(1767225600); // 'Thu, 01 Jan 2026 00:00:00 GMT'
 * ```
 *
 * @param epochSeconds Unix time
 * @throws ValueError outside the years 1 to 9999
 */
export function http_date(epochSeconds: number): string {
  const seconds = Math.floor(Math.round(epochSeconds * 1e6) / 1e6);
  if (!(seconds >= FIRST && seconds <= LAST)) throw new ValueError('A date must lie in the years 1 to 9999.');
  return new Date(seconds * 1000).toUTCString();
}
