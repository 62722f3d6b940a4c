/** Users' primary keys as sessions store them: text that is interpreted by the column's type. */
import { isWellFormed } from '../signing/crypto.js';

/** The types that a user's primary key may have. */
export type KeyType = 'smallint' | 'integer' | 'bigint' | 'uuid' | 'text';

const BITS: Readonly<Record<'smallint' | 'integer' | 'bigint', bigint>> = { smallint: 15n, integer: 31n, bigint: 63n };

/** Maps the result of PostgreSQL's `format_type` to a type; undefined for a type that Django's keys do not have. */
export function keyTypeOf(type: string): KeyType | undefined {
  if (type === 'smallint' || type === 'integer' || type === 'bigint' || type === 'uuid' || type === 'text') return type;
  return /^character varying(\(\d+\))?$/.test(type) ? 'text' : undefined;
}

/**
 * Longer texts are not keys: the longest number has 20 characters, a URN of a UUID 45, and index entries are limited.
 */
const LONGEST = 255;

// Python's int(): surrounding whitespace, a sign, digits with single underscores between them.
const INTEGER = /^\s*([+-]?\d+(?:_\d+)*)\s*$/;

/**
 * A key in Django's canonical form (`_meta.pk.value_to_string`), or null for an impossible key: the id in a session may
 * be anything. Django answers 500 to some of these.
 *
 * `' 7'`, integer → `'7'`; `'0F8F…'` without hyphens, uuid → `'0f8f…-…'`
 */
export function parseUserKey(text: string, type: KeyType): string | null {
  if (text.length > LONGEST || text.includes('\0') || !isWellFormed(text)) return null;
  if (type === 'text' || (type !== 'uuid' && type !== 'smallint' && USUAL.test(text))) return text;
  return type === 'uuid' ? parseUuid(text) : parseInteger(text, BITS[type]);
}

/** As nearly all keys are: in canonical form, and small enough for an integer and a bigint. */
const USUAL = /^[1-9]\d{0,8}$/;

function parseInteger(text: string, bits: bigint): string | null {
  const digits = INTEGER.exec(text)?.[1]?.replaceAll('_', '');
  if (digits === undefined) return null;
  const value = BigInt(digits.replace(/^\+/, ''));
  return value >= -(1n << bits) && value < 1n << bits ? String(value) : null;
}

/** Python's uuid.UUID(hex): a URN prefix, braces and hyphens are removed, 32 digits remain. */
function parseUuid(text: string): string | null {
  const digits = text.replaceAll('urn:', '').replaceAll('uuid:', '').replaceAll(/[{}-]/g, '');
  if (!/^[0-9a-fA-F]{32}$/.test(digits)) return null;
  return digits.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The key as a number if JavaScript can represent it exactly, otherwise as text. */
export function keyValue(key: string, type: KeyType): number | string {
  const exact = exactKey(key, type);
  return typeof exact === 'bigint' ? key : exact;
}

/** The key as Django's `user.pk`: text or an integer of any size. */
export function exactKey(key: string, type: KeyType): number | bigint | string {
  if (type === 'uuid' || type === 'text') return key;
  const number = Number(key);
  return Number.isSafeInteger(number) ? number : BigInt(key);
}
