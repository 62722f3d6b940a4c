/** How large a cookie may be. */
import { CookieError } from '../errors.js';
import { encodeHeader } from './header_bytes.js';
import { repr } from './python_text.js';

/** RFC 6265bis section 5.6: the size limit of browsers. Older ones counted the whole line, so we count it too. */
export const MAX_COOKIE_BYTES = 4096;

/** @throws CookieError for a Set-Cookie text of more than MAX_COOKIE_BYTES, which a browser drops without a word */
export function checkCookieSize(key: string, line: string): void {
  const bytes = Buffer.byteLength(encodeHeader(line), 'latin1');
  if (bytes > MAX_COOKIE_BYTES) {
    throw new CookieError(`Cookie ${repr(key)} has ${bytes} bytes; browsers drop one over ${MAX_COOKIE_BYTES}.`);
  }
}
