/** Environment variables that are nearly one of our settings: `SESION_COOKIE_AGE` would leave the default in force. */
import { ImproperlyConfigured } from '../server/errors.js';
import { isOneOff } from '../server/spelling.js';

/**
 * Shorter names have neighbours that are other programs': TIMEZONE, LOGLEVEL, DATABASE_URI. At 13 characters Django's
 * compound names begin: SESSION_TABLE.
 */
const SHORTEST = 13;

/** Longer names that other programs have nearly so: ALLOWED_HOST, KEEPALIVE_TIMEOUT, REQUESTS_TIMEOUT. */
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
 * Refuse a variable whose name is one character off a setting's, in whatever case. When that setting is given as well,
 * by its name or as a file, the variable is another program's.
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
    `The environment variable ${name} is no setting, and nearly ${meant}. Rename it; if another program needs it, set ${setting} as well.`,
  );
