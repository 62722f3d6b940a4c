/**
 * The text of the `Cookie` and `Set-Cookie` headers, as Django and Python's http.cookies read and print it.
 * Koa's own jar differs: of two cookies of one name it takes the first where Django takes the last, it knows no quoted
 * values and no Max-Age, so that one browser would be two visitors.
 */
import { CookieError } from '../errors.js';
import { isWellFormed } from '../signing/crypto.js';
import { repr, strip } from './python_text.js';

/** The names and values of one request. */
export type Cookies = ReadonlyMap<string, string>;

const NO_COOKIES: Cookies = new Map();

/**
 * The header as node gives it, a character for each byte → text, as Django's get_str_from_wsgi: UTF-8, and U+FFFD for
 * what is not.
 */
export function decodeHeader(header: string): string {
  return /[\x80-\xff]/.test(header) ? Buffer.from(header, 'latin1').toString('utf8') : header;
}

// RFC 6265bis section 5.7: browsers compare it without case.
const PREFIXED = /^__(?:host|secure)-/i;

/**
 * Read a `Cookie` header, as django.http.parse_cookie: names and values are stripped, values unquoted, a part without
 * `=` is the value of the empty name, and of one name the last value counts. Never throws.
 *
 * Names with the prefix `__Host-` or `__Secure-` promise who has set the cookie, so two things are stricter than in
 * Django. Of such a name only spaces and tabs are stripped, as browsers do it: U+2000 before it makes a name without
 * prefix to a browser, which a sibling host may set. And where one comes twice, neither counts: one of them was not set
 * by whom the prefix promises.
 *
 * ```ts
 * const cookies = parse_cookie('sessionid=a; sessionid=b');
 * cookies.get('sessionid'); // b
 * ```
 *
 * @param header decoded text, see decodeHeader
 */
export function parse_cookie(header: string): Cookies {
  if (header === '') return NO_COOKIES;
  const cookies = new Map<string, string>();
  const twice = new Set<string>();
  for (const chunk of header.split(';')) {
    const equals = chunk.indexOf('=');
    const name = equals < 0 ? '' : chunk.slice(0, equals);
    let key = strip(name);
    if (PREFIXED.test(key)) {
      key = stripBlanks(name);
      if (cookies.has(key)) twice.add(key);
    }
    const value = strip(chunk.slice(equals + 1));
    if (key !== '' || value !== '') cookies.set(key, unquote(value));
  }
  for (const key of twice) cookies.delete(key);
  return cookies;
}

/** RFC 6265bis section 5.6: WSP, which is the space and the tab. Not a RegExp: `[ \t]+$` takes quadratic time. */
function stripBlanks(text: string): string {
  const isBlank = (at: number): boolean => text[at] === ' ' || text[at] === '\t';
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(start)) start += 1;
  while (start < end && isBlank(end - 1)) end -= 1;
  return text.slice(start, end);
}

// http.cookies._unquote: \ooo is a character up to 255, a backslash before anything but a line feed falls away.
const ESCAPE = /\\(?:([0-3][0-7][0-7])|([^\n]))/g;

function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  return value
    .slice(1, -1)
    .replace(ESCAPE, (_, octal: string | undefined, character: string) =>
      octal === undefined ? character : String.fromCharCode(Number.parseInt(octal, 8)),
    );
}

// http.cookies._LegalChars, and what it leaves unescaped inside quotes.
const LEGAL = /^[A-Za-z0-9!#$%&'*+\-.^_`|~:]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python escapes every character up to 255 that is not named here
const ESCAPED = /[\x00-\x1f",;\\\x7f-\xff]/g;

/** A value as it stands in Set-Cookie: as it is where a token's characters and `:` are enough, otherwise quoted. */
function quote(value: string): string {
  if (LEGAL.test(value)) return value;
  const body = value.replace(ESCAPED, (character) =>
    character === '"' || character === '\\'
      ? `\\${character}`
      : `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return `"${body}"`;
}

/** One cookie to send: Python's Morsel. An attribute that is '' is not printed, as there. */
export interface Morsel {
  readonly key: string;
  readonly value: string;
  readonly expires: string;
  readonly path: string;
  readonly domain: string;
  readonly max_age: number | '';
  readonly secure: boolean;
  readonly httponly: boolean;
  readonly samesite: string;
}

const RESERVED = ['expires', 'path', 'comment', 'domain', 'max-age', 'secure', 'httponly', 'version', 'samesite'];

/** RFC 6265bis section 5.6: what browsers keep of one cookie. Older ones counted the whole line, so we do. */
export const MAX_COOKIE_BYTES = 4096;

/**
 * A Set-Cookie text in Python's order of attributes:
 * `sessionid=ab12; Domain=example.com; expires=Thu, 15 Jan 2026 00:00:00 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax; Secure`.
 *
 * @throws CookieError for a name that Python refuses, for control characters or `;` in an attribute (Python 3.12 prints
 *   them: header injection), for a lone surrogate, and for more than MAX_COOKIE_BYTES
 */
export function printSetCookie(morsel: Morsel): string {
  const { key } = morsel;
  if (RESERVED.includes(key.toLowerCase())) throw new CookieError(`Attempt to set a reserved key ${repr(key)}`);
  if (!LEGAL.test(key)) throw new CookieError(`Illegal key ${repr(key)}`);
  let line = `${key}=${quote(morsel.value)}`;
  if (morsel.domain !== '') line += `; Domain=${attribute(key, 'Domain', morsel.domain)}`;
  if (morsel.expires !== '') line += `; expires=${attribute(key, 'expires', morsel.expires)}`;
  if (morsel.httponly) line += '; HttpOnly';
  if (morsel.max_age !== '') line += `; Max-Age=${morsel.max_age}`;
  if (morsel.path !== '') line += `; Path=${attribute(key, 'Path', morsel.path)}`;
  if (morsel.samesite !== '') line += `; SameSite=${attribute(key, 'SameSite', morsel.samesite)}`;
  if (morsel.secure) line += '; Secure';
  if (!isWellFormed(line)) throw new CookieError(`Cookie ${repr(key)}: half a surrogate pair cannot be sent.`);
  const bytes = Buffer.byteLength(encodeHeader(line), 'latin1');
  if (bytes > MAX_COOKIE_BYTES) {
    throw new CookieError(`Cookie ${repr(key)} has ${bytes} bytes; browsers drop one over ${MAX_COOKIE_BYTES}.`);
  }
  return line;
}

// RFC 6265bis section 4.1.1, av-octet: any CHAR except CTLs or ";".
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const NOT_IN_ATTRIBUTE = /[\x00-\x1f\x7f;]/;

function attribute(key: string, name: string, text: string): string {
  if (NOT_IN_ATTRIBUTE.test(text)) {
    throw new CookieError(`Cookie ${repr(key)}: ${name} must not hold control characters or ";".`);
  }
  return text;
}

/**
 * A header's text → what node wants, a character for each byte. Up to U+00FF as Latin-1, as WSGI; text with other
 * characters, which no WSGI server sends, as UTF-8, which is what Django and decodeHeader read it as when it returns.
 */
export function encodeHeader(text: string): string {
  return /[\u0100-\uffff]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}
