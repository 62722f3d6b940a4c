/**
 * Parses CACHE_URL: a single Redis, Redis with Sentinel, or a cluster. Errors are reported before a connection is
 * opened.
 *
 * - `redis://user:password@host:port/database`
 * - `redis+sentinel://user:password@host:port,host:port/master/database`, the hosts being the sentinels. Redis-Sentinel-Url,
 *   Prefect and limits write it so; django-redis-sentinel's LOCATION, `master/host:port,host:port/database`, is read, too.
 * - `redis+cluster://user:password@host:port,host:port`, any of the cluster's nodes; the others are discovered
 *
 * `rediss` instead of `redis` is TLS, also to the sentinels. Parameters have redis-py's names.
 */
import { checkCertificates, readCertificate } from './certificates.js';
import { boolean } from './readers.js';
import { refuseUrl, splitUrl, type UrlParts } from './url_text.js';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export interface RedisAccount {
  readonly username?: string;
  readonly password?: string;
}

/** Options of node:tls. */
export interface RedisTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized: boolean;
  /** Whether the certificate must match the host name. */
  readonly checkHostname: boolean;
}

export interface CacheUrl {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** The Redis server, the sentinels, or nodes of the cluster; at least one. */
  readonly servers: readonly [RedisAddress, ...RedisAddress[]];
  /** The name of the master for the sentinels; '' without sentinels. */
  readonly master: string;
  readonly database: number;
  readonly account: RedisAccount;
  /** The account for the sentinels. */
  readonly sentinelAccount: RedisAccount;
  readonly tls: RedisTls | null;
}

/** The allowed forms of CACHE_URL, for error messages. */
export const CACHE_URL_FORMS =
  'redis://user:password@host:port/database, redis+sentinel://user:password@host:port,host:port/master-name/database or redis+cluster://user:password@host:port,host:port; rediss for TLS';

const USE = `Use ${CACHE_URL_FORMS}.`;

const FORM = /^redis(s)?(?:\+(sentinel|cluster))?:\/\//i;
// django-redis-sentinel: `master/host:port,host:port/database`.
const LOCATION = /^[\w.-]+\/[^/?#@\s]+(?:\/[0-9]*)?$/;
const HOST = /^[\w.-]*$|^[0-9A-Fa-f:.]+(?:%25[\w.~-]+)?$/;
const PORTS = { single: 6379, sentinel: 26_379, cluster: 6379 } as const;
const FILES = { ca: 'ssl_ca_certs', cert: 'ssl_certfile', key: 'ssl_keyfile' } as const;
const PARAMETERS = [
  'db',
  'sentinel_username',
  'sentinel_password',
  'ssl_cert_reqs',
  'ssl_check_hostname',
  ...Object.values(FILES),
];

/**
 * @param name the setting, for the message
 * @throws ImproperlyConfigured with a message that contains no part of the URL except paths of certificates
 */
export function readCacheUrl(url: string, name = 'CACHE_URL'): CacheUrl {
  const text = LOCATION.test(url) ? fromLocation(url) : url;
  const form = FORM.exec(text);
  if (form === null) refuseUrl(name, 'It begins with an unknown scheme.', USE);
  const kind = (form[2]?.toLowerCase() ?? 'single') as CacheUrl['kind'];
  const all = splitHosts(name, text, kind);
  const [{ userinfo, path, query: given }] = all;
  const query = parametersOf(name, given, kind, form[1] !== undefined);
  const [master, database] = placeOf(name, kind, path, query.get('db'));
  return {
    kind,
    servers: [serverOf(name, kind, all[0]), ...all.slice(1).map((parts) => serverOf(name, kind, parts))],
    master,
    database,
    account: accountOf(name, userinfo),
    sentinelAccount: account(query.get('sentinel_username'), query.get('sentinel_password')),
    tls: form[1] === undefined ? null : tlsOf(name, query),
  };
}

function fromLocation(location: string): string {
  const [master = '', hosts = '', database = ''] = location.split('/');
  return `redis+sentinel://${hosts}/${master}/${database}`;
}

/** The URL's parts for each of its hosts. */
function splitHosts(name: string, text: string, kind: CacheUrl['kind']): [UrlParts, ...UrlParts[]] {
  const start = text.indexOf('://') + 3;
  const end = start + text.slice(start).search(/[/?]|$/);
  const authority = text.slice(start, end);
  const hosts = start + authority.lastIndexOf('@') + 1;
  const partsOf = (host: string): UrlParts => splitUrl(name, text.slice(0, hosts) + host + text.slice(end));
  const [first = '', ...others] = text.slice(hosts, end).split(',');
  const all: [UrlParts, ...UrlParts[]] = [partsOf(first), ...others.map(partsOf)];
  // Django's RedisCache also accepts semicolons between servers.
  if (kind === 'single' && /[,;]/.test(text.slice(hosts, end))) {
    refuseUrl(
      name,
      'It names several hosts.',
      'Write redis+sentinel://host:port,host:port/master-name where they are sentinels, redis+cluster://host:port,host:port where they are nodes of a cluster, and otherwise only the one that is written to.',
    );
  }
  return all;
}

function serverOf(name: string, kind: CacheUrl['kind'], { host, port }: UrlParts): RedisAddress {
  if (host === '' && kind !== 'single') refuseUrl(name, 'It lacks a host.', USE);
  if (!HOST.test(host)) refuseUrl(name, 'Its host is neither a host name nor an address.');
  return { host: host === '' ? 'localhost' : host, port: port ?? PORTS[kind] };
}

/** The name of the master, '' without one, and the number of the database. */
function placeOf(name: string, kind: CacheUrl['kind'], path: string, db: string | null): [string, number] {
  const [, first = '', second = '', ...rest] = path.split('/');
  const [master, number] = kind === 'sentinel' ? [first, second] : ['', first];
  if (rest.length > 0 || (kind !== 'sentinel' && second !== '')) {
    refuseUrl(name, 'It has too many parts after its hosts.', USE);
  }
  // A number alone is the database.
  if (kind === 'sentinel' && (!/^[\w.-]+$/.test(master) || (/^[0-9]+$/.test(master) && number === ''))) {
    refuseUrl(name, 'It lacks the name of the master after the sentinels.', USE);
  }
  const text = db ?? (number === '' ? '0' : number);
  if (!/^[0-9]{1,5}$/.test(text)) refuseUrl(name, 'Its database is not a number.', 'Such as /0.');
  if (kind === 'cluster' && Number(text) !== 0) {
    refuseUrl(name, 'A cluster has only database 0.', 'Leave the number out.');
  }
  return [master, Number(text)];
}

function accountOf(name: string, userinfo: string | null): RedisAccount {
  if (userinfo === null || userinfo === '') return {};
  const colon = userinfo.indexOf(':');
  if (colon < 0) {
    refuseUrl(
      name,
      'It has a user and no password.',
      'A password alone is written :password@, a user without a password user:@.',
    );
  }
  return account(decodeURIComponent(userinfo.slice(0, colon)), decodeURIComponent(userinfo.slice(colon + 1)));
}

const account = (username: string | null, password: string | null): RedisAccount => ({
  ...(username ? { username } : {}),
  ...(username || password ? { password: password ?? '' } : {}),
});

function parametersOf(name: string, text: string, kind: CacheUrl['kind'], secure: boolean): URLSearchParams {
  const query = new URLSearchParams(text);
  const known = PARAMETERS.filter((parameter) => kind === 'sentinel' || !parameter.startsWith('sentinel_'));
  for (const parameter of query.keys()) {
    if (!known.includes(parameter)) {
      refuseUrl(name, 'It has an unknown parameter.', `Known are ${known.join(', ')}.`);
    }
    if (!secure && parameter.startsWith('ssl_')) {
      refuseUrl(name, `Its ${parameter} is for rediss, which is TLS.`, 'Write rediss, or leave the parameter out.');
    }
  }
  return query;
}

function tlsOf(name: string, query: URLSearchParams): RedisTls {
  const requirements = query.get('ssl_cert_reqs') ?? 'required';
  const checkHostname = boolean(query.get('ssl_check_hostname') ?? 'true');
  if (requirements !== 'required' && requirements !== 'none') {
    refuseUrl(name, 'Its ssl_cert_reqs is unknown.', 'Use required or none.');
  }
  if (checkHostname === undefined) {
    refuseUrl(name, 'Its ssl_check_hostname is unknown.', 'Use true or false.');
  }
  const files: { ca?: string; cert?: string; key?: string } = {};
  for (const [option, parameter] of Object.entries(FILES) as [keyof typeof FILES, string][]) {
    const file = query.get(parameter);
    if (file !== null) files[option] = readCertificate(name, parameter, file);
  }
  checkCertificates(name, files, FILES);
  return { ...files, rejectUnauthorized: requirements === 'required', checkHostname };
}
