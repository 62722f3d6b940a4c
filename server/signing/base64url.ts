/** Base64 for URLs without padding, read as leniently as Python reads it (django.core.signing.b64_encode). */
import { ValueError } from '../errors.js';

/** Bytes, or a text's UTF-8, in base64 with `-` and `_` and no `=`. */
export function b64url_encode(data: Buffer | string): string {
  return (typeof data === 'string' ? Buffer.from(data, 'utf8') : data).toString('base64url');
}

/**
 * Decodes as django.core.signing.b64_decode: adds padding, skips characters outside the alphabet, and reads `+` and `/` as
 * `-` and `_`. That leniency does not weaken a signature, which covers the undecoded text.
 * @throws ValueError where Python raises binascii.Error: the characters of the alphabet are no whole number of bytes
 */
export function b64url_decode(text: string): Buffer {
  const data = Buffer.from(text, 'base64url');
  // Node skips characters outside the alphabet and stops at "=". If the length fits, it did neither.
  const whole = text.length % 4 !== 1 && data.length === Math.floor((text.length * 3) / 4);
  return whole ? data : decodeLeniently(text);
}

const EQUALS_SIGN = 61;

/** Python's binascii.a2b_base64 in its default, lenient mode, after Django's padding (CPython, Modules/binascii.c). */
function decodeLeniently(text: string): Buffer {
  // Django computes the padding from all of the text's bytes, including those that are skipped.
  const bytes = Buffer.byteLength(text, 'utf8');
  const padded = text + '='.repeat((4 - (bytes % 4)) % 4);
  let kept = '';
  let pads = 0;
  for (let at = 0; at < padded.length; at += 1) {
    const code = padded.charCodeAt(at);
    if (code === EQUALS_SIGN) {
      pads += 1;
      // Enough padding ends the data, whatever follows.
      if (kept.length % 4 >= 2 && (kept.length % 4) + pads >= 4) return Buffer.from(kept, 'base64url');
    } else if (isBase64(code)) {
      kept += padded.charAt(at);
      pads = 0;
    }
  }
  if (kept.length % 4 === 0) return Buffer.from(kept, 'base64url');
  throw new ValueError('The text is no base64: its characters do not make whole bytes.');
}

function isBase64(code: number): boolean {
  const letter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
  const digit = code >= 48 && code <= 57;
  // "+", "/", "-" and "_".
  return letter || digit || code === 43 || code === 47 || code === 45 || code === 95;
}
