/**
 * Walks over JSON as Python's json.loads accepts it, without building values: the grammar of RFC 8259 and, as numbers,
 * NaN, Infinity and -Infinity.
 */
import { ValueError } from '../errors.js';

/**
 * How many arrays and objects may lie in one another: more than any Python reads. Measured with the default recursion
 * limit: 3.11.7 reads 992 levels, 3.12.1 reads 1,497, 3.13.0 reads 9,998. Nothing here recurses by depth, so this bounds
 * what a handler is given, not the stack.
 */
export const MAX_DEPTH = 10_000;

const QUOTE = 34;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const SMALL_U = 117;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** What may follow a backslash, except u: " \ / b f n r t. */
const SIMPLE_ESCAPES = new Set([34, 92, 47, 98, 102, 110, 114, 116]);

/** The words that stand for values; Python's are NaN and the infinities. */
const WORDS = new Map<string, boolean | number | null>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON's strings may not hold
const CONTROL = /[\u0000-\u001f]/;

/**
 * Python refuses longer integers (sys.get_int_max_str_digits), as reading one takes time by the square of its digits; a
 * session with one is empty to Django too.
 */
export const MOST_DIGITS = 4300;

export const isDigit = (code: number): boolean => code >= ZERO && code <= NINE;
const isHex = (code: number): boolean => isDigit(code) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);

export const tooDeep = (most: number = MAX_DEPTH): ValueError =>
  new ValueError(`Arrays and objects lie in one another more than ${most} deep.`);

/** How the arrays and objects around the present place close, from the outside in. One for all, as no call waits. */
const closers = new Uint8Array(MAX_DEPTH);

/**
 * A text and a place in it. `skip…` methods go from the first character of something to behind it.
 *
 * Strings are most of a session's text, and looking at each character is most of the work (3.5 ns each, measured). So
 * quotes and backslashes are found by indexOf, and control characters looked for once.
 */
export class JsonScanner {
  readonly text: string;
  at = 0;
  readonly #hasControl: boolean;
  /** The first backslash at or behind `at`, as far as strings have been skipped; Infinity behind the last. */
  #backslash = -1;

  constructor(text: string) {
    this.text = text;
    this.#hasControl = CONTROL.test(text);
  }

  /** Says where the text stops being JSON; never what stands there. */
  fail(at: number = this.at): ValueError {
    return new ValueError(`The text is no JSON: unexpected character or end at position ${at}.`);
  }

  /** The character's code; NaN at the end of the text. */
  code(): number {
    return this.text.charCodeAt(this.at);
  }

  /** Spaces, tabs and line ends. */
  skipSpace(): void {
    let code = this.code();
    while (code === 32 || code === 9 || code === 10 || code === 13) {
      this.at += 1;
      code = this.code();
    }
  }

  /** Spaces at the end of the text, and nothing else. */
  skipEnd(): void {
    this.skipSpace();
    if (this.at < this.text.length) throw this.fail();
  }

  /** A string with its quotes. @returns whether it holds escapes */
  skipString(): boolean {
    if (this.code() !== QUOTE) throw this.fail();
    const start = this.at;
    let from = start + 1;
    let quote = -1;
    let escaped = false;
    for (;;) {
      if (quote < from) quote = this.text.indexOf('"', from);
      if (quote < 0) throw this.fail(this.text.length);
      const backslash = this.#backslashFrom(from);
      if (backslash > quote) break;
      escaped = true;
      from = this.#skipEscape(backslash);
    }
    if (this.#hasControl && CONTROL.test(this.text.slice(start, quote))) throw this.fail();
    this.at = quote + 1;
    return escaped;
  }

  #backslashFrom(from: number): number {
    if (this.#backslash < from) {
      const found = this.text.indexOf('\\', from);
      this.#backslash = found < 0 ? Number.POSITIVE_INFINITY : found;
    }
    return this.#backslash;
  }

  #skipEscape(at: number): number {
    const code = this.text.charCodeAt(at + 1);
    if (SIMPLE_ESCAPES.has(code)) return at + 2;
    if (code !== SMALL_U) throw this.fail(at);
    for (let digit = at + 2; digit < at + 6; digit += 1) {
      if (!isHex(this.text.charCodeAt(digit))) throw this.fail(digit);
    }
    return at + 6;
  }

  /** A number in digits: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
  skipNumber(): void {
    if (this.code() === MINUS) this.at += 1;
    const first = this.at;
    if (this.code() === ZERO) this.at += 1;
    else this.#skipDigits();
    // e and E differ in one bit.
    const isInteger = this.code() !== DOT && (this.code() | 32) !== 101;
    if (isInteger && this.at - first > MOST_DIGITS) throw this.fail(first);
    if (this.code() === DOT) {
      this.at += 1;
      this.#skipDigits();
    }
    if ((this.code() | 32) === 101) {
      this.at += 1;
      const sign = this.code();
      if (sign === PLUS || sign === MINUS) this.at += 1;
      this.#skipDigits();
    }
  }

  #skipDigits(): void {
    if (!isDigit(this.code())) throw this.fail();
    do this.at += 1;
    while (isDigit(this.code()));
  }

  /** A word such as `true`, and what it stands for; undefined when there is none here. */
  skipWord(): boolean | number | null | undefined {
    for (const [word, value] of WORDS) {
      if (!this.text.startsWith(word, this.at)) continue;
      this.at += word.length;
      return value;
    }
    return undefined;
  }

  /** A value of any kind that lies in `depth` arrays and objects. */
  skipValue(depth: number): void {
    // A loop: depth takes no stack.
    let height = 0;
    for (;;) {
      const code = this.code();
      if (code === OPEN_BRACE || code === OPEN_BRACKET) {
        const close = code === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET;
        if (this.open(depth + height + 1, close)) {
          closers[height] = close;
          height += 1;
          if (close === CLOSE_BRACE) this.#skipKey();
          continue;
        }
      } else this.#skipScalar(code);
      while (height > 0 && !this.next(closers[height - 1] as number)) height -= 1;
      if (height === 0) return;
      if (closers[height - 1] === CLOSE_BRACE) this.#skipKey();
    }
  }

  #skipScalar(code: number): void {
    if (code === QUOTE) this.skipString();
    else if (isDigit(code) || this.skipWord() === undefined) this.skipNumber();
  }

  #skipKey(): void {
    this.skipString();
    this.skipColon();
  }

  /** Past an opening bracket, and past the closing one if nothing is between. @returns whether there is something */
  open(depth: number, close: number): boolean {
    if (depth > MAX_DEPTH) throw tooDeep();
    this.at += 1;
    this.skipSpace();
    if (this.code() !== close) return true;
    this.at += 1;
    return false;
  }

  /** Past the comma in front of the next item, or past the closing bracket. @returns whether there is a next item */
  next(close: number): boolean {
    this.skipSpace();
    const code = this.code();
    if (code !== COMMA && code !== close) throw this.fail();
    this.at += 1;
    if (code === close) return false;
    this.skipSpace();
    return true;
  }

  /** From behind a key to the first character of its value. */
  skipColon(): void {
    this.skipSpace();
    if (this.code() !== COLON) throw this.fail();
    this.at += 1;
    this.skipSpace();
  }

  /** The whole text, which has to be one value. */
  skipWhole(): void {
    this.skipSpace();
    this.skipValue(0);
    this.skipEnd();
  }
}
