/** Validates DATABASE_URL before anything connects, and formats it for display without the password. */
import pg from 'pg';
import { ImproperlyConfigured } from '../errors.js';
import { checkCertificates, readCertificate } from '../settings/certificates.js';
import { portNumber, refuseUrl, splitUrl, type UrlParts } from '../settings/url_text.js';
import { addressesOf } from './hosts.js';

const FORM =
  'Use postgresql://user:password@host:port/database, or postgresql:///database?host=/folder for a socket in a folder.';

/** The values that pg knows. It silently treats any other value as one of these. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  sslmode: ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'],
  ssl: ['true', '1', '0', 'no-verify'],
  sslnegotiation: ['postgres', 'direct'],
  uselibpqcompat: ['true', 'false'],
};
/** Parameters of libpq for the address or for trust that pg silently ignores. They are refused. */
const IGNORED: readonly string[] = [
  'hostaddr',
  'load_balance_hosts',
  'passfile',
  'require_auth',
  'requirepeer',
  'service',
  'servicefile',
  'sslcrl',
  'sslcrldir',
  'sslpassword',
];
const FILES = { ca: 'sslrootcert', cert: 'sslcert', key: 'sslkey' } as const;

/**
 * Checks that pg will understand this URL and that the files it names are readable. Several hosts are allowed, as in libpq.
 *
 * The message repeats no part of the URL except the paths of certificates. The error has no `cause`, because Node's error
 * contains the URL.
 *
 * @param name the setting, for the message
 * @throws ImproperlyConfigured with what is wrong and what to do
 */
export function checkDatabaseUrl(url: unknown, name = 'DATABASE_URL'): void {
  if (typeof url !== 'string' || url === '') refuseUrl(name, 'It is not set.', FORM);
  for (const one of addressesOf(name, url).urls) checkOneHost(one, name);
}

function checkOneHost(url: string, name: string): void {
  const parts = splitUrl(name, url);
  if (parts.scheme !== 'socket' && !/^postgres(?:ql)?:\/\//i.test(url)) {
    refuseUrl(name, 'It does not begin with postgresql://.', FORM);
  }
  const query = new URLSearchParams(parts.query);
  if (query.has('target_session_attrs')) {
    refuseUrl(name, 'It leads to one socket, for which target_session_attrs has no meaning.', 'Leave it out.');
  }
  checkQuery(name, query);
  if (databaseOf(parts, query) === '') refuseUrl(name, 'It names no database.', FORM);
  checkFiles(name, query);
  if (/[,;]/.test(clientOf(name, url).host)) {
    const advice = 'Write them into the URL: host1:port,host2:port with ?target_session_attrs=read-write.';
    refuseUrl(name, 'It, or PGHOST where it has none, names several hosts as one.', advice);
  }
}

function databaseOf({ scheme, path }: UrlParts, query: URLSearchParams): string {
  return scheme === 'socket' ? (query.get('db') ?? '') : path.slice(1);
}

function checkQuery(name: string, query: URLSearchParams): void {
  for (const port of query.getAll('port')) portNumber(name, port);
  const ignored = IGNORED.find((parameter) => query.has(parameter));
  if (ignored !== undefined)
    refuseUrl(name, `Its ${ignored} is libpq's, and the driver pg ignores it.`, 'Leave it out.');
  for (const [parameter, values] of Object.entries(KNOWN)) {
    if (query.getAll(parameter).some((value) => !values.includes(value))) {
      refuseUrl(name, `Its ${parameter} is unknown.`, `Use one of ${values.join(', ')}.`);
    }
  }
}

function checkFiles(name: string, query: URLSearchParams): void {
  for (const parameter of Object.values(FILES)) {
    for (const file of query.getAll(parameter)) readCertificate(name, parameter, file);
  }
}

/** pg's client for the URL, not connected. @throws ImproperlyConfigured when pg does not understand the URL */
function clientOf(name: string, url: string): pg.Client {
  let client: pg.Client;
  try {
    client = new pg.Client({ connectionString: url });
  } catch (error) {
    const words =
      error instanceof Error && /^(SECURITY WARNING|sslnegotiation)/.test(error.message) ? error.message : '';
    refuseUrl(name, words === '' ? 'pg cannot read it.' : `pg refuses it: ${words}`, words === '' ? undefined : '');
  }
  const { ssl } = client as { readonly ssl?: unknown };
  if (typeof ssl === 'object' && ssl !== null) checkCertificates(name, ssl, FILES);
  return client;
}

/**
 * The URL for display: `postgresql://user@host:port/database`, or the socket, for each host. Absent parts come from pg's
 * environment variables, as when pg connects. Leaves out the password, and all parameters, which may contain another one.
 */
export function shownDatabase(url: string): string {
  try {
    checkDatabaseUrl(url);
  } catch (error) {
    if (error instanceof ImproperlyConfigured) return 'a database URL that cannot be used';
    throw error;
  }
  return addressesOf('DATABASE_URL', url).urls.map(shownHost).join(', ');
}

function shownHost(url: string): string {
  const { user = '', host, port, database = '' } = clientOf('DATABASE_URL', url);
  const [who, at] = [user === '' ? '' : `, user ${user}`, user === '' ? '' : `${encodeURIComponent(user)}@`];
  if (host.startsWith('/')) return `socket ${host}/.s.PGSQL.${port} (database ${database}${who})`;
  const { scheme } = splitUrl('DATABASE_URL', url);
  return `${scheme}://${at}${host.includes(':') ? `[${host}]` : host}:${port}/${encodeURIComponent(database)}`;
}
