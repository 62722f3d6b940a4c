/**
 * Every setting of the library: name (Django's, if Django has the setting), default, meaning and check. SETTINGS.md is
 * generated from `SETTINGS`. Only config/settings.ts reads the environment.
 */
import { ImproperlyConfigured } from './errors.js';
import { CACHE_URL_FORMS, readCacheUrl } from './settings/cache_url.js';
import type { Definition } from './settings/definition.js';
import {
  ANY,
  ATTRIBUTE,
  boolean,
  DOMAIN,
  dottedPath,
  fraction,
  integer,
  list,
  oneOf,
  orNone,
  PAGE,
  type SameSite,
  sameSite,
  TOKEN,
  tags,
  text,
  timeZone,
} from './settings/readers.js';
import { USER_MODEL_SETTINGS, type UserModelSettings } from './settings/user_model.js';
import { instead } from './spelling.js';

export type { Definition } from './settings/definition.js';
export type { SameSite } from './settings/readers.js';
export { isDefaultUserModel, type UserModelSettings } from './settings/user_model.js';

/** The values of LOGIN_CAPTCHA. */
export type LoginCaptcha = 'always' | 'after_failures' | 'off';

/** The checked values. Times are seconds, sizes bytes. */
export interface Settings extends UserModelSettings {
  readonly SECRET_KEY: string;
  readonly SECRET_KEY_FALLBACKS: readonly string[];

  readonly SESSION_ENGINE: string;
  readonly SESSION_COOKIE_NAME: string;
  readonly SESSION_COOKIE_AGE: number;
  readonly SESSION_COOKIE_DOMAIN: string | null;
  readonly SESSION_COOKIE_SECURE: boolean;
  readonly SESSION_COOKIE_PATH: string;
  readonly SESSION_COOKIE_HTTPONLY: boolean;
  readonly SESSION_COOKIE_SAMESITE: SameSite;
  readonly SESSION_SAVE_EVERY_REQUEST: boolean;
  readonly SESSION_SAVE_UNCHANGED_AFTER: number;
  readonly SESSION_EXPIRE_DATE_STEP: number;
  readonly SESSION_EXPIRE_AT_BROWSER_CLOSE: boolean;
  readonly USE_TZ: boolean;
  readonly TIME_ZONE: string;
  readonly SESSION_KEY_SALT: string;
  readonly SESSION_TABLE: string;
  readonly SESSION_READ_LEGACY: boolean;
  readonly SESSION_MAX_BYTES: number;
  readonly SESSION_VERIFIED_BYTES: number;
  readonly SESSION_FILE_PATH: string | null;
  readonly CACHE_URL: string | null;
  readonly CACHE_KEY_PREFIX: string;
  readonly CACHE_VERSION: number;

  readonly SIGNED_COOKIE_SALT_VERSION: 1 | 2;
  readonly SIGNED_COOKIE_LEGACY_SALT_FALLBACK: boolean;

  readonly CSRF_COOKIE_NAME: string;
  readonly CSRF_COOKIE_AGE: number | null;
  readonly CSRF_COOKIE_DOMAIN: string | null;
  readonly CSRF_COOKIE_PATH: string;
  readonly CSRF_COOKIE_SECURE: boolean;
  readonly CSRF_COOKIE_HTTPONLY: boolean;
  readonly CSRF_COOKIE_SAMESITE: SameSite;
  readonly CSRF_HEADER_NAME: string;
  readonly CSRF_TRUSTED_ORIGINS: readonly string[];
  readonly CSRF_USE_SESSIONS: boolean;

  readonly MESSAGE_STORAGE: string;
  readonly MESSAGE_LEVEL: number;
  readonly MESSAGE_TAGS: Readonly<Record<number, string>>;

  readonly LOGIN_URL: string;
  readonly LOGIN_REDIRECT_URL: string;
  readonly LOGIN_CAPTCHA: LoginCaptcha;
  readonly LANGUAGE_COOKIE_NAME: string;
  readonly DATA_UPLOAD_MAX_MEMORY_SIZE: number;
  readonly DATA_UPLOAD_MAX_NUMBER_FIELDS: number;
  readonly DATA_UPLOAD_MAX_NUMBER_FILES: number;
  readonly FILE_UPLOAD_MAX_MEMORY_SIZE: number;
  readonly FILE_UPLOAD_MAX_BYTES: number;
  readonly FILE_UPLOAD_MAX_TOTAL_BYTES: number;
  readonly FILE_UPLOAD_TEMP_DIR: string | null;
}

const flag = (value: boolean, meaning: string): Definition<boolean> => ({
  default: value,
  meaning,
  allowed: 'true or false',
  read: boolean,
});
const name = (value: string, meaning: string): Definition<string> => ({
  default: value,
  meaning,
  allowed: "a cookie name: letters, digits and !#$%&'*+-.^_`|~",
  read: text(TOKEN),
});
const path = (value: string, meaning: string): Definition<string> => ({
  default: value,
  meaning,
  allowed: 'a path without control characters or ";"',
  read: text(ATTRIBUTE),
});
const page = (value: string, meaning: string): Definition<string> => ({
  default: value,
  meaning,
  allowed: "the page's path or address, such as /login/, and not the name of a URL in Django's urls.py",
  read: text(PAGE),
});
const domain = (meaning: string): Definition<string | null> => ({
  default: null,
  meaning,
  allowed: 'a domain name without scheme, port and path, such as example.com, or None',
  read: orNone(text(DOMAIN)),
});
const site = (meaning: string): Definition<SameSite> => ({
  default: 'Lax',
  meaning,
  allowed: "Lax, Strict, None (the attribute's value), or false (no attribute)",
  read: sameSite,
});
const size = (value: number, least: number, meaning: string, unit: string): Definition<number> => ({
  default: value,
  meaning,
  allowed: `a whole number of ${unit}, ${least} or more`,
  read: integer(least),
});

export const SESSION_ENGINES = ['db', 'cache', 'cached_db', 'file', 'signed_cookies'] as const;
export type SessionEngine = (typeof SESSION_ENGINES)[number];
const ENGINE_PREFIX = 'django.contrib.sessions.backends.';

/** Django's dotted path or the short name → Django's dotted path. */
function engine(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const short = value.startsWith(ENGINE_PREFIX) ? value.slice(ENGINE_PREFIX.length) : value;
  return SESSION_ENGINES.some((known) => known === short) ? ENGINE_PREFIX + short : undefined;
}

/** The short name of a checked SESSION_ENGINE: `db` for `django.contrib.sessions.backends.db`. */
export function engineName(settings: Pick<Settings, 'SESSION_ENGINE'>): SessionEngine {
  return settings.SESSION_ENGINE.slice(ENGINE_PREFIX.length) as SessionEngine;
}

export const MESSAGE_STORAGES = ['fallback', 'cookie', 'session'] as const;
export type MessageStorage = (typeof MESSAGE_STORAGES)[number];

/** The short name of a checked MESSAGE_STORAGE. */
export const messageStorage = (settings: Pick<Settings, 'MESSAGE_STORAGE'>): MessageStorage =>
  settings.MESSAGE_STORAGE.split('.').at(-2) as MessageStorage;

/** All settings, in the order in which SETTINGS.md lists them. */
export const SETTINGS: { readonly [Name in keyof Settings]: Definition<Settings[Name]> } = {
  SECRET_KEY: {
    default: '',
    meaning: "The key that signs sessions, cookies and hashes. The same text as Django's.",
    allowed: 'a text that is not empty',
    read: text(ANY),
  },
  SECRET_KEY_FALLBACKS: {
    default: [],
    meaning: 'Former keys, newest first. They verify signatures, and never sign.',
    allowed: 'a list of texts: JSON, or separated by commas',
    read: list,
  },
  SESSION_ENGINE: {
    default: 'django.contrib.sessions.backends.db',
    meaning: 'The engine, which decides where sessions are stored (ENGINES.md).',
    allowed: `one of ${SESSION_ENGINES.join(', ')}, or Django's dotted path of one of them`,
    read: engine,
  },
  SESSION_COOKIE_NAME: name('sessionid', 'The name of the cookie that holds the session key.'),
  SESSION_COOKIE_AGE: size(
    1_209_600,
    1,
    'Seconds after its last change until a session expires. `set_expiry` overrides it for one session.',
    'seconds',
  ),
  SESSION_COOKIE_DOMAIN: domain("The session cookie's Domain; None: this host only."),
  SESSION_COOKIE_SECURE: flag(false, 'Send the session cookie over https only.'),
  SESSION_COOKIE_PATH: path('/', "The session cookie's Path."),
  SESSION_COOKIE_HTTPONLY: flag(true, 'Hide the session cookie from scripts.'),
  SESSION_COOKIE_SAMESITE: site("The session cookie's SameSite."),
  SESSION_SAVE_EVERY_REQUEST: flag(
    false,
    'Save the session and send its cookie at every request, not only after a change.',
  ),
  SESSION_SAVE_UNCHANGED_AFTER: size(
    0,
    0,
    "With SESSION_SAVE_EVERY_REQUEST: skip saving an unchanged session that was saved less than this many seconds ago. A value above half of the session's life counts as half. 0 never skips, as Django. Keep 0 while you raise SESSION_COOKIE_AGE, and where another program also writes the sessions: a skipped save does not renew the cookie.",
    'seconds',
  ),
  SESSION_EXPIRE_DATE_STEP: {
    default: 0,
    meaning:
      "Round expire_date up by at most this fraction of the session's lifetime (0.1: a tenth), so that most saves leave it unchanged and update no index (DEPLOYMENT.md, Bloat). The cookie's expiry is not rounded. For engines `db` and `cached_db`. 0 does not round, as Django.",
    allowed: 'a number from 0 to 0.5',
    read: fraction(0.5),
  },
  SESSION_EXPIRE_AT_BROWSER_CLOSE: flag(
    false,
    'Send a session cookie without Max-Age, which the browser deletes when it closes.',
  ),
  USE_TZ: flag(
    true,
    "Django's USE_TZ. If false, dates given to set_expiry are stored in TIME_ZONE without an offset: a Django with USE_TZ = False responds with 500 to dates with an offset.",
  ),
  TIME_ZONE: {
    default: 'UTC',
    meaning: "Django's TIME_ZONE. Used only if USE_TZ is false.",
    allowed: 'the name of a time zone, such as Asia/Shanghai',
    read: timeZone,
  },
  SESSION_KEY_SALT: {
    default: 'django.contrib.sessions.SessionStore',
    meaning:
      'The salt of session_data. For a custom session class in Django: `django.contrib.sessions.` and the qualified name of the class.',
    allowed: 'a text that is not empty',
    read: text(ANY),
  },
  SESSION_TABLE: {
    default: 'django_session',
    meaning:
      'The table of engines `db` and `cached_db`. For a custom session model in Django: its table. Write `schema.table` for a schema off the search_path, and double quotes around a name with a dot.',
    allowed: 'the name of a table, without "?", ":" and "\\"',
    read: text(/^[^?:\\]+$/),
  },
  SESSION_READ_LEGACY: flag(false, 'Also read rows in the format of Django 2.2 and 3.0. Never writes them.'),
  SESSION_MAX_BYTES: size(
    4_194_304,
    1024,
    'The largest session that is read or written, in bytes, uncompressed. A larger one written by Django reads as empty; its row is never overwritten.',
    'bytes',
  ),
  SESSION_FILE_PATH: {
    default: null,
    meaning: "The folder of engine `file`; None for the system's temporary folder.",
    allowed: 'a folder that exists, or None',
    read: orNone(text(ANY)),
  },
  CACHE_URL: {
    default: null,
    meaning:
      "The Redis of engines `cache` and `cached_db`: LOCATION of Django's CACHES. For sentinels and clusters see ENGINES.md.",
    allowed: `${CACHE_URL_FORMS}; or None`,
    read: orNone((value) => {
      const url = text(ANY)(value);
      if (url !== undefined) readCacheUrl(url);
      return url;
    }),
  },
  CACHE_KEY_PREFIX: {
    default: '',
    meaning: "KEY_PREFIX of Django's CACHES: the first part of keys in Redis.",
    allowed: 'a text without spaces or control characters',
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
    read: text(/^[^\u0000-\u0020\u007f]*$/),
  },
  CACHE_VERSION: {
    default: 1,
    meaning: "VERSION of Django's CACHES: the second part of keys in Redis.",
    allowed: 'a whole number, 0 or more',
    read: integer(0),
  },
  SESSION_VERIFIED_BYTES: size(
    67_108_864,
    0,
    'The size of the cache of sessions whose signature was already checked, in bytes per process. 64 MiB hold about 14,000 sessions of 2 kB. 0 turns it off.',
    'bytes',
  ),
  SIGNED_COOKIE_SALT_VERSION: {
    default: 2,
    meaning:
      'The version of the salt of signed cookies: 2 for Django 5.2.15, 6.0.6 and newer (CVE-2026-6873), 1 for older releases.',
    allowed: '1 or 2',
    read: (value) => ([1, 2] as const).find((version) => version === Number(value)),
  },
  SIGNED_COOKIE_LEGACY_SALT_FALLBACK: flag(true, 'Also accept signed cookies with the salt of version 1.'),
  CSRF_COOKIE_NAME: name('csrftoken', 'The name of the CSRF cookie.'),
  CSRF_COOKIE_AGE: {
    default: 31_449_600,
    meaning: 'Seconds until the CSRF cookie expires; None: it expires when the browser closes.',
    allowed: 'a whole number of seconds, 0 or more, or None',
    read: orNone(integer(0)),
  },
  CSRF_COOKIE_DOMAIN: domain("The CSRF cookie's Domain; None: this host only."),
  CSRF_COOKIE_PATH: path('/', "The CSRF cookie's Path."),
  CSRF_COOKIE_SECURE: flag(false, 'Send the CSRF cookie over https only.'),
  CSRF_COOKIE_HTTPONLY: flag(false, 'Hide the CSRF cookie from scripts.'),
  CSRF_COOKIE_SAMESITE: site("The CSRF cookie's SameSite."),
  CSRF_HEADER_NAME: {
    default: 'HTTP_X_CSRFTOKEN',
    meaning: "The request header of the CSRF token, in Django's spelling: HTTP_X_CSRFTOKEN is X-CSRFToken.",
    allowed: 'HTTP_ and capital letters, digits and _',
    read: text(/^HTTP_[A-Z0-9_]+$/),
  },
  CSRF_TRUSTED_ORIGINS: {
    default: [],
    meaning:
      'Other origins whose forms are accepted, each with its scheme; `https://*.example.com` for all subdomains.',
    allowed: 'a list of origins that start with http:// or https://',
    read: (value) => {
      const origins = list(value);
      return origins?.every((origin) => /^https?:\/\/[^/]+$/.test(origin)) ? origins : undefined;
    },
  },
  CSRF_USE_SESSIONS: flag(false, 'Keep the CSRF secret in the session instead of a cookie.'),
  ...USER_MODEL_SETTINGS,
  MESSAGE_STORAGE: {
    default: 'django.contrib.messages.storage.fallback.FallbackStorage',
    meaning:
      'Where messages are stored until the next page: `cookie`, `session`, or `fallback`: the cookie, and the session for those that do not fit.',
    allowed: `one of ${MESSAGE_STORAGES.join(', ')}, or Django's dotted path of one of them`,
    read: dottedPath('django.contrib.messages.storage', MESSAGE_STORAGES, 'Storage'),
  },
  MESSAGE_LEVEL: {
    default: 20,
    meaning: 'Discard messages below this level: 10 is debug, 20 info, 25 success, 30 warning, 40 error.',
    allowed: 'a whole number, 0 or more',
    read: integer(0),
  },
  MESSAGE_TAGS: {
    default: {},
    meaning: "The tags (CSS classes) of message levels, in addition to Django's.",
    allowed: 'an object from level to tag, such as {"50": "critical"}',
    read: tags,
  },
  LOGIN_URL: page('/login/', 'The page to which login_required redirects anonymous visitors.'),
  LOGIN_REDIRECT_URL: page('/index1/', 'The page after a login without `next`.'),
  LOGIN_CAPTCHA: {
    default: 'after_failures',
    meaning:
      'When the login form shows a captcha: always, after failed logins, or never. In development the default is always.',
    allowed: 'always, after_failures or off',
    read: oneOf('always', 'after_failures', 'off'),
  },
  LANGUAGE_COOKIE_NAME: name('django_language', "The name of the cookie that holds the visitor's language."),
  DATA_UPLOAD_MAX_MEMORY_SIZE: size(
    2_621_440,
    1,
    'The largest request body, in bytes, without its files. A larger one gets 413.',
    'bytes',
  ),
  DATA_UPLOAD_MAX_NUMBER_FIELDS: size(
    1000,
    1,
    'The largest number of form fields. A form with more gets 400.',
    'fields',
  ),
  DATA_UPLOAD_MAX_NUMBER_FILES: size(
    100,
    0,
    'The largest number of files in a form. A form with more gets 400.',
    'files',
  ),
  FILE_UPLOAD_MAX_MEMORY_SIZE: size(
    2_621_440,
    0,
    'The largest form whose files are kept in memory, in bytes. The files of a larger one are written to temporary files.',
    'bytes',
  ),
  FILE_UPLOAD_MAX_BYTES: size(
    26_214_400,
    1,
    'The largest form with its files, in bytes, as sent. A larger one gets 413. Django has no such limit.',
    'bytes',
  ),
  FILE_UPLOAD_MAX_TOTAL_BYTES: size(
    1_073_741_824,
    1,
    'The largest total size of the files of all current requests of a process, in bytes. Requests beyond it get 503. Django has no such limit.',
    'bytes',
  ),
  FILE_UPLOAD_TEMP_DIR: {
    default: null,
    meaning: "The folder of temporary files for uploads; None for the system's temporary folder.",
    allowed: 'a folder that exists, or None',
    read: orNone(text(ANY)),
  },
};

/** The functions for `read`, for config/settings.ts. */
export const readers = { boolean, integer, list, oneOf, orNone, text, ANY } as const;

/** Settings before they are checked: values from code, or text from the environment. */
export type GivenSettings<T> = { readonly [Name in keyof T]?: unknown };

/**
 * Fill in the defaults and check every value.
 * @throws ImproperlyConfigured naming setting, value (unless it is a secret) and what is allowed
 */
export function readSettings<T extends object>(
  definitions: { readonly [Name in keyof T]: Definition<T[Name]> },
  given: GivenSettings<T>,
): T {
  const [unknown] = Object.keys(given).filter((name) => !Object.hasOwn(definitions, name));
  if (unknown !== undefined) {
    throw new ImproperlyConfigured(`There is no setting ${unknown}. ${instead(unknown, Object.keys(definitions))}`);
  }
  const values: Partial<T> = {};
  for (const name of Object.keys(definitions) as (keyof T & string)[]) {
    const { default: usual, allowed, read } = definitions[name];
    const value = given[name] === undefined ? usual : read(given[name]);
    if (value === undefined) {
      const shown = /SECRET|URL/.test(name) ? 'the value given' : JSON.stringify(given[name]);
      throw new ImproperlyConfigured(`${name}: ${shown} is not allowed. Use ${allowed}.`);
    }
    values[name] = value;
  }
  return values as T;
}

/**
 * The library's settings: `given`, and Django's defaults for the rest. An unknown name is an error, with the nearest
 * setting's name in the message; TypeScript reports it too.
 *
 * ```ts
 * const settings = defineSettings({ SECRET_KEY: process.env['SECRET_KEY'] ?? '', SESSION_COOKIE_SECURE: true });
 * ```
 *
 * @throws ImproperlyConfigured naming setting, value (unless it is a secret) and what is allowed
 */
export function defineSettings(given: GivenSettings<Settings>): Settings {
  const settings = readSettings<Settings>(SETTINGS, given ?? {});
  if (settings.SECRET_KEY === '') {
    throw new ImproperlyConfigured("SECRET_KEY is not set. Set it to the text of your Django's SECRET_KEY.");
  }
  checkCookieNames(settings);
  return Object.freeze(settings);
}

/** Two cookies have two names. RFC 6265bis section 4.1.3: browsers drop one whose attributes do not match its prefix. */
function checkCookieNames(settings: Settings): void {
  if (settings.SESSION_COOKIE_NAME === settings.CSRF_COOKIE_NAME && !settings.CSRF_USE_SESSIONS) {
    throw new ImproperlyConfigured(
      'SESSION_COOKIE_NAME and CSRF_COOKIE_NAME are the same. Each needs a name of its own.',
    );
  }
  for (const kind of ['SESSION', 'CSRF'] as const) {
    const cookie = settings[`${kind}_COOKIE_NAME`];
    const prefix = /^__(host|secure)-/i.exec(cookie)?.[1]?.toLowerCase();
    if (prefix === undefined) continue;
    if (!settings[`${kind}_COOKIE_SECURE`]) {
      throw new ImproperlyConfigured(`${kind}_COOKIE_NAME: "${cookie}" needs ${kind}_COOKIE_SECURE=true.`);
    }
    if (prefix === 'host' && (settings[`${kind}_COOKIE_PATH`] !== '/' || settings[`${kind}_COOKIE_DOMAIN`] !== null)) {
      throw new ImproperlyConfigured(
        `${kind}_COOKIE_NAME: "${cookie}" needs ${kind}_COOKIE_PATH=/ and no ${kind}_COOKIE_DOMAIN.`,
      );
    }
  }
}
