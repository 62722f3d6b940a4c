/** Builds the values of Python's JSON. */
import { bytesOf, type JsonListener, OPEN_BRACKET, skipWhole } from './json_scanner.js';

/** The literal names; NaN and the infinities are Python's. */
const WORDS = new Map<string, boolean | number | null>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/** A string with its quotes → the string. */
export const readString = (quoted: string): string =>
  quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);

function readNumber(digits: string): number | bigint {
  const number = Number(digits);
  if (Number.isSafeInteger(number)) {
    // The int -0 is 0; the float -0.0 is not.
    return number === 0 && !/[.eE]/.test(digits) ? 0 : number;
  }
  return /[.eE]/.test(digits) ? number : BigInt(digits);
}

function readScalar(text: string): unknown {
  if (text.startsWith('"')) return readString(text);
  const word = WORDS.get(text);
  return word === undefined ? readNumber(text) : word;
}

/** An array or object that is being filled. */
class Collection {
  readonly value: unknown[] | Record<string, unknown>;
  /** Of an object: the key whose value comes next. */
  key = '';

  constructor(opening: number) {
    this.value = opening === OPEN_BRACKET ? [] : {};
  }

  add(value: unknown): void {
    if (Array.isArray(this.value)) this.value.push(value);
    else if (this.key !== '__proto__') this.value[this.key] = value;
    // An assignment would set the prototype.
    else Object.defineProperty(this.value, this.key, { value, writable: true, enumerable: true, configurable: true });
  }
}

class Reading implements JsonListener {
  value: unknown;
  readonly #text: string;
  /** The open collections, outermost first. */
  readonly #around: Collection[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  open(opening: number): void {
    this.#around.push(new Collection(opening));
  }

  key(start: number, end: number): void {
    (this.#around.at(-1) as Collection).key = readString(this.#text.slice(start, end));
  }

  scalar(start: number, end: number): void {
    this.#add(readScalar(this.#text.slice(start, end)));
  }

  close(): void {
    this.#add(this.#around.pop()?.value);
  }

  #add(value: unknown): void {
    const outer = this.#around.at(-1);
    if (outer === undefined) this.value = value;
    else outer.add(value);
  }
}

/** Reads a text token by token, for values that JSON.parse would change or refuse. @throws ValueError */
export function readJson(text: string): unknown {
  const reading = new Reading(text);
  skipWhole(bytesOf(text), reading);
  return reading.value;
}
