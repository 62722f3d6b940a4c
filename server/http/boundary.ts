/** The boundary of a multipart form: what it may be, and what may follow it. */
import { SuspiciousOperation } from '../errors.js';
import { parse_header_parameters } from './header_parameters.js';

// RFC 2046 section 5.1.1, but up to 200 characters and any that are printable, as Django.
const BOUNDARY = /^[ -~]{0,200}[!-~]$/;

/**
 * The boundary that a Content-Type names.
 * @throws SuspiciousOperation (400) where there is none, or none that can be one
 */
export function boundaryOf(content_type: string): string {
  const boundary = parse_header_parameters(content_type).parameters.get('boundary') ?? '';
  if (!BOUNDARY.test(boundary)) throw new SuspiciousOperation('The form names no boundary, or none that can be one.');
  return boundary;
}

/**
 * Refuses a body in which a line begins with the boundary and goes on with something else than its end or `--`.
 *
 * RFC 2046 forbids such a line inside of a part. Dicer reads one in two ways, by how the network has cut the body.
 */
export class DelimiterCheck {
  readonly #delimiter: Buffer;
  /** The last bytes, in which a delimiter may have begun. The first one needs no line before it. */
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
      if (next !== '\r\n') throw new SuspiciousOperation('The form holds its own boundary.');
    }
    this.#tail = bytes.subarray(Math.max(at, bytes.length - length - 1));
  }
}
