/**
 * The server's settings, from the environment: the library's and its own.
 * The only file that reads `process.env`.
 */
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { availableParallelism } from 'node:os';
import { checkDatabaseUrl } from '../server/db/database_url.js';
import { codeOf } from '../server/error_code.js';
import { ImproperlyConfigured } from '../server/errors.js';
import {
  type Definition,
  defineSettings,
  engineName,
  type GivenSettings,
  readers,
  readSettings,
  SETTINGS,
  type SessionEngine,
  type Settings,
  type UserModelSettings,
} from '../server/settings.js';
import { checkDeployment } from './deployment_checks.js';
import { refuseMisspeltNames } from './misspelt_names.js';

export type Environment = Readonly<Record<string, string | undefined>>;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** The server's own settings, besides the library's. Times are seconds. */
export interface OwnSettings {
  readonly NODE_ENV: 'development' | 'production' | 'test';
  readonly HOST: string;
  readonly PORT: number;
  readonly WEB_CONCURRENCY: number;
  readonly DATABASE_URL: string | null;
  readonly DATA_FOLDER: string;
  readonly ALLOWED_HOSTS: readonly string[];
  readonly TRUSTED_PROXIES: readonly string[];
  readonly INSECURE_COOKIES: boolean;
  readonly LAB: boolean | null;
  readonly LOG_LEVEL: LogLevel;
  readonly METRICS_PORT: number | null;
  readonly CLEARSESSIONS_INTERVAL: number | null;
  readonly DATABASE_POOL: number;
  readonly DATABASE_TIMEOUT: number;
  readonly DATABASE_PREPARED: boolean;
  readonly SHUTDOWN_GRACE: number;
  readonly SHUTDOWN_TIMEOUT: number;
  readonly MAX_HEADER_BYTES: number;
  readonly MAX_HEADERS: number;
  readonly HEADERS_TIMEOUT: number;
  readonly REQUEST_TIMEOUT: number;
  readonly KEEP_ALIVE_TIMEOUT: number;
}

export interface ServerSettings extends OwnSettings {
  /** The library's settings. */
  readonly django: Settings;
  readonly production: boolean;
  /** Whether the lab pages are served. */
  readonly lab: boolean;
}

const { boolean, integer, list, oneOf, orNone, text, ANY } = readers;
const seconds = (usual: number, meaning: string): Definition<number> => ({
  default: usual,
  meaning,
  allowed: 'a whole number of seconds, 1 or more',
  read: integer(1),
});
/** URLs write `::1` as `[::1]`; Node's listen() takes the address without brackets. */
const host = (value: unknown): string | undefined => {
  const [, address] = typeof value === 'string' ? (/^\[(.*)\]$/.exec(value) ?? []) : [];
  if (address !== undefined) return isIPv6(address) ? address : undefined;
  return text(/^[^\s[\]/]+$/)(value);
};
const port = (value: unknown): number | undefined => {
  const number = integer(0)(value);
  return number !== undefined && number <= 65_535 ? number : undefined;
};

/** A larger number is a mistake, such as the port, and would overload the machine. */
const MOST_PROCESSES = 1024;
const processes = (value: unknown): number | undefined => {
  const number = value === 'auto' ? Math.max(2, availableParallelism()) : integer(1)(value);
  return number !== undefined && number <= MOST_PROCESSES ? number : undefined;
};

/** The server's own settings, in the order in which SETTINGS.md lists them. */
export const OWN_SETTINGS: { readonly [Name in keyof OwnSettings]: Definition<OwnSettings[Name]> } = {
  NODE_ENV: {
    default: 'development',
    meaning: '`production` checks that the settings suit a public server, and turns the lab off.',
    allowed: 'development, production or test',
    read: oneOf('development', 'production', 'test'),
  },
  HOST: {
    default: '127.0.0.1',
    meaning: 'The address to listen on.',
    allowed: 'a host name or address, an IPv6 address with or without brackets',
    read: host,
  },
  PORT: {
    default: 8000,
    meaning: 'The port to listen on; 0: any free one.',
    allowed: 'a number from 0 to 65535',
    read: port,
  },
  WEB_CONCURRENCY: {
    default: 1,
    meaning:
      'The number of processes that serve requests. `auto`: one per core, at least two, so that SIGHUP can replace them. `serve --workers N` overrides it. Each process has its own pool of DATABASE_POOL connections.',
    allowed: `a whole number from 1 to ${MOST_PROCESSES}, or auto`,
    read: processes,
  },
  DATABASE_URL: {
    default: null,
    meaning: 'The PostgreSQL database. Without it the server starts an embedded PostgreSQL (development only).',
    allowed:
      'postgresql://user:password@host:port/database, or postgresql:///database?host=/folder for a socket; several hosts as libpq writes them, host1:port,host2:port with ?target_session_attrs=read-write; special characters of the password percent-encoded',
    read: orNone(text(ANY)),
  },
  DATA_FOLDER: {
    default: '.data',
    meaning: 'The folder of the embedded PostgreSQL and of the development SECRET_KEY.',
    allowed: 'a folder',
    read: text(ANY),
  },
  ALLOWED_HOSTS: {
    default: [],
    meaning:
      "Django's ALLOWED_HOSTS: the host names that requests may have. In development localhost is always allowed.",
    allowed:
      'a list of host names: JSON, or separated by commas; `.example.com` for a domain and its subdomains, `*` for any',
    read: list,
  },
  TRUSTED_PROXIES: {
    default: [],
    meaning: 'Addresses or networks of proxies. X-Forwarded-For and X-Forwarded-Proto are read only from these.',
    allowed: 'a list of addresses and networks such as 10.0.0.0/8: JSON, or separated by commas',
    read: list,
  },
  INSECURE_COOKIES: {
    default: false,
    meaning:
      'Allow production without SESSION_COOKIE_SECURE or CSRF_COOKIE_SECURE: cookies are then sent over http too.',
    allowed: 'true or false',
    read: boolean,
  },
  LAB: {
    default: null,
    meaning:
      'Serve the lab pages, which show cookies, rows and headers. None: only in development. `true` is refused in production.',
    allowed: 'true or false',
    read: orNone(boolean),
  },
  LOG_LEVEL: {
    default: 'info',
    meaning: 'The lowest level of log lines that are written.',
    allowed: 'trace, debug, info, warn, error or silent',
    read: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent'),
  },
  METRICS_PORT: {
    default: null,
    meaning: 'A separate port on HOST that serves /metrics for Prometheus; None: off.',
    allowed: 'a number from 0 to 65535, or None',
    read: orNone(port),
  },
  CLEARSESSIONS_INTERVAL: {
    default: null,
    meaning:
      'Seconds between two removals of expired sessions by the server; None: off. Of all processes with this database, one removes them.',
    allowed: 'a whole number of seconds, 1 or more, or None',
    read: orNone(integer(1)),
  },
  DATABASE_POOL: {
    default: 10,
    meaning: 'The size of the connection pool of each process: its maximum number of connections.',
    allowed: 'a whole number, 1 or more',
    read: integer(1),
  },
  DATABASE_TIMEOUT: {
    default: 1,
    meaning:
      'The timeout of a connection, a lock, a statement or a command of Redis, in seconds; the visitor then gets 503. All other timeouts for PostgreSQL and Redis are multiples of it: DEPLOYMENT.md has the table.',
    allowed: 'a whole number of seconds, 1 or more',
    read: integer(1),
  },
  DATABASE_PREPARED: {
    default: true,
    meaning:
      'Use prepared statements. false behind a pgbouncer with pool_mode = transaction that does not support them.',
    allowed: 'true or false',
    read: boolean,
  },
  SHUTDOWN_GRACE: {
    default: 0,
    meaning:
      'Seconds after SIGTERM during which requests are still served, with /readyz 503 and `Connection: close`. Set it to more than the load balancer needs to notice it.',
    allowed: 'a whole number of seconds, 0 or more',
    read: integer(0),
  },
  SHUTDOWN_TIMEOUT: seconds(10, 'Seconds after SIGTERM and SHUTDOWN_GRACE until requests in flight are aborted.'),
  MAX_HEADER_BYTES: {
    default: 16_384,
    meaning: 'The largest size of request line and headers together, in bytes. A larger request gets 431.',
    allowed: 'a whole number of bytes, 1024 or more',
    read: integer(1024),
  },
  MAX_HEADERS: {
    default: 100,
    meaning: 'The largest number of request headers. A request with more gets 431.',
    allowed: 'a whole number, 10 or more',
    read: integer(10),
  },
  HEADERS_TIMEOUT: seconds(10, "The timeout for receiving a request's headers, in seconds; then 408."),
  REQUEST_TIMEOUT: seconds(
    20,
    'The timeout for receiving a whole request, in seconds; then 408. Also the timeout for a client to read the next part of its response. The time that a handler takes is not limited.',
  ),
  KEEP_ALIVE_TIMEOUT: seconds(5, 'Seconds that an idle connection is kept open for the next request.'),
};

/** The process's environment, overridden by `changes` from the command line. */
export function environmentWith(changes: Environment): Environment {
  return { ...process.env, ...changes };
}

/** The value of `NAME`, or the content of the file `NAME_FILE` without its last line end. */
function fromEnvironment(environment: Environment, name: string): string | undefined {
  const file = environment[`${name}_FILE`];
  if (file === undefined) return environment[name];
  if (environment[name] !== undefined) throw new ImproperlyConfigured(`Set ${name} or ${name}_FILE, not both.`);
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    // No cause: it contains the path, which is the secret itself if the two settings were mixed up.
    throw new ImproperlyConfigured(
      `${name}_FILE: the file cannot be read (${String(codeOf(error))}). Give the path of a readable file.`,
    );
  }
}

const ALL_NAMES = [...Object.keys(SETTINGS), ...Object.keys(OWN_SETTINGS)];

function pick<T extends object>(definitions: T, environment: Environment): GivenSettings<T> {
  // Checks all names, even when few are read: `clearsessions` with SESION_TABLE would clear another table.
  refuseMisspeltNames(environment, ALL_NAMES);
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(definitions)) {
    const value = fromEnvironment(environment, name);
    if (value !== undefined) given[name] = value;
  }
  return given as GivenSettings<T>;
}

/** Only SESSION_ENGINE, by its short name. @throws ImproperlyConfigured */
export function sessionEngine(environment: Environment = process.env): SessionEngine {
  return engineName(librarySettings(['SESSION_ENGINE'], environment));
}

/**
 * The named settings of the library, without requiring the others, such as SECRET_KEY.
 * @throws ImproperlyConfigured
 */
export function librarySettings<Name extends keyof Settings>(
  names: readonly Name[],
  environment: Environment = process.env,
): Pick<Settings, Name> {
  const definitions = Object.fromEntries(names.map((name) => [name, SETTINGS[name]])) as unknown as {
    readonly [Known in Name]: Definition<Settings[Known]>;
  };
  return readSettings<Pick<Settings, Name>>(definitions, pick(definitions, environment));
}

/** The settings of the user model. @throws ImproperlyConfigured */
export function userModelSettings(environment: Environment = process.env): UserModelSettings {
  return librarySettings(
    ['AUTH_USER_MODEL', 'AUTH_USER_TABLE', 'AUTH_USER_COLUMNS', 'USERNAME_FIELD', 'EMAIL_FIELD'],
    environment,
  );
}

/** Only SESSION_TABLE. @throws ImproperlyConfigured */
export function sessionTable(environment: Environment = process.env): string {
  return librarySettings(['SESSION_TABLE'], environment).SESSION_TABLE;
}

/** The server's own settings, without the library's. @throws ImproperlyConfigured */
export function ownSettings(environment: Environment = process.env): OwnSettings {
  const settings = readSettings<OwnSettings>(OWN_SETTINGS, pick(OWN_SETTINGS, environment));
  if (settings.DATABASE_URL !== null) checkDatabaseUrl(settings.DATABASE_URL);
  if (settings.METRICS_PORT !== null && settings.METRICS_PORT === settings.PORT && settings.PORT !== 0) {
    throw new ImproperlyConfigured(`METRICS_PORT: ${settings.PORT} is PORT already. Give another one.`);
  }
  return settings;
}

/**
 * All settings, checked.
 *
 * @param developmentKey returns the SECRET_KEY if none is set, outside production
 * @throws ImproperlyConfigured naming setting, value (unless it is a secret) and what is allowed
 */
export function serverSettings(
  developmentKey: () => string | undefined,
  environment: Environment = process.env,
): ServerSettings {
  const own = ownSettings(environment);
  const production = own.NODE_ENV === 'production';
  const given: Record<string, unknown> = { ...pick(SETTINGS, environment) };
  if (!production) {
    given['SECRET_KEY'] ??= developmentKey();
    // In development the captcha should be visible; a public server shows it only when needed.
    given['LOGIN_CAPTCHA'] ??= 'always';
  }
  const django = defineSettings(given);
  if (production) checkDeployment(own, django);
  return { ...own, django, production, lab: !production && own.LAB !== false };
}
