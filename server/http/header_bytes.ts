/** Headers with non-ASCII characters, which Node stores as one character per byte. */

/**
 * Decodes a header of Node (one character per byte) as Django's get_str_from_wsgi: as UTF-8, with U+FFFD for invalid
 * bytes.
 */
export function decodeHeader(header: string): string {
  return /[\x80-\xff]/.test(header) ? Buffer.from(header, 'latin1').toString('utf8') : header;
}

/**
 * Encodes a header for Node (one character per byte): as Latin-1 like WSGI, or as UTF-8 if it has characters above
 * U+00FF, which no WSGI server can send. Django and decodeHeader read it back as UTF-8.
 */
export function encodeHeader(text: string): string {
  return /[\u0100-\uffff]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}
