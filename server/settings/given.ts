/** Checks the settings and the clock of a caller, which TypeScript may not have checked, when it is called and not at the first request. */
import { type Clock, IN_MILLISECONDS, systemClock } from '../clock.js';
import { ImproperlyConfigured, ValueError } from '../errors.js';
import type { Settings } from '../settings.js';
import { instead, nearestName } from '../spelling.js';

/**
 * @param names settings that the caller uses: where they are missing, these settings did not come from defineSettings
 * @throws ImproperlyConfigured for no settings, or those without the defaults
 */
export function checkSettings(
  caller: string,
  settings: Partial<Settings> | undefined,
  ...names: readonly (keyof Settings)[]
): void {
  if (names.every((name) => settings?.[name] !== undefined) && settings?.SECRET_KEY !== '') return;
  throw new ImproperlyConfigured(`${caller} needs \`settings\`: what defineSettings({ SECRET_KEY }) returns.`);
}

function timeOf(now: Clock): unknown {
  try {
    return now();
  } catch {
    return undefined;
  }
}

/**
 * The clock that an option gives, or this machine's.
 * @throws ImproperlyConfigured for `Date.now`, whose sessions would be expired or never expire, and for a time instead of a clock
 */
export function checkedClock(now: Clock | undefined): Clock {
  if (now === undefined) return systemClock;
  const time = typeof now === 'function' ? timeOf(now) : 'none';
  // A test may set its clock later.
  if (time === undefined || (Number.isFinite(time) && (time as number) < IN_MILLISECONDS)) return now;
  throw new ImproperlyConfigured('`now` is a function that returns Unix seconds, such as systemClock.');
}

/**
 * For functions whose namesakes in Django take some of these by position, where JavaScript would ignore them.
 * @throws ValueError for a number, a text, a list or a function instead of an object of options
 */
export function checkOptions(caller: string, options: unknown): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return;
  throw new ValueError(`${caller} takes its options by name, as an object.`);
}

/** @throws ImproperlyConfigured for a name that is not among `known`, which would do nothing */
export function checkNames<Given extends object>(
  what: string,
  given: Given,
  known: readonly (keyof Given & string)[],
): void {
  const [unknown] = Object.keys(given).filter((name) => !(known as readonly string[]).includes(name));
  if (unknown === undefined) return;
  throw new ImproperlyConfigured(`${what} has no ${unknown}. ${instead(unknown, known)}`);
}

/**
 * The same for options that an application may share among several functions: unknown names are not refused, only misspelt ones.
 * @throws ValueError for what is no object of options; ImproperlyConfigured for a name that is nearly one of `known`
 */
export function checkSpelling<Given extends object>(
  what: string,
  given: Given,
  known: readonly (keyof Given & string)[],
): void {
  checkOptions(what, given);
  for (const name of Object.keys(given)) {
    const right = (known as readonly string[]).includes(name) ? undefined : nearestName(name, known);
    if (right !== undefined) throw new ImproperlyConfigured(`${what} has no option ${name}. Write ${right}.`);
  }
}

/** @throws ImproperlyConfigured for a logger without `warn`, such as `console.log`: the first warning would be a 500 */
export function checkLogger(caller: string, logger: { readonly warn: unknown } | null | undefined): void {
  if (logger === undefined || logger === null || typeof logger.warn === 'function') return;
  throw new ImproperlyConfigured(`${caller} needs a \`logger\` with the method \`warn\`, such as console.`);
}
