/** Any JSON value as one signed text, `eyJhIjoxfQ:1vb66i:…` (django.core.signing.dumps and loads). */
import type { Clock } from '../clock.js';
import type { SigningKey } from './crypto.js';
import { TimestampSigner } from './signer.js';

const SALT = 'django.core.signing';

/** Key, salt and time of `dumps`. */
export interface DumpsOptions {
  readonly key: SigningKey;
  readonly salt?: string;
  /** Compress if that is shorter; a leading dot says so. */
  readonly compress?: boolean;
  readonly now?: Clock;
}

/**
 * A JSON value → signed text that is safe in a URL.
 *
 * ```ts
 * const link = `/confirm/${dumps({ id: 7 }, { key: settings.SECRET_KEY, salt: 'confirm' })}/`;
 * ```
 *
 * @throws TypeError for what JSON cannot hold
 */
export function dumps(obj: unknown, options: DumpsOptions): string {
  const signer = signerOf(options);
  return signer.sign_object(obj, { compress: options.compress ?? false });
}

/** Keys, salt and bounds of `loads`. */
export interface LoadsOptions {
  readonly key: SigningKey;
  readonly salt?: string;
  /** Seconds; an older text is refused. */
  readonly max_age?: number;
  readonly fallback_keys?: readonly SigningKey[];
  /** The most bytes that the JSON text may have; 4 MiB when absent. */
  readonly maxBytes?: number;
  readonly now?: Clock;
}

/**
 * Signed text of `dumps` → the JSON value.
 *
 * ```ts
 * const order = loads(link, { key: settings.SECRET_KEY, salt: 'confirm', max_age: 86_400 });
 * ```
 *
 * @throws BadSignature, SignatureExpired
 * @throws ValueError when what was signed is no JSON, or more than `maxBytes`
 */
export function loads(text: string, options: LoadsOptions): unknown {
  return signerOf(options).unsign_object(text, options);
}

const signerOf = (options: DumpsOptions | LoadsOptions): TimestampSigner =>
  new TimestampSigner({ ...options, salt: options?.salt ?? SALT });
