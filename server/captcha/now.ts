/** Checks the time that an application gives: with NaN, a captcha would never expire. */
import { ImproperlyConfigured } from '../errors.js';

/** @throws ImproperlyConfigured for what is no time, also for the clock instead of its time */
export function checkNow(caller: string, options: { readonly now: number } | undefined): void {
  if (Number.isFinite(options?.now)) return;
  throw new ImproperlyConfigured(`${caller} needs \`now\`: Unix seconds, such as systemClock().`);
}
