/** Waiting for a condition, with an end. */
import { setTimeout as pause } from 'node:timers/promises';

export interface Patience {
  readonly seconds: number;
  /** What did not come, for the error. */
  readonly what: () => string;
}

/**
 * Ask until the answer is not undefined; a question that fails is asked again.
 * @throws Error naming `what`, with the last failure as `cause`, when it does not come in time
 */
export async function until<T>(ask: () => T | undefined | Promise<T | undefined>, patience: Patience): Promise<T> {
  const end = performance.now() + patience.seconds * 1000;
  let failure: unknown;
  do {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      failure = error;
    }
    await pause(15);
  } while (performance.now() < end);
  throw new Error(`Waited ${patience.seconds} s in vain for ${patience.what()}`, { cause: failure });
}
