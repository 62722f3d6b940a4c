/**
 * Python's `urllib.parse.urlsplit`: Django uses it to decide what is same-site; WHATWG's URL parses some texts
 * differently.
 */
import { isIPv6 } from 'node:net';
import { ValueError } from '../errors.js';

export interface SplitResult {
  readonly scheme: string;
  /** Everything between `//` and the path: user info, host and port, as written. */
  readonly netloc: string;
  readonly path: string;
  readonly query: string;
  readonly fragment: string;
}

const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):/;

/** The limit for a non-ASCII host, in UTF-16 code units; Python has none. */
const MAX_NETLOC = 2048;

/**
 * Split a URL without decoding anything, as Python 3.12.
 *
 * @throws ValueError for brackets without an IPv6 address, for a host that NFKC would split (bpo-36216), and for a
 *   non-ASCII host of more than 2048 characters
 */
export function urlsplit(url: string): SplitResult {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: WHATWG's "C0 control or space", as Python
  let rest = url.replace(/^[\x00-\x20]+/, '').replace(/[\t\r\n]/g, '');
  const scheme = SCHEME.exec(rest)?.[1] ?? '';
  if (scheme !== '') rest = rest.slice(scheme.length + 1);
  let netloc = '';
  if (rest.startsWith('//')) {
    netloc = /^[^/?#]*/.exec(rest.slice(2))?.[0] ?? '';
    rest = rest.slice(2 + netloc.length);
    checkBrackets(netloc);
  }
  const [beforeFragment, fragment] = partition(rest, '#');
  const [path, query] = partition(beforeFragment, '?');
  checkNfkc(netloc);
  return { scheme: scheme.toLowerCase(), netloc, path, query, fragment };
}

/** `urlsplit`, or null for what it refuses. */
export function tryUrlsplit(url: string): SplitResult | null {
  try {
    return urlsplit(url);
  } catch {
    return null;
  }
}

function partition(text: string, separator: string): readonly [string, string] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)];
}

function checkBrackets(netloc: string): void {
  const open = netloc.includes('[');
  if (open !== netloc.includes(']')) throw new ValueError('Invalid IPv6 URL');
  if (!open) return;
  const [host] = partition(partition(netloc, '[')[1], ']');
  const valid = host.startsWith('v') ? /^v[a-fA-F0-9]+\.[^\n]+$/.test(host) : isIPv6(host);
  if (!valid) throw new ValueError('Invalid IPv6 URL');
}

function checkNfkc(netloc: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII
  if (/^[\x00-\x7f]*$/.test(netloc)) return;
  // NFKC takes quadratic time over runs of combining marks, and no host is that long.
  if (netloc.length > MAX_NETLOC) throw new ValueError('netloc is too long');
  const bare = netloc.replace(/[@:#?]/g, '');
  const normal = bare.normalize('NFKC');
  if (bare !== normal && /[/?#@:]/.test(normal)) {
    throw new ValueError('netloc contains invalid characters under NFKC normalization');
  }
}

/** The parts as one URL again, for http and https. */
export function urlunsplit({ scheme, netloc, path, query, fragment }: SplitResult): string {
  let url = path;
  if (netloc !== '') url = `//${netloc}${url !== '' && !url.startsWith('/') ? '/' : ''}${url}`;
  if (scheme !== '') url = `${scheme}:${url}`;
  if (query !== '') url += `?${query}`;
  if (fragment !== '') url += `#${fragment}`;
  return url;
}
