/** A clock that a test advances. */
import { type Clock, systemClock } from '../clock.js';
import { ValueError } from '../errors.js';

/** Pass it as `now` to stores, middleware and Client; advance it by `now` or `advance`. */
export interface TestClock extends Clock {
  /** The current time, Unix seconds. */
  now: number;
  /** Let seconds go by. */
  advance(seconds: number): void;
}

/**
 * A clock that stands still until `advance` is called.
 *
 * ```ts
 * const now = testClock(1767225600);
 * now.advance(60);
 * now(); // 1767225660
 * ```
 *
 * @throws ValueError for what is no number, here and in `advance`
 */
export function testClock(start: number = Math.floor(systemClock())): TestClock {
  const clock: TestClock = Object.assign(() => clock.now, {
    now: checked(start),
    advance: (seconds: number) => {
      clock.now += checked(seconds);
    },
  });
  return clock;
}

function checked(seconds: number): number {
  if (Number.isFinite(seconds)) return seconds;
  throw new ValueError(`testClock needs seconds, a number, not ${JSON.stringify(seconds)}.`);
}
