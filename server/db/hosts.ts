/**
 * DATABASE_URL with several hosts, as libpq writes them (PostgreSQL manual, 34.1.1.3): `postgresql://h1:5432,h2:5433/db`, or
 * `postgresql:///db?host=h1,h2&port=5432,5433`. pg would read `h1,h2` as one host name, so this makes one URL per host.
 */
import { refuseUrl } from '../settings/url_text.js';
import { nearestName } from '../spelling.js';

/** What the server must be, as in libpq; `any` accepts every server. */
export type SessionAttributes = 'any' | 'read-write' | 'primary';

export interface Addresses {
  /** One URL for each host, without target_session_attrs. */
  readonly urls: readonly string[];
  readonly target_session_attrs: SessionAttributes;
}

/** The values of libpq that accept a standby, where sessions cannot be saved. */
const STANDBY_TOO: readonly string[] = ['read-only', 'standby', 'prefer-standby'];
const USE = 'Use read-write, or primary.';
const EMPTY = 'Write each as host:port, an IPv6 address in brackets.';

/** The parameters that choose the server. */
const PARAMETERS: readonly string[] = ['host', 'port', 'target_session_attrs'];

interface HostAndPort {
  readonly host: string;
  readonly port: string | undefined;
}

/**
 * @param name the setting, for the message
 * @throws ImproperlyConfigured when there are several hosts without target_session_attrs, or when it accepts a standby.
 *   `checkDatabaseUrl` checks the rest of each URL
 */
export function addressesOf(name: string, url: string): Addresses {
  const [, scheme = '', authority = '', path = '', query] =
    /^(postgres(?:ql)?:\/\/)([^/?]*)([^?]*)(?:\?(.*))?$/is.exec(url) ?? [];
  if (scheme === '') return { urls: [url], target_session_attrs: 'any' };
  const pairs = query === undefined ? [] : query.split('&');
  refuseMisspelt(name, pairs.map(nameOf));
  const target_session_attrs = attributesOf(name, valuesOf(pairs, 'target_session_attrs'));
  const without = (...names: readonly string[]): string[] => pairs.filter((pair) => !names.includes(nameOf(pair)));
  const join = (place: string, rest: readonly string[]): string =>
    `${scheme}${place}${path}${rest.length === 0 ? '' : `?${rest.join('&')}`}`;

  const hosts = valuesOf(pairs, 'host').at(-1);
  if (hosts?.includes(',') === true) {
    const ports = valuesOf(pairs, 'port').at(-1)?.split(',') ?? [];
    const rest = without('host', 'port', 'target_session_attrs');
    const urls = pairsOf(name, hosts.split(','), ports).map(({ host, port }) =>
      join(authority, [`host=${encodeURIComponent(host)}`, ...(port === undefined ? [] : [`port=${port}`]), ...rest]),
    );
    return several(name, urls, target_session_attrs);
  }
  const at = authority.lastIndexOf('@') + 1;
  const places = authority.slice(at).split(/,|%2C/i);
  const rest = without('target_session_attrs');
  if (places.length === 1) {
    if (target_session_attrs === undefined) return { urls: [url], target_session_attrs: 'any' };
    return { urls: [join(authority, rest)], target_session_attrs };
  }
  if (places.some((place) => place === '' || place.startsWith(':')))
    refuseUrl(name, 'One of its hosts is empty.', EMPTY);
  const urls = places.map((place) => join(authority.slice(0, at) + place, rest));
  return several(name, urls, target_session_attrs);
}

function several(name: string, urls: readonly string[], wanted: SessionAttributes | undefined): Addresses {
  if (wanted === undefined) {
    const advice = 'Name one, or add target_session_attrs=read-write, by which the one that takes writes is found.';
    refuseUrl(name, 'It names several hosts.', advice);
  }
  if (wanted === 'any') refuseUrl(name, 'Of its hosts target_session_attrs=any would take a standby, too.', USE);
  return { urls, target_session_attrs: wanted };
}

function attributesOf(name: string, values: readonly string[]): SessionAttributes | undefined {
  const value = values.at(-1);
  if (value === undefined || value === 'any' || value === 'read-write' || value === 'primary') return value;
  if (STANDBY_TOO.includes(value)) {
    refuseUrl(name, `With target_session_attrs=${value} it leads to a standby, where no session can be saved.`, USE);
  }
  return refuseUrl(name, 'Its target_session_attrs is unknown.', USE);
}

/** As in libpq: a single port is for all hosts, otherwise there is one per host. An empty port is the default one. */
function pairsOf(name: string, hosts: readonly string[], ports: readonly string[]): readonly HostAndPort[] {
  if (ports.length > 1 && ports.length !== hosts.length) {
    refuseUrl(name, `It names ${hosts.length} hosts and ${ports.length} ports.`, 'Give each host a port, or all one.');
  }
  if (hosts.includes('')) refuseUrl(name, 'One of its hosts is empty.', EMPTY);
  return hosts.map((host, index) => ({ host, port: (ports.length > 1 ? ports[index] : ports[0]) || undefined }));
}

/** pg ignores an unknown parameter: with a misspelt one it would connect to a standby or to localhost. */
function refuseMisspelt(name: string, parameters: readonly string[]): void {
  for (const parameter of parameters) {
    const meant = PARAMETERS.includes(parameter) ? undefined : nearestName(parameter, PARAMETERS);
    if (meant !== undefined) refuseUrl(name, `A parameter is almost ${meant}.`, `Write ${meant}.`);
  }
}

const nameOf = (pair: string): string => pair.split('=', 1)[0] ?? '';

/** Keeps a value that cannot be decoded: `checkDatabaseUrl` refuses the URL. */
function valuesOf(pairs: readonly string[], wanted: string): readonly string[] {
  return pairs
    .filter((pair) => nameOf(pair) === wanted)
    .map((pair) => {
      const value = pair.slice(wanted.length + 1);
      try {
        return decodeURIComponent(value);
      } catch {
        return value;
      }
    });
}
