/** Refuses settings that are unsafe on a public server: Django's `check --deploy` (W009, W012, W016), as errors. */
import { ImproperlyConfigured } from '../server/errors.js';
import type { Settings } from '../server/settings.js';

const LEAST_KEY_LENGTH = 50;
const LEAST_UNIQUE_CHARACTERS = 5;

/** Whether the key repeats one text, such as `changemechangemechangeme…`; the last repetition may be cut. */
function isRepetition(key: string): boolean {
  for (let length = 1; length <= key.length / 2; length += 1) if (key.startsWith(key.slice(length))) return true;
  return false;
}

/** The server's own settings that are checked. */
interface DeployedSettings {
  readonly LAB: boolean | null;
  readonly DATABASE_URL: string | null;
  readonly ALLOWED_HOSTS: readonly string[];
  readonly INSECURE_COOKIES: boolean;
}

/** @throws ImproperlyConfigured naming the setting and what to do */
export function checkDeployment(own: DeployedSettings, django: Settings): void {
  const keys = [
    ['SECRET_KEY', django.SECRET_KEY],
    ...django.SECRET_KEY_FALLBACKS.map((key) => ['SECRET_KEY_FALLBACKS', key]),
  ];
  for (const [name, key = ''] of keys) {
    if (
      key.length < LEAST_KEY_LENGTH ||
      new Set(key).size < LEAST_UNIQUE_CHARACTERS ||
      isRepetition(key) ||
      key.startsWith('django-insecure-')
    ) {
      throw new ImproperlyConfigured(
        `${name} is too weak for production: use at least ${LEAST_KEY_LENGTH} random characters, of which ${LEAST_UNIQUE_CHARACTERS} differ, not one text again and again, without the prefix "django-insecure-".`,
      );
    }
  }
  if (own.LAB === true)
    throw new ImproperlyConfigured('LAB shows the content of sessions and is not for production. Unset it.');
  if (own.DATABASE_URL === null) {
    throw new ImproperlyConfigured(
      'DATABASE_URL is not set. The embedded PostgreSQL is for development: give your own.',
    );
  }
  if (own.ALLOWED_HOSTS.length === 0) {
    throw new ImproperlyConfigured('ALLOWED_HOSTS is empty. List the host names under which this server is reached.');
  }
  for (const name of ['SESSION_COOKIE_SECURE', 'CSRF_COOKIE_SECURE'] as const) {
    if (!django[name] && !own.INSECURE_COOKIES) {
      throw new ImproperlyConfigured(`${name} is false. Set it to true, or INSECURE_COOKIES=true to allow http.`);
    }
  }
}
