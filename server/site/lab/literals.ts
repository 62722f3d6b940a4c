/** Values as source code of Python and of JavaScript. Chinese is not escaped. */
import { printJson } from '../../index.js';

// In a JSON text: a surrogate pair, one \uXXXX, or any other escape, which is kept.
const ESCAPES = /\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|\\u([0-9a-f]{4})|\\./gi;
/** Control characters, direction marks and blanks other than the space stay escaped. */
const UNSEEN = /[\p{C}\p{Z}]/u;

/** `"\u4e0a\u6d77"` → `"上海"`: the same JSON text, readable. */
export function readableJson(json: string): string {
  return json.replace(ESCAPES, (sequence, high?: string, low?: string, code?: string) => {
    if (high !== undefined && low !== undefined) return shown(`${character(high)}${character(low)}`, sequence);
    return code === undefined ? sequence : shown(character(code), sequence);
  });
}

const character = (hex: string): string => String.fromCharCode(Number.parseInt(hex, 16));
const shown = (text: string, sequence: string): string =>
  text === '"' || text === '\\' || UNSEEN.test(text) ? sequence : text;

/** A JSON value in JavaScript; an absent one is `undefined`. */
export function javascript(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'bigint') return `${value}n`;
  return readableJson(printJson(value));
}

/** A JSON value in Python. */
export function python(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (typeof value === 'object') {
    const pairs = Object.entries(value).map(([key, member]) => `${python(key)}: ${python(member)}`);
    return `{${pairs.join(', ')}}`;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return `float("${String(value).toLowerCase()}")`;
  return readableJson(printJson(value));
}
