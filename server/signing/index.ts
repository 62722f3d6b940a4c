/** Django's signing: `koa-django-session/signing`. */
export { b62_decode, b62_encode } from './base62.js';
export { type CookieSignerOptions, type CookieSignerSettings, signCookie, unsignCookie } from './cookie_signer.js';
export {
  constant_time_compare,
  get_random_string,
  type HashAlgorithm,
  type SigningKey,
  salted_hmac,
} from './crypto.js';
export { type DumpsOptions, dumps, type LoadsOptions, loads } from './objects.js';
export { parseJson, printJson } from './python_json.js';
export { Signer, type SignerOptions, TimestampSigner, type UnsignObjectOptions, type Verified } from './signer.js';
