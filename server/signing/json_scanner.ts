/**
 * The grammar of JSON as Python's json.loads accepts it: RFC 8259 plus NaN, Infinity and -Infinity as numbers.
 *
 * It walks over bytes instead of a string, because a byte of a Buffer is read three times as fast as by charCodeAt, and each
 * read of a session passes here. Each `skip…` function takes the index of the first byte of something, returns the index
 * after it, and throws ValueError for invalid JSON.
 */
import { ValueError } from '../errors.js';

/**
 * The maximum nesting: more than any Python reads with its default recursion limit (measured: 3.11.7 reads 992 levels, 3.12.1
 * reads 1,497, 3.13.0 reads 9,998). No function here recurses by depth, so this protects handlers, not the stack.
 */
export const MAX_DEPTH = 10_000;

/**
 * The maximum digits of an integer. Python refuses longer ones (sys.get_int_max_str_digits), because reading one takes
 * quadratic time; for Django, too, a session with a longer one is empty.
 */
const MOST_DIGITS = 4300;

const SPACE = 32;
export const QUOTE = 34;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const SMALL_E = 101;
export const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const SMALL_U = 117;
export const OPEN_BRACE = 123;
export const CLOSE_BRACE = 125;

// Loops compare the index with the length: a table lookup with undefined, read past the end, makes V8's code permanently
// slower. Elsewhere undefined is fine, because it equals no code.

/** A lookup is faster than comparisons: most bytes of a session are inside strings and numbers. */
const tableOf = (holds: (code: number) => boolean): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, code) => (holds(code) ? 1 : 0));

const IS_DIGIT = tableOf((code) => code >= ZERO && code <= NINE);
const IS_HEX = tableOf((code) => /[0-9a-fA-F]/.test(String.fromCharCode(code)));
const IS_SPACE = tableOf((code) => ' \t\n\r'.includes(String.fromCharCode(code)));
/** What may follow a backslash, except u. */
const IS_ESCAPE = tableOf((code) => '"\\/bfnrt'.includes(String.fromCharCode(code)));
/** The characters of a string that need no escape: all except control characters, quote and backslash. */
const IS_PLAIN = tableOf((code) => code >= SPACE && code !== QUOTE && code !== BACKSLASH);

/** The message names the position of the error, no part of the text. */
const noJson = (index: number): ValueError =>
  new ValueError(`The text is no JSON: unexpected character or end at position ${index}.`);

export const tooDeep = (most: number = MAX_DEPTH): ValueError =>
  new ValueError(`Arrays and objects lie in one another more than ${most} deep.`);

const WIDE = /[^\0-\xff]/;

/**
 * A text's bytes, one per character, so that indices are the same in both. A character above U+00FF becomes ÿ, because the
 * grammar allows both only inside strings.
 */
export function bytesOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (!WIDE.test(text)) return bytes;
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 255) bytes[index] = 255;
  return bytes;
}

/** Spaces, tabs and line ends. Python's compact JSON has none, so this is a comparison that V8 inlines, and no loop. */
export function skipSpace(bytes: Uint8Array, start: number): number {
  return (bytes[start] as number) > SPACE ? start : skipSpaces(bytes, start);
}

function skipSpaces(bytes: Uint8Array, start: number): number {
  let index = start;
  while (index < bytes.length && IS_SPACE[bytes[index] as number] === 1) index += 1;
  return index;
}

/** From inside a string to its end or its next escape. */
export function skipPlain(bytes: Uint8Array, start: number): number {
  let index = start;
  while (index < bytes.length && IS_PLAIN[bytes[index] as number] === 1) index += 1;
  return index;
}

/** A string with its quotes. */
export function skipString(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== QUOTE) throw noJson(start);
  for (let index = start + 1; ; ) {
    index = skipPlain(bytes, index);
    const code = bytes[index];
    if (code === QUOTE) return index + 1;
    if (code !== BACKSLASH) throw noJson(index);
    index = skipEscape(bytes, index);
  }
}

function skipEscape(bytes: Uint8Array, start: number): number {
  const code = bytes[start + 1] as number;
  if (IS_ESCAPE[code] === 1) return start + 2;
  if (code !== SMALL_U) throw noJson(start);
  for (let index = start + 2; index < start + 6; index += 1) {
    if (IS_HEX[bytes[index] as number] !== 1) throw noJson(index);
  }
  return start + 6;
}

function skipDigits(bytes: Uint8Array, start: number): number {
  let index = start;
  while (index < bytes.length && IS_DIGIT[bytes[index] as number] === 1) index += 1;
  if (index === start) throw noJson(start);
  return index;
}

/** -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
function skipNumber(bytes: Uint8Array, start: number): number {
  const first = bytes[start] === MINUS ? start + 1 : start;
  const end = bytes[first] === ZERO ? first + 1 : skipDigits(bytes, first);
  if (bytes[end] === DOT || isE(bytes[end])) return skipFraction(bytes, end);
  if (end - first > MOST_DIGITS) throw noJson(first);
  return end;
}

/** e and E differ in one bit. */
const isE = (code: number | undefined): boolean => ((code as number) | 32) === SMALL_E;

function skipFraction(bytes: Uint8Array, start: number): number {
  const end = bytes[start] === DOT ? skipDigits(bytes, start + 1) : start;
  if (!isE(bytes[end])) return end;
  const sign = bytes[end + 1];
  return skipDigits(bytes, sign === PLUS || sign === MINUS ? end + 2 : end + 1);
}

/** Words by their first byte. */
const WORDS: (Buffer | undefined)[] = Array.from({ length: 256 });
for (const word of ['true', 'false', 'null', 'NaN', 'Infinity', '-Infinity'])
  WORDS[word.charCodeAt(0)] = Buffer.from(word);

function startsWith(bytes: Uint8Array, start: number, word: Uint8Array): boolean {
  for (let index = 0; index < word.length; index += 1) if (bytes[start + index] !== word[index]) return false;
  return true;
}

/** A string, number or word. */
export function skipScalar(bytes: Uint8Array, start: number): number {
  const code = bytes[start] as number;
  if (code === QUOTE) return skipString(bytes, start);
  if (IS_DIGIT[code] === 1) return skipNumber(bytes, start);
  const word = WORDS[code];
  if (word !== undefined && startsWith(bytes, start, word)) return start + word.length;
  return skipNumber(bytes, start);
}

/** From the end of a key to the first byte of its value. */
export function skipColon(bytes: Uint8Array, start: number): number {
  const colon = bytes[start] === COLON ? start : skipSpaces(bytes, start);
  if (bytes[colon] !== COLON) throw noJson(colon);
  return skipSpace(bytes, colon + 1);
}

/** Receives the tokens of a value, in order. Keys and scalars are passed as their start and end in the text. */
export interface JsonListener {
  open(opening: number): void;
  key(start: number, end: number): void;
  scalar(start: number, end: number): void;
  close(): void;
}

const isOpening = (code: number | undefined): boolean => code === OPEN_BRACE || code === OPEN_BRACKET;

/** In ASCII, `}` is two after `{`, and `]` two after `[`. */
const closerOf = (opening: number): number => opening + 2;

/** The closing brackets of the open objects and arrays, outermost first. One for all calls, which are synchronous. */
const closers = new Uint8Array(MAX_DEPTH);

/**
 * An object or array. A loop instead of recursion, so that depth takes no stack; recursion also took a quarter more CPU.
 * @param around how many objects and arrays are around it
 */
function skipNested(bytes: Uint8Array, start: number, around: number, listener: JsonListener | undefined): number {
  let closer = closerOf(bytes[start] as number);
  let depth = 0;
  let isEmpty = true;
  listener?.open(bytes[start] as number);
  for (let index = start; ; ) {
    // `index` is at an opening bracket or at a comma.
    index = skipSpace(bytes, index + 1);
    if (!isEmpty || bytes[index] !== closer) {
      if (closer === CLOSE_BRACE) {
        const end = skipString(bytes, index);
        listener?.key(index, end);
        index = skipColon(bytes, end);
      }
      const code = bytes[index] as number;
      if (isOpening(code)) {
        if (around + depth + 2 > MAX_DEPTH) throw tooDeep();
        listener?.open(code);
        closers[depth] = closer;
        depth += 1;
        closer = closerOf(code);
        isEmpty = true;
        continue;
      }
      const end = skipScalar(bytes, index);
      listener?.scalar(index, end);
      index = end;
    }
    // `index` is behind a value, or at the closing bracket of an empty collection.
    let code = bytes[index] as number;
    while (code !== COMMA) {
      if (code === closer) {
        listener?.close();
        index += 1;
        if (depth === 0) return index;
        depth -= 1;
        closer = closers[depth] as number;
      } else {
        if (IS_SPACE[code] !== 1) throw noJson(index);
        index = skipSpaces(bytes, index);
      }
      code = bytes[index] as number;
    }
    isEmpty = false;
  }
}

/**
 * A value of any kind.
 * @param around how many objects and arrays are around it
 */
export function skipValue(bytes: Uint8Array, start: number, around: number, listener?: JsonListener): number {
  if (isOpening(bytes[start])) return skipNested(bytes, start, around, listener);
  const end = skipScalar(bytes, start);
  listener?.scalar(start, end);
  return end;
}

/** Spaces at the end of the text, and nothing else. */
function skipEnd(bytes: Uint8Array, start: number): void {
  const end = skipSpaces(bytes, start);
  if (end < bytes.length) throw noJson(end);
}

/** The whole text, which has to be one value. */
export function skipWhole(bytes: Uint8Array, listener?: JsonListener): void {
  skipEnd(bytes, skipValue(bytes, skipSpace(bytes, 0), 0, listener));
}

/** From the end of an object's member to the next one. @returns 0 after the closing brace */
export function nextMember(bytes: Uint8Array, start: number): number {
  const index = bytes[start] === COMMA ? start : skipSpaces(bytes, start);
  if (bytes[index] === COMMA) return skipSpace(bytes, index + 1);
  if (bytes[index] !== CLOSE_BRACE) throw noJson(index);
  skipEnd(bytes, index + 1);
  return 0;
}
