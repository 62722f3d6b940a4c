/** Checks the time that an application gives: with NaN, a captcha would never expire. */
import { IN_MILLISECONDS } from '../clock.js';
import { ImproperlyConfigured } from '../errors.js';

/** @throws ImproperlyConfigured for what is no time, for milliseconds, and for the clock instead of its time */
export function checkNow(caller: string, options: { readonly now: number } | undefined): void {
  if (options !== undefined && Number.isFinite(options.now) && options.now < IN_MILLISECONDS) return;
  throw new ImproperlyConfigured(`${caller} needs \`now\`: Unix seconds, such as systemClock().`);
}
