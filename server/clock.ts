/** The clock: a parameter wherever time matters, so that tests can control it. */

/** Unix time in seconds, with a fraction, as Python's time.time(). */
export type Clock = () => number;

/**
 * The time of this machine, in Unix seconds with fractions of milliseconds.
 *
 * ```ts
 * const stamp = new TimestampSigner({ key: settings.SECRET_KEY, now: systemClock });
 * ```
 */
export const systemClock: Clock = () => Date.now() / 1000;

/** A time from here on (2011 in milliseconds, the year 43,000 in seconds) is in milliseconds. */
export const IN_MILLISECONDS = 1.3e12;
