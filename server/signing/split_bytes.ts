/**
 * Splits an object's JSON into its members' texts straight from the bytes, as fast as it goes: every request that
 * reads a session passes here. It knows the JSON that Python's compact `json.dumps` writes; anything else is left to
 * the scanner, which is three times as slow.
 */

import { MOST_DIGITS } from './json_scanner.js';

/** Objects and arrays in one another that the recursion here follows; deeper ones are the scanner's. */
const DEEPEST = 200;

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const SMALL_U = 117;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** What every function returns that found something it does not know. */
const UNKNOWN = -1;

// The checked index has no price here: behind the end it reads undefined, which equals no code and is not a digit.
const at = (bytes: Uint8Array, index: number): number => bytes[index] as number;

const isDigit = (code: number): boolean => code >= ZERO && code <= NINE;

const SIMPLE_ESCAPES = new Set([...'"\\/bfnrt'].map((character) => character.charCodeAt(0)));

const isHex = (code: number): boolean => isDigit(code) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);

/** From a backslash to behind the escape that it begins. */
function skipEscape(bytes: Uint8Array, start: number): number {
  const code = at(bytes, start + 1);
  if (SIMPLE_ESCAPES.has(code)) return start + 2;
  if (code !== SMALL_U) return UNKNOWN;
  for (let index = start + 2; index < start + 6; index += 1) if (!isHex(at(bytes, index))) return UNKNOWN;
  return start + 6;
}

/** From behind the opening quote to behind the closing one. */
function skipString(bytes: Uint8Array, start: number): number {
  for (let index = start; ; ) {
    const code = at(bytes, index);
    if (code === QUOTE) return index + 1;
    if (code === BACKSLASH) {
      index = skipEscape(bytes, index);
      if (index === UNKNOWN) return UNKNOWN;
    } else if (code >= 32) index += 1;
    // A control character, or the end: undefined is not >= 32 either.
    else return UNKNOWN;
  }
}

function skipDigits(bytes: Uint8Array, start: number): number {
  let index = start;
  while (isDigit(at(bytes, index))) index += 1;
  return index === start ? UNKNOWN : index;
}

/** -? (0 | [1-9][0-9]*) (. [0-9]+)?, without an exponent. */
function skipNumber(bytes: Uint8Array, start: number): number {
  const first = at(bytes, start) === MINUS ? start + 1 : start;
  const whole = at(bytes, first) === ZERO ? first + 1 : skipDigits(bytes, first);
  if (whole - first > MOST_DIGITS) return UNKNOWN;
  if (whole === UNKNOWN || at(bytes, whole) !== DOT) return whole;
  return skipDigits(bytes, whole + 1);
}

// As numbers: comparing four bytes with a literal is comparing one with another.
const [TRUE, FALSE, NULL] = ['true', 'false', 'null'].map((word) => Buffer.from(word)) as [Buffer, Buffer, Buffer];

function skipWord(bytes: Uint8Array, start: number): number {
  const first = at(bytes, start);
  const word = first === TRUE[0] ? TRUE : first === FALSE[0] ? FALSE : NULL;
  for (let index = 0; index < word.length; index += 1) if (bytes[start + index] !== word[index]) return UNKNOWN;
  return start + word.length;
}

/** From the first character of a value to behind it. */
function skipValue(bytes: Uint8Array, start: number, depth: number): number {
  const code = at(bytes, start);
  if (code === QUOTE) return skipString(bytes, start + 1);
  if (code === MINUS || isDigit(code)) return skipNumber(bytes, start);
  if (code !== OPEN_BRACE && code !== OPEN_BRACKET) return skipWord(bytes, start);
  if (depth === DEEPEST) return UNKNOWN;
  return code === OPEN_BRACE ? skipObject(bytes, start + 1, depth + 1) : skipArray(bytes, start + 1, depth + 1);
}

function skipObject(bytes: Uint8Array, start: number, depth: number): number {
  if (at(bytes, start) === CLOSE_BRACE) return start + 1;
  for (let index = start; ; ) {
    if (at(bytes, index) !== QUOTE) return UNKNOWN;
    index = skipString(bytes, index + 1);
    if (at(bytes, index) !== COLON) return UNKNOWN;
    index = skipValue(bytes, index + 1, depth);
    const code = at(bytes, index);
    index += 1;
    if (code === CLOSE_BRACE) return index;
    if (code !== COMMA) return UNKNOWN;
  }
}

function skipArray(bytes: Uint8Array, start: number, depth: number): number {
  if (at(bytes, start) === CLOSE_BRACKET) return start + 1;
  for (let index = start; ; ) {
    index = skipValue(bytes, index, depth);
    const code = at(bytes, index);
    index += 1;
    if (code === CLOSE_BRACKET) return index;
    if (code !== COMMA) return UNKNOWN;
  }
}

const readKey = (quoted: string): string =>
  quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);

/**
 * @param bytes the JSON text in ISO 8859-1
 * @returns the members' texts by key, as split_members; null when the text holds anything that is not known here: it
 *   may be JSON or not, and split_members tells
 */
export function split_bytes(bytes: Buffer): Map<string, string> | null {
  if (at(bytes, 0) !== OPEN_BRACE) return null;
  const text = bytes.toString('latin1');
  const members = new Map<string, string>();
  if (at(bytes, 1) === CLOSE_BRACE) return bytes.length === 2 ? members : null;
  for (let index = 1; ; ) {
    if (at(bytes, index) !== QUOTE) return null;
    const colon = skipString(bytes, index + 1);
    if (at(bytes, colon) !== COLON) return null;
    const end = skipValue(bytes, colon + 1, 1);
    const code = at(bytes, end);
    if (code !== COMMA && code !== CLOSE_BRACE) return null;
    members.set(readKey(text.slice(index, colon)), text.slice(colon + 1, end));
    index = end + 1;
    if (code === CLOSE_BRACE) return index === bytes.length ? members : null;
  }
}
