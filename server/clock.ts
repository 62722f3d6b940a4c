/** The clock: passed in wherever time matters, so that tests can stop it. */

/** Unix time in seconds, with a fraction, as Python's time.time(). */
export type Clock = () => number;

export const systemClock: Clock = () => Date.now() / 1000;
