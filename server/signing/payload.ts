/** JSON text ↔ the part of a signed object before its signature: base64, compressed when that is shorter. */
import { hasCode } from '../error_code.js';
import { ValueError } from '../errors.js';
import { deflate, inflate } from '../undocumented/zlib.js';
import { b64url_decode, b64url_encode } from './base64url.js';

/** The most bytes of a signed object's JSON, uncompressed, unless the caller gives another limit: 4 MiB. */
export const DEFAULT_MAX_BYTES = 4_194_304;

const NOT_LATIN_1 = /[\u0100-\uffff]/;

/**
 * `{"a":1}` → `eyJhIjoxfQ`, or `.` and the base64 of its zlib stream if that is shorter
 * (django.core.signing.Signer.sign_object). Builds of zlib compress one text to different bytes.
 * @throws ValueError for a character above U+00FF; Python's JSON has ASCII alone
 */
export function pack(json: string, compress: boolean): string {
  if (NOT_LATIN_1.test(json)) throw new ValueError('The JSON text must escape what is not in ISO 8859-1.');
  const data = Buffer.from(json, 'latin1');
  if (compress) {
    const compressed = deflate(data);
    if (compressed.length < data.length - 1) return `.${b64url_encode(compressed)}`;
  }
  return b64url_encode(data);
}

/**
 * What `pack` returned → the JSON text. Call it only after the signature was verified: nothing unsigned may be inflated.
 * @throws ValueError when it is no base64, no zlib stream, or more than `maxBytes` after inflating
 */
export function unpack(packed: string, maxBytes: number = DEFAULT_MAX_BYTES): string {
  return unpackBytes(packed, maxBytes).toString('latin1');
}

/** `unpack` to bytes. They are valid until the next call. */
export function unpackBytes(packed: string, maxBytes: number = DEFAULT_MAX_BYTES): Buffer {
  const compressed = packed.startsWith('.');
  let data = b64url_decode(compressed ? packed.slice(1) : packed);
  if (compressed) {
    try {
      data = inflate(data, maxBytes);
    } catch (cause) {
      if (isTooLarge(cause)) throw new ValueError(tooLarge(maxBytes), { cause });
      throw new ValueError('The payload is no zlib stream.', { cause });
    }
  }
  if (data.length > maxBytes) throw new ValueError(tooLarge(maxBytes));
  return data;
}

export const tooLarge = (maxBytes: number): string => `The payload is larger than ${maxBytes} bytes.`;

/** Whether it is the error that node:zlib throws beyond maxOutputLength. */
const isTooLarge = (error: unknown): boolean => error instanceof RangeError && hasCode(error, 'ERR_BUFFER_TOO_LARGE');
