/** Headers with characters beyond ASCII: node has a character for each byte. */

/**
 * The header as node gives it, a character for each byte → text, as Django's get_str_from_wsgi: UTF-8, and U+FFFD for
 * what is not.
 */
export function decodeHeader(header: string): string {
  return /[\x80-\xff]/.test(header) ? Buffer.from(header, 'latin1').toString('utf8') : header;
}

/**
 * A header's text → what node wants, a character for each byte. Up to U+00FF as Latin-1, as WSGI; text with other
 * characters, which no WSGI server sends, as UTF-8, which is what Django and decodeHeader read it as when it returns.
 */
export function encodeHeader(text: string): string {
  return /[\u0100-\uffff]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}
