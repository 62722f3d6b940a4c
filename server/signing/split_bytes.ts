/**
 * Splits an object's JSON into its members' texts straight from the bytes, as fast as it goes: every request that
 * reads a session passes here. It knows the JSON that Python's compact `json.dumps` writes; anything else is left to
 * the scanner, which is three times as slow.
 */

import { MAX_DEPTH, MOST_DIGITS } from './json_scanner.js';
import { Members } from './members.js';

/** Objects and arrays around a place inside a member's value: without the session's own object and the value's. */
const DEEPEST = MAX_DEPTH - 2;

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const SMALL_U = 117;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** What every function returns that found something it does not know. */
const UNKNOWN = -1;

// Everywhere here an index behind the end reads undefined, which equals no code and is in no table.

/** A table is faster than comparing: most of a session is the insides of strings and numbers. */
const tableOf = (holds: (code: number) => boolean): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, code) => (holds(code) ? 1 : 0));

const IS_DIGIT = tableOf((code) => code >= ZERO && code <= NINE);

/** What stands for itself in a string. */
const IS_PLAIN = tableOf((code) => code >= 32 && code !== QUOTE && code !== BACKSLASH);

const isDigit = (code: number | undefined): boolean => IS_DIGIT[code as number] === 1;

const SIMPLE_ESCAPES = new Set([...'"\\/bfnrt'].map((character) => character.charCodeAt(0)));

const isHex = (code: number): boolean => isDigit(code) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);

/** From a backslash to behind the escape that it begins. */
function skipEscape(bytes: Uint8Array, start: number): number {
  const code = bytes[start + 1];
  if (SIMPLE_ESCAPES.has(code as number)) return start + 2;
  if (code !== SMALL_U) return UNKNOWN;
  for (let index = start + 2; index < start + 6; index += 1) if (!isHex(bytes[index] as number)) return UNKNOWN;
  return start + 6;
}

/** From behind the opening quote to behind the closing one. */
function skipString(bytes: Uint8Array, start: number): number {
  for (let index = start; ; ) {
    while (IS_PLAIN[bytes[index] as number] === 1) index += 1;
    const code = bytes[index];
    if (code === QUOTE) return index + 1;
    // A control character, or the end.
    if (code !== BACKSLASH) return UNKNOWN;
    index = skipEscape(bytes, index);
    if (index === UNKNOWN) return UNKNOWN;
  }
}

function skipDigits(bytes: Uint8Array, start: number): number {
  let index = start;
  while (isDigit(bytes[index])) index += 1;
  return index === start ? UNKNOWN : index;
}

/** -? (0 | [1-9][0-9]*) (. [0-9]+)?, without an exponent. */
function skipNumber(bytes: Uint8Array, start: number): number {
  const first = bytes[start] === MINUS ? start + 1 : start;
  const whole = bytes[first] === ZERO ? first + 1 : skipDigits(bytes, first);
  if (whole - first > MOST_DIGITS) return UNKNOWN;
  if (whole === UNKNOWN || bytes[whole] !== DOT) return whole;
  return skipDigits(bytes, whole + 1);
}

// As numbers: comparing four bytes with a literal is comparing one with another.
const [TRUE, FALSE, NULL] = ['true', 'false', 'null'].map((word) => Buffer.from(word)) as [Buffer, Buffer, Buffer];

function skipWord(bytes: Uint8Array, start: number): number {
  const first = bytes[start];
  const word = first === TRUE[0] ? TRUE : first === FALSE[0] ? FALSE : NULL;
  for (let index = 0; index < word.length; index += 1) if (bytes[start + index] !== word[index]) return UNKNOWN;
  return start + word.length;
}

/** From the first character of a number or word to behind it. */
function skipScalar(bytes: Uint8Array, start: number): number {
  const code = bytes[start];
  return code === MINUS || isDigit(code) ? skipNumber(bytes, start) : skipWord(bytes, start);
}

const isOpening = (code: number | undefined): boolean => code === OPEN_BRACE || code === OPEN_BRACKET;

/** `{` and `}`, `[` and `]` lie two apart in ASCII. */
const closerOf = (opening: number): number => opening + 2;

/** How the objects and arrays around the present one close, from the outside in. One for all, as no call waits. */
const closers = new Uint8Array(DEEPEST);

/** From an object's or array's opening bracket to behind the closing one. A loop: calls took a quarter more time. */
function skipNested(bytes: Uint8Array, start: number): number {
  let closer = closerOf(bytes[start] as number);
  let depth = 0;
  let index = start + 1;
  let isEmpty = true;
  for (;;) {
    let code = bytes[index];
    if (code !== closer || !isEmpty) {
      if (closer === CLOSE_BRACE) {
        if (code !== QUOTE) return UNKNOWN;
        index = skipString(bytes, index + 1);
        if (bytes[index] !== COLON) return UNKNOWN;
        index += 1;
        code = bytes[index];
      }
      if (isOpening(code)) {
        if (depth === DEEPEST) return UNKNOWN;
        closers[depth] = closer;
        depth += 1;
        closer = closerOf(code as number);
        index += 1;
        isEmpty = true;
        continue;
      }
      index = code === QUOTE ? skipString(bytes, index + 1) : skipScalar(bytes, index);
      code = bytes[index];
    }
    while (code === closer) {
      index += 1;
      if (depth === 0) return index;
      depth -= 1;
      closer = closers[depth] as number;
      code = bytes[index];
    }
    if (code !== COMMA) return UNKNOWN;
    index += 1;
    isEmpty = false;
  }
}

/** From the first character of a value to behind it. */
function skipValue(bytes: Uint8Array, start: number): number {
  const code = bytes[start];
  if (code === QUOTE) return skipString(bytes, start + 1);
  return isOpening(code) ? skipNested(bytes, start) : skipScalar(bytes, start);
}

/** Where the members of the present text lie, as Members takes it. One for all, as no call waits. */
const places: number[] = [];

/**
 * @param bytes the JSON text in ISO 8859-1
 * @returns the members' texts by key, as splitMembers; null when the text holds anything that is not known here: it
 *   may be JSON or not, and splitMembers tells
 */
export function splitBytes(bytes: Buffer): Members | null {
  if (bytes[0] !== OPEN_BRACE) return null;
  if (bytes[1] === CLOSE_BRACE) return bytes.length === 2 ? new Members('{}', [], false) : null;
  let count = 0;
  let hasEscapes = false;
  for (let index = 1; ; ) {
    if (bytes[index] !== QUOTE) return null;
    const key = index + 1;
    let value = key;
    while (IS_PLAIN[bytes[value] as number] === 1) value += 1;
    if (bytes[value] === BACKSLASH) hasEscapes = true;
    value = skipString(bytes, value) + 1;
    if (bytes[value - 1] !== COLON) return null;
    const end = skipValue(bytes, value);
    const code = bytes[end];
    if (code !== COMMA && code !== CLOSE_BRACE) return null;
    places[count] = key;
    places[count + 1] = value;
    places[count + 2] = end;
    count += 3;
    index = end + 1;
    if (code === CLOSE_BRACE) {
      if (index !== bytes.length) return null;
      return new Members(bytes.toString('latin1'), places.slice(0, count), hasEscapes);
    }
  }
}
