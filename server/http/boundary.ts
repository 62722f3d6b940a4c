/** The boundary of a multipart form: its syntax, and the check of the delimiter lines. */
import { SuspiciousOperation } from '../errors.js';
import { parse_header_parameters } from './header_parameters.js';

// RFC 2046 section 5.1.1, but up to 200 characters and any that are printable, as Django.
const BOUNDARY = /^[ -~]{0,200}[!-~]$/;

/**
 * The boundary that a Content-Type names.
 * @throws SuspiciousOperation (400) if it is missing or invalid
 */
export function boundaryOf(content_type: string): string {
  const boundary = parse_header_parameters(content_type).parameters.get('boundary') ?? '';
  if (!BOUNDARY.test(boundary)) throw new SuspiciousOperation('The form has no valid boundary.');
  return boundary;
}

/**
 * Refuses a body with a line that begins with the boundary and does not continue with the line's end or `--`.
 *
 * RFC 2046 forbids such lines inside a part. Dicer's result for them depends on how the body was split into chunks.
 */
export class DelimiterCheck {
  readonly #delimiter: Buffer;
  /** The last bytes, which may contain the start of a delimiter. The first delimiter needs no line before it. */
  #tail: Buffer = Buffer.from('\r\n');
  #ended = false;

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** @throws SuspiciousOperation (400) */
  push(chunk: Buffer): void {
    if (this.#ended) return;
    const { length } = this.#delimiter;
    const bytes = Buffer.concat([this.#tail, chunk]);
    let at = 0;
    for (;;) {
      const found = bytes.indexOf(this.#delimiter, at);
      if (found < 0 || found + length + 2 > bytes.length) break;
      at = found + length;
      const next = bytes.toString('latin1', at, at + 2);
      if (next === '--') {
        this.#ended = true;
        return;
      }
      if (next !== '\r\n') throw new SuspiciousOperation('A part of the form contains the boundary.');
    }
    this.#tail = bytes.subarray(Math.max(at, bytes.length - length - 1));
  }
}
