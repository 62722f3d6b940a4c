/** The keys of users, as sessions hold them: text that only the column's type understands. */
import { isWellFormed } from '../signing/crypto.js';

/** The types that a user's primary key may have. */
export type KeyType = 'smallint' | 'integer' | 'bigint' | 'uuid' | 'text';

const BITS: Readonly<Record<'smallint' | 'integer' | 'bigint', bigint>> = { smallint: 15n, integer: 31n, bigint: 63n };

/** What PostgreSQL's `format_type` prints → the type; undefined for one that no key of Django's has. */
export function keyTypeOf(type: string): KeyType | undefined {
  if (type === 'smallint' || type === 'integer' || type === 'bigint' || type === 'uuid' || type === 'text') return type;
  return /^character varying(\(\d+\))?$/.test(type) ? 'text' : undefined;
}

/** Longer texts are no key: the longest number that fits has 20 characters, a URN of a UUID 45, and keys are indexed. */
const LONGEST = 255;

// Python's int(): white space around, a sign, digits with single underscores between them.
const INTEGER = /^\s*([+-]?\d+(?:_\d+)*)\s*$/;

/**
 * A key in the one form in which Django prints it (`_meta.pk.value_to_string`), or null for what no row can have: the id
 * in a session may be anything that somebody put there. Django answers 500 to some of these.
 *
 * `' 7'`, integer → `'7'`; `'0F8F…'` without hyphens, uuid → `'0f8f…-…'`
 */
export function parseUserKey(text: string, type: KeyType): string | null {
  if (text.length > LONGEST || text.includes('\0') || !isWellFormed(text)) return null;
  if (type === 'text') return text;
  return type === 'uuid' ? parseUuid(text) : parseInteger(text, BITS[type]);
}

function parseInteger(text: string, bits: bigint): string | null {
  const digits = INTEGER.exec(text)?.[1]?.replaceAll('_', '');
  if (digits === undefined) return null;
  const value = BigInt(digits.replace(/^\+/, ''));
  return value >= -(1n << bits) && value < 1n << bits ? String(value) : null;
}

/** Python's uuid.UUID(hex): a URN, braces and hyphens fall away, 32 digits stay. */
function parseUuid(text: string): string | null {
  const digits = text.replaceAll('urn:', '').replaceAll('uuid:', '').replaceAll(/[{}-]/g, '');
  if (!/^[0-9a-fA-F]{32}$/.test(digits)) return null;
  return digits.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The key as a program wants it: a number where it is one that JavaScript holds exactly, otherwise the text. */
export function keyValue(key: string, type: KeyType): number | string {
  const exact = exactKey(key, type);
  return typeof exact === 'bigint' ? key : exact;
}

/** The key as Django's `user.pk`: text or a number, of whatever size. */
export function exactKey(key: string, type: KeyType): number | bigint | string {
  if (type === 'uuid' || type === 'text') return key;
  const number = Number(key);
  return Number.isSafeInteger(number) ? number : BigInt(key);
}
