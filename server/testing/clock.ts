/** A clock that stands until a test moves it. */
import { type Clock, systemClock } from '../clock.js';

/** Give it as `now` to stores, middleware and Client; move it by `now` or `advance`. */
export interface TestClock extends Clock {
  /** What it shows, Unix seconds. */
  now: number;
  /** Let seconds go by. */
  advance(seconds: number): void;
}

/**
 * A clock that stands still until it is told to go on.
 *
 * ```ts
 * const now = testClock(1767225600);
 * now.advance(60);
 * now(); // 1767225660
 * ```
 */
export function testClock(start: number = Math.floor(systemClock())): TestClock {
  const clock: TestClock = Object.assign(() => clock.now, {
    now: start,
    advance: (seconds: number) => {
      clock.now += seconds;
    },
  });
  return clock;
}
