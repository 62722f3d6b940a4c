/** Prints the `Set-Cookie` header, as Django and Python's http.cookies do. Koa's own jar knows no Max-Age. */
import { CookieError } from '../errors.js';
import { isWellFormed } from '../signing/crypto.js';
import { checkCookieSize } from './cookie_size.js';
import { repr } from './python_text.js';

// http.cookies._LegalChars, and what it leaves unescaped inside quotes.
const LEGAL = /^[A-Za-z0-9!#$%&'*+\-.^_`|~:]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python escapes every character up to 255 that is not named here
const ESCAPED = /[\x00-\x1f",;\\\x7f-\xff]/g;

/** A value for Set-Cookie: unchanged if it has only the characters of a token and `:`, otherwise quoted. */
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
  checkCookieSize(key, line);
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
