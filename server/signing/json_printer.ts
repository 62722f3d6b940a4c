/** Prints values as Python's json.dumps does, in time proportional to the text, at any depth. */
import { tooDeep } from './json_scanner.js';

/** Levels that are printed by recursion, which is faster for small values. Deeper ones are printed by a loop. */
const RECURSED = 40;

/** @param most levels of arrays and objects in one another */
export function print(value: unknown, most: number): string {
  return printAt(value, 0, most);
}

/** @param depth how many arrays and objects are around `value` */
function printAt(value: unknown, depth: number, most: number): string {
  if (typeof value !== 'object' || value === null) return printScalar(value);
  if (depth >= RECURSED || depth >= most) return printDeep(value, depth, most);
  return Array.isArray(value) ? printArray(value, depth + 1, most) : printMembers(value, depth + 1, most);
}

/** A value that is neither array nor object. */
function printScalar(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return printString(value);
    case 'number':
      return printNumber(value);
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      return 'null';
    default:
      throw notPrintable(`A value of type ${typeof value}`);
  }
}

function notPrintable(what: string): TypeError {
  return new TypeError(
    `${what} cannot be written as JSON. Allowed are null, booleans, numbers, bigints, strings, arrays, plain objects and Maps with string keys.`,
  );
}

function printArray(items: readonly unknown[], depth: number, most: number): string {
  let text = '';
  // forEach would skip a hole of the array, which has to be refused as undefined.
  for (const item of items) text += (text === '' ? '' : ',') + printAt(item, depth, most);
  return `[${text}]`;
}

function printMembers(value: object, depth: number, most: number): string {
  let text = '';
  for (const [key, member] of membersOf(value)) {
    text += `${text === '' ? '' : ','}${printKey(key)}:${printAt(member, depth, most)}`;
  }
  return `{${text}}`;
}

function printKey(key: unknown): string {
  if (typeof key !== 'string') throw notPrintable(`A Map with a key of type ${typeof key}`);
  return printString(key);
}

function membersOf(value: object): Iterable<readonly [unknown, unknown]> {
  if (value instanceof Map) return value as Map<unknown, unknown>;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return Object.entries(value);
  throw notPrintable(`A ${value.constructor.name}`);
}

const COMMA = 44;
const COLON = 58;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** For texts of up to this many characters, a loop is faster than Buffer.write. */
const SHORT = 16;

/** A text of ASCII that grows in a buffer: `+=` on a string makes an object for each character. */
class AsciiText {
  #bytes = Buffer.allocUnsafe(128);
  length = 0;

  addCode(code: number): void {
    if (this.length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.length] = code;
    this.length += 1;
  }

  add(text: string): void {
    if (this.length + text.length > this.#bytes.length) this.#grow(text.length);
    if (text.length > SHORT) this.#bytes.write(text, this.length, 'latin1');
    else {
      for (let index = 0; index < text.length; index += 1) this.#bytes[this.length + index] = text.charCodeAt(index);
    }
    this.length += text.length;
  }

  #grow(more: number): void {
    const larger = Buffer.allocUnsafe(2 * this.#bytes.length + more);
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
  }

  toString(): string {
    return this.#bytes.toString('latin1', 0, this.length);
  }
}

/** An array or object that is being printed. Reused for the next one at its depth. */
interface Open {
  value: object;
  /** Of an object: its keys, in the order of `items`. */
  keys: readonly unknown[] | null;
  items: readonly unknown[];
  /** Index of the next item. */
  next: number;
}

const EMPTY: Open = { value: {}, keys: null, items: [], next: 0 };

/** As printArray and printMembers, but a loop. */
function printDeep(root: object, depth: number, most: number): string {
  const text = new AsciiText();
  const stack: Open[] = [];
  let height = 0;
  let checked = 0;
  const enter = (value: object): void => {
    // A check for a cycle takes time proportional to the depth, so it is done once per as many printed characters.
    const isTooDeep = depth + height >= most;
    if (isTooDeep || text.length - checked > CYCLE_CHECK + 16 * height) {
      checked = text.length;
      if (new Set(stack.slice(0, height).map((open) => open.value)).size < height) throw cyclic();
    }
    if (isTooDeep) throw tooDeep(most);
    stack[height] ??= { ...EMPTY };
    begin(stack[height] as Open, value);
    text.addCode(Array.isArray(value) ? OPEN_BRACKET : OPEN_BRACE);
    height += 1;
  };
  enter(root);
  while (height > 0) {
    const { keys, items, next } = stack[height - 1] as Open;
    if (next === items.length) {
      text.addCode(keys === null ? CLOSE_BRACKET : CLOSE_BRACE);
      height -= 1;
      continue;
    }
    (stack[height - 1] as Open).next = next + 1;
    if (next > 0) text.addCode(COMMA);
    if (keys !== null) {
      text.add(printKey(keys[next]));
      text.addCode(COLON);
    }
    const item = items[next];
    if (typeof item === 'object' && item !== null) enter(item);
    else text.add(printScalar(item));
  }
  return text.toString();
}

/** Printed characters before the first check for a cycle. */
const CYCLE_CHECK = 1000;

function begin(open: Open, value: object): void {
  open.value = value;
  open.next = 0;
  if (Array.isArray(value)) {
    open.keys = null;
    open.items = value;
    return;
  }
  const members = [...membersOf(value)];
  open.keys = members.map(([key]) => key);
  open.items = members.map(([, member]) => member);
}

const cyclic = (): TypeError => notPrintable('An object that contains itself');

const NOT_PLAIN_ASCII = /[^ -~]/;

/** Everything outside printable ASCII is escaped, each half of a surrogate pair, and DEL, which JSON.stringify leaves. */
export function printString(text: string): string {
  const quoted = JSON.stringify(text);
  if (!NOT_PLAIN_ASCII.test(quoted)) return quoted;
  return quoted.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * A number as Python prints it: an int where it is a safe integer, otherwise repr of the float. That has as many digits as
 * needed, as in JavaScript, but an exponent of two digits or more, from 1e16 up and below 1e-4 (CPython, Python/pystrtod.c, format code r).
 */
function printNumber(n: number): string {
  if (Number.isSafeInteger(n)) return Object.is(n, -0) ? '-0.0' : String(n);
  if (!Number.isFinite(n)) return String(n);
  const [mantissa = '', power = ''] = n.toExponential().split('e');
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 16) {
    // JavaScript writes no exponent in this range either.
    const text = String(n);
    return Number.isInteger(n) ? `${text}.0` : text;
  }
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
