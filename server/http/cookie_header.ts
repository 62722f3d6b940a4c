/**
 * Reads the `Cookie` header, as Django and Python's http.cookies do. Koa's own jar differs: of two cookies of one name it
 * takes the first where Django takes the last, and it knows no quoted values, so that one browser would be two visitors.
 */
import { strip } from './python_text.js';

/** The names and values of one request. */
export type Cookies = ReadonlyMap<string, string>;

const NO_COOKIES: Cookies = new Map();

// RFC 6265bis section 5.7: browsers compare the prefix case-insensitively.
const PREFIXED = /^__(?:host|secure)-/i;

/**
 * Read a `Cookie` header, as django.http.parse_cookie: names and values are stripped, values unquoted, a part without
 * `=` is the value of the empty name, and the last of several values counts. Never throws.
 *
 * The prefixes `__Host-` and `__Secure-` guarantee who has set the cookie, so two rules are stricter than in Django.
 * Only spaces and tabs are stripped from such a name, as in browsers: for a browser, U+2000 and the name is a name
 * without prefix, which a sibling host may set. If such a name occurs twice, both are ignored, because one of them
 * violates the guarantee.
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

/** RFC 6265bis section 5.6: WSP is space and tab. Not a RegExp, because `[ \t]+$` takes quadratic time. */
function stripBlanks(text: string): string {
  const isBlank = (at: number): boolean => text[at] === ' ' || text[at] === '\t';
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(start)) start += 1;
  while (start < end && isBlank(end - 1)) end -= 1;
  return text.slice(start, end);
}

// http.cookies._unquote: \ooo is a character up to 255, otherwise a backslash is removed, except before a line feed.
const ESCAPE = /\\(?:([0-3][0-7][0-7])|([^\n]))/g;

function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  return value
    .slice(1, -1)
    .replace(ESCAPE, (_, octal: string | undefined, character: string) =>
      octal === undefined ? character : String.fromCharCode(Number.parseInt(octal, 8)),
    );
}
