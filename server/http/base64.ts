/** Decodes Content-Transfer-Encoding: base64 as Django: strictly; in files, whitespace is ignored. */
import { SuspiciousOperation } from '../errors.js';

const ALPHABET = /^[A-Za-z0-9+/]*={0,2}$/;

/** Python's `base64.b64decode(text, validate=True)`; null where that raises. */
export function b64decode(text: string): Buffer | null {
  return text.length % 4 === 0 && ALPHABET.test(text) ? Buffer.from(text, 'base64') : null;
}

/** Decodes a file chunk by chunk. An incomplete group of four characters is kept for the next chunk. */
export class Base64Decoder {
  #rest = '';

  /** @throws SuspiciousOperation (400) for invalid base64 */
  decode(chunk: Buffer): Buffer {
    const text = this.#rest + chunk.toString('latin1').replace(/[ \t\n\r\v\f]+/g, '');
    const aligned = text.length - (text.length % 4);
    this.#rest = text.slice(aligned);
    return b64decode(text.slice(0, aligned)) ?? fail();
  }

  end(): void {
    if (this.#rest !== '') fail();
  }
}

function fail(): never {
  throw new SuspiciousOperation('A file of the form is not valid base64.');
}
