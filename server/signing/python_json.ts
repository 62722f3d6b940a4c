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
import { print, printString } from './json_printer.js';
import { readJson } from './json_reader.js';
import { bytesOf, MAX_DEPTH, skipWhole } from './json_scanner.js';

/**
 * A value → the text of Python's `json.dumps(value, separators=(",", ":"))`.
 *
 * A whole number prints as an int up to 2^53 - 1. Above, and for fractions, it prints as Python's float: use a bigint
 * where a large int is meant. A float such as 1.0 is one number with 1 here and prints as `1`.
 *
 * ```ts
 * printJson({ name: 'Zoë', n: 2n ** 64n }); // '{"name":"Zo\\u00eb","n":18446744073709551616}'
 * ```
 *
 * @throws TypeError for what JSON cannot hold: undefined, functions, symbols, Dates and other class instances, cycles
 * @param most levels of arrays and objects in one another
 * @throws ValueError for more levels than `most`
 */
export function printJson(value: unknown, most: number = MAX_DEPTH): string {
  return print(value, most);
}

/** Ints of 16 digits or more, which JSON.parse may round. It also matches inside strings, which only costs time. */
const LARGE_INT = /(?:^|[[:,\s-])\d{16}/;

/** Whether JSON.parse may read it differently than Python: large ints, the int -0, NaN and the infinities. */
function needsReader(text: string): boolean {
  return text.includes('-0') || text.includes('NaN') || text.includes('Infinity') || LARGE_INT.test(text);
}

/** Characters up to which a text cannot be nested deeper than MAX_DEPTH: each level takes two. */
const NEVER_TOO_DEEP = 2 * MAX_DEPTH;

/**
 * JSON text → the value, as Python's json.loads reads it.
 *
 * NaN and the infinities are read, ints beyond 2^53 - 1 come as bigint, of equal keys the last counts. Objects are
 * plain ones in which `__proto__` is a key as any other; keys that look like array indices come first in them, as in
 * every JavaScript object. An int of more than 4300 digits is refused, as by Python: reading it takes quadratic time.
 *
 * ```ts
 * parseJson('{"n": 9007199254740993}'); // { n: 9007199254740993n }
 * ```
 *
 * @throws ValueError when the text is no JSON, or lies deeper than MAX_DEPTH levels
 */
export function parseJson(text: string): unknown {
  const isString = text.startsWith('"');
  if (!isString && needsReader(text)) return readJson(text);
  if (!isString && text.length > NEVER_TOO_DEEP) skipWhole(bytesOf(text));
  return parsed(text);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The reader's error says at which position.
    return readJson(text);
  }
}

/** As `parseJson`, for a member's text from `splitMembers`: its depth has been checked already. */
export function parseMember(text: string): unknown {
  return !text.startsWith('"') && needsReader(text) ? readJson(text) : parsed(text);
}

/** Members' JSON texts → the object's JSON text. The texts are not checked. */
export function joinMembers(members: Iterable<readonly [string, string]>): string {
  let text = '';
  for (const [key, raw] of members) text += `${text === '' ? '' : ','}${printString(key)}:${raw}`;
  return `{${text}}`;
}
