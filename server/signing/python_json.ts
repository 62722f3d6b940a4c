/**
 * Prints and reads JSON as Python's json module does, so that a value written here is the text Django would have written.
 *
 * | Python | text | here |
 * |---|---|---|
 * | int | `1`, `9007199254740993` | number; bigint beyond 2^53 - 1 |
 * | float | `0.5`, `1e-07`, `-0.0`, `NaN` | number |
 * | str | `"\u00e9"` | string |
 * | None, bool | `null`, `true` | null, boolean |
 * | list, tuple | `[1,2]` | array |
 * | dict | `{"a":1}` | plain object, or Map when printing |
 */
import { JsonReader } from './json_reader.js';
import { MAX_DEPTH, tooDeep } from './json_scanner.js';

/**
 * A value → the text of Python's `json.dumps(value, separators=(",", ":"))`.
 *
 * A whole number prints as an int up to 2^53 - 1. Above, and for fractions, it prints as Python's float: use a bigint
 * where a large int is meant. A float such as 1.0 is one number with 1 here and prints as `1`.
 *
 * @throws TypeError for what JSON cannot hold: undefined, functions, symbols, Dates and other class instances, cycles
 * @param most levels of arrays and objects in one another; what was read is never deeper than the usual bound
 * @throws ValueError for more levels
 */
export function print_json(value: unknown, most: number = MAX_DEPTH): string {
  return print(value, [], most);
}

/** Levels that are printed by recursion, which is faster; what lies deeper is printed by a loop. */
const RECURSED = 500;

/** `ancestors` are the arrays and objects that `value` lies in. */
function print(value: unknown, ancestors: object[], most: number): string {
  switch (typeof value) {
    case 'string':
      return printString(value);
    case 'number':
      return printNumber(value);
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? 'null' : printCollection(value, ancestors, most);
    default:
      throw notPrintable(`A value of type ${typeof value}`);
  }
}

function notPrintable(what: string): TypeError {
  return new TypeError(
    `${what} cannot be written as JSON. Allowed are null, booleans, numbers, bigints, strings, arrays, plain objects and Maps with string keys.`,
  );
}

function printCollection(value: object, ancestors: object[], most: number): string {
  // A cycle is looked for late: looking at every level costs the square of the depth.
  if (ancestors.length >= RECURSED || ancestors.length >= most) return printDeep(value, ancestors, most);
  ancestors.push(value);
  const text = Array.isArray(value) ? printArray(value, ancestors, most) : printMembers(value, ancestors, most);
  ancestors.pop();
  return text;
}

/** An array or object that is half printed. */
interface Open {
  readonly value: object;
  readonly members: Iterator<readonly [string, unknown]>;
  readonly close: string;
  isFirst: boolean;
}

/** As printCollection, without recursion. */
function printDeep(root: object, ancestors: readonly object[], most: number): string {
  const around = new Set(ancestors);
  const stack: Open[] = [];
  let text = '';
  const open = (value: object): void => {
    if (around.has(value)) throw cyclic();
    if (around.size >= most) throw tooDeep(most);
    around.add(value);
    const isArray = Array.isArray(value);
    text += isArray ? '[' : '{';
    stack.push({ value, members: isArray ? items(value) : members(value), close: isArray ? ']' : '}', isFirst: true });
  };
  open(root);
  for (let last = stack.at(-1); last !== undefined; last = stack.at(-1)) {
    const next = last.members.next();
    if (next.done === true) {
      text += last.close;
      around.delete(last.value);
      stack.pop();
      continue;
    }
    const [prefix, member] = next.value;
    text += (last.isFirst ? '' : ',') + prefix;
    last.isFirst = false;
    if (typeof member === 'object' && member !== null) open(member);
    else text += print(member, [], most);
  }
  return text;
}

/** Each item with what stands before it: nothing. */
function* items(array: readonly unknown[]): Generator<readonly [string, unknown]> {
  for (const item of array) yield ['', item];
}

/** Each member with what stands before it: its key and a colon. */
function* members(value: object): Generator<readonly [string, unknown]> {
  for (const [key, member] of membersOf(value)) yield [`${printKey(key)}:`, member];
}

const cyclic = (): TypeError => notPrintable('An object that contains itself');

function printArray(items: readonly unknown[], ancestors: object[], most: number): string {
  let text = '';
  // Not forEach: a hole is undefined, and is refused.
  for (const item of items) text += (text === '' ? '' : ',') + print(item, ancestors, most);
  return `[${text}]`;
}

function printMembers(value: object, ancestors: object[], most: number): string {
  let text = '';
  for (const [key, member] of membersOf(value)) {
    text += `${text === '' ? '' : ','}${printKey(key)}:${print(member, ancestors, most)}`;
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

const NOT_PLAIN_ASCII = /[^ -~]/;

/** Everything outside printable ASCII is escaped, each half of a surrogate pair, and DEL, which JSON.stringify leaves. */
function printString(text: string): string {
  const quoted = JSON.stringify(text);
  if (!NOT_PLAIN_ASCII.test(quoted)) return quoted;
  return quoted.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Python's repr of a float where it is not a safe integer: as many digits as needed, as in JavaScript, but an exponent
 * of two digits or more, from 1e16 up and below 1e-4 (CPython, Python/pystrtod.c, format code r).
 */
function printNumber(n: number): string {
  if (Number.isSafeInteger(n)) return Object.is(n, -0) ? '-0.0' : String(n);
  if (!Number.isFinite(n)) return String(n);
  const [mantissa = '', power = ''] = n.toExponential().split('e');
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 16) {
    // Within this range JavaScript writes no exponent either.
    const text = String(n);
    return Number.isInteger(n) ? `${text}.0` : text;
  }
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** Ints of 16 digits or more, which JSON.parse may round; a false alarm only costs time. */
const LARGE_INT = /(?:^|[[:,\s-])\d{16}/;

/** Whether JSON.parse would read something otherwise than Python: large ints, the int -0, NaN and the infinities. */
function needsReader(text: string): boolean {
  return text.includes('-0') || text.includes('NaN') || text.includes('Infinity') || LARGE_INT.test(text);
}

/** A text so short cannot lie deeper than MAX_DEPTH. */
const NEVER_TOO_DEEP = 2 * MAX_DEPTH;

/**
 * JSON text → the value, as Python's json.loads reads it.
 *
 * NaN and the infinities are read, ints beyond 2^53 - 1 come as bigint, of equal keys the last counts. Objects are
 * plain ones in which `__proto__` is a key as any other; keys that look like array indices come first in them, as in
 * every JavaScript object. An int of more than 4300 digits is refused, as by Python: reading it takes quadratic time.
 *
 * @throws ValueError when the text is no JSON, or lies deeper than MAX_DEPTH levels
 */
export function parse_json(text: string): unknown {
  if (!text.startsWith('"')) {
    if (needsReader(text)) return new JsonReader(text).whole();
    if (text.length > NEVER_TOO_DEEP) new JsonReader(text).skipWhole();
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The reader says where it is wrong.
    return new JsonReader(text).whole();
  }
}

/**
 * An object's JSON text → the JSON text of each member as it stands, by its key, in order; of equal keys the last
 * text counts, at the place of the first. The whole text is checked, and no value is built.
 *
 * @returns null when the text is JSON but no object
 * @throws ValueError as `parse_json`
 */
export function split_members(text: string): Map<string, string> | null {
  return new JsonReader(text).members();
}

/** Members' JSON texts → the text of the object. The texts are taken as they are. */
export function join_members(members: Iterable<readonly [string, string]>): string {
  let text = '';
  for (const [key, raw] of members) text += `${text === '' ? '' : ','}${printString(key)}:${raw}`;
  return `{${text}}`;
}
