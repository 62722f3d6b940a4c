/**
 * Splits the URL of a service, such as DATABASE_URL, by its text. URL parsers can misinterpret a URL: in
 * `postgresql://ann:12/3@host/db` they see a host `ann`, a port 12 and a database `3@host/db`. So an ambiguous URL is
 * refused, and no part of it is in the message, because it may be a part of the password.
 */
import { ImproperlyConfigured } from '../errors.js';

/** The parts, still percent-encoded. */
export interface UrlParts {
  /** In small letters, without the colon. */
  readonly scheme: string;
  /** User and password: everything before the last `@`; null without one. */
  readonly userinfo: string | null;
  /** An IPv6 address is without brackets; '' if there is none. */
  readonly host: string;
  /** null when there is none. */
  readonly port: number | null;
  /** With its first slash; '' if there is none. */
  readonly path: string;
  /** The text after the question mark; '' if there is none. */
  readonly query: string;
}

const ENCODE =
  'In user and password write # as %23, / as %2F, ? as %3F, @ as %40, : as %3A, % as %25, [ as %5B, ] as %5D and a space as %20.';

/** The error for a URL: the setting's name, the problem, the solution. */
export function refuseUrl(name: string, wrong: string, advice: string = ENCODE): never {
  throw new ImproperlyConfigured(`${name}: ${wrong} ${advice}`.trimEnd());
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this finds
const SPACE = /[\s\u0000-\u0020\u007f]/;
// RFC 3986 section 3.2: host, then a port; an IPv6 address stands in brackets.
const HOST_AND_PORT = /^(?:\[([0-9A-Fa-f:.]+(?:%25[\w.~-]+)?)\]|([^[\]:]*))(?::([0-9]*))?$/;

/**
 * `scheme://user:password@host:port/path?query`, or `scheme:/path?query`.
 *
 * @param name the setting, for the message
 * @throws ImproperlyConfigured if a separator is misplaced, a `%` is not followed by a percent-encoding, there are
 *   several hosts, or the port is not a number
 */
export function splitUrl(name: string, text: string): UrlParts {
  if (SPACE.test(text)) refuseUrl(name, 'It contains a space or a line end.');
  if (text.includes('#')) refuseUrl(name, 'It contains a #, which such a URL cannot have.');
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) refuseUrl(name, 'It contains a % that is not part of a percent-encoding.');
  if (!isDecodable(text)) refuseUrl(name, 'Its percent-encoded text is not UTF-8, or contains NUL.');
  const [, scheme = '', slashes, rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):(\/\/)?(.*)$/.exec(text) ?? [];
  // `user:password@host` has the form of a scheme and a path, too.
  const hasScheme = scheme !== '' && (slashes !== undefined || rest.startsWith('/') || !rest.includes('@'));
  if (!hasScheme) refuseUrl(name, 'It does not begin with a scheme and ://.', 'Such as postgresql://.');
  const end = slashes === undefined ? 0 : lengthOfAuthority(rest);
  const [authority, after] = [rest.slice(0, end), rest.slice(end)];
  if (after.includes('@')) refuseUrl(name, 'A / or ? stands before an @.');
  const at = authority.lastIndexOf('@');
  const mark = after.indexOf('?');
  return {
    scheme: scheme.toLowerCase(),
    userinfo: at < 0 ? null : authority.slice(0, at),
    ...hostAndPort(name, authority.slice(at + 1)),
    path: mark < 0 ? after : after.slice(0, mark),
    query: mark < 0 ? '' : after.slice(mark + 1),
  };
}

function lengthOfAuthority(rest: string): number {
  const end = rest.search(/[/?]/);
  return end < 0 ? rest.length : end;
}

function isDecodable(text: string): boolean {
  try {
    return !decodeURIComponent(text).includes('\0');
  } catch {
    return false;
  }
}

function hostAndPort(name: string, text: string): Pick<UrlParts, 'host' | 'port'> {
  if (text.includes(',')) refuseUrl(name, 'It names several hosts.', 'Name one.');
  const match = HOST_AND_PORT.exec(text);
  if (match === null) {
    refuseUrl(name, 'Its host and port are neither host:port nor [IPv6 address]:port.');
  }
  const [, address, plain = '', port = ''] = match;
  return { host: address ?? plain, port: port === '' ? null : portNumber(name, port) };
}

/** @throws ImproperlyConfigured unless it is from 1 to 65535 */
export function portNumber(name: string, text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) refuseUrl(name, 'Its port is not a number from 1 to 65535.', '');
  return port;
}
