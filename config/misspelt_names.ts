/**
 * Refuses environment variables that are misspelt settings: with `SESION_COOKIE_AGE` the default would silently apply.
 */
import { ImproperlyConfigured } from '../server/errors.js';
import { isOneOff } from '../server/spelling.js';

/**
 * Shorter names are similar to variables of other programs: TIMEZONE, LOGLEVEL, DATABASE_URI. Django's compound names
 * have at least 13 characters: SESSION_TABLE.
 */
const SHORTEST = 13;

/** Longer names that are similar to variables of other programs: ALLOWED_HOST, KEEPALIVE_TIMEOUT, REQUESTS_TIMEOUT. */
const EVERYBODYS: ReadonlySet<string> = new Set([
  'ALLOWED_HOSTS',
  'CACHE_VERSION',
  'DATABASE_POOL',
  'DATABASE_TIMEOUT',
  'HEADERS_TIMEOUT',
  'KEEP_ALIVE_TIMEOUT',
  'REQUEST_TIMEOUT',
  'SHUTDOWN_TIMEOUT',
]);

/**
 * Refuse a variable whose name differs by one character from a setting's, in any case. If that setting is given too, by
 * its name or as a file, the variable belongs to another program.
 *
 * @throws ImproperlyConfigured with both names
 */
export function refuseMisspeltNames(
  environment: Readonly<Record<string, string | undefined>>,
  settings: readonly string[],
): void {
  const known = new Set(settings.flatMap((name) => [name, `${name}_FILE`]));
  const guarded = settings.filter((name) => name.length >= SHORTEST && !EVERYBODYS.has(name));
  for (const name of Object.keys(environment)) {
    if (name.length < SHORTEST - 1 || known.has(name)) continue;
    const written = name.toUpperCase();
    for (const right of guarded) {
      if (environment[right] !== undefined || environment[`${right}_FILE`] !== undefined) continue;
      for (const meant of [right, `${right}_FILE`]) {
        if (written === meant || isOneOff(written, meant)) throw misspelt(name, meant, right);
      }
    }
  }
}

const misspelt = (name: string, meant: string, setting: string): ImproperlyConfigured =>
  new ImproperlyConfigured(
    `The environment variable ${name} is not a setting, but similar to ${meant}. Rename it; if another program needs it, set ${setting} as well.`,
  );
