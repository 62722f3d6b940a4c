/**
 * Splits an object's JSON into its members' texts.
 *
 * Only the positions of the members are stored; a text is cut out at its first access. Most requests read two or three of a
 * dozen, and cutting out all of them took as much CPU as verifying the signature.
 */
import { readString } from './json_reader.js';
import {
  bytesOf,
  CLOSE_BRACE,
  nextMember,
  OPEN_BRACE,
  QUOTE,
  skipColon,
  skipPlain,
  skipSpace,
  skipString,
  skipValue,
  skipWhole,
} from './json_scanner.js';

/** The numbers per member in `places`: start and end of its key with the quotes, start and end of its value. */
const NUMBERS = 4;

/** A read-only Map. Builds a real Map for everything but access to single members. */
export class Members implements ReadonlyMap<string, string> {
  readonly #text: string;
  readonly #places: readonly number[];
  #map: Map<string, string> | undefined;

  /**
   * @param text an object's JSON
   * @param places NUMBERS per member, in order
   * @param hasEscapes whether a key contains a backslash; then keys must be decoded before they are compared
   */
  constructor(text: string, places: readonly number[], hasEscapes: boolean) {
    this.#text = text;
    this.#places = places;
    if (hasEscapes) this.#all();
  }

  get(key: string): string | undefined {
    if (this.#map !== undefined) return this.#map.get(key);
    const text = this.#text;
    const places = this.#places;
    // Backwards: of equal keys the last text counts.
    for (let at = places.length - NUMBERS; at >= 0; at -= NUMBERS) {
      const begin = (places[at] as number) + 1;
      const end = (places[at + 1] as number) - 1;
      if (end - begin === key.length && text.startsWith(key, begin)) return text.slice(places[at + 2], places[at + 3]);
    }
    return undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  get size(): number {
    return this.#all().size;
  }

  keys(): MapIterator<string> {
    return this.#all().keys();
  }

  values(): MapIterator<string> {
    return this.#all().values();
  }

  entries(): MapIterator<[string, string]> {
    return this.#all().entries();
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.entries();
  }

  forEach(callback: (value: string, key: string, map: ReadonlyMap<string, string>) => void): void {
    for (const [key, value] of this) callback(value, key, this);
  }

  /** Of equal keys the last text, at the place of the first. */
  #all(): Map<string, string> {
    if (this.#map !== undefined) return this.#map;
    const map = new Map<string, string>();
    const text = this.#text;
    const places = this.#places;
    for (let at = 0; at < places.length; at += NUMBERS) {
      map.set(readString(text.slice(places[at], places[at + 1])), text.slice(places[at + 2], places[at + 3]));
    }
    this.#map = map;
    return map;
  }
}

/** The positions of the current text's members. One array for all calls, because they are synchronous. */
const places: number[] = [];

/**
 * The unchanged JSON text of each member of an object's JSON, by key, in order. Of equal keys the last text counts, at the
 * position of the first. The whole text is checked, and no value is parsed.
 *
 * @param bytes the text in ISO 8859-1
 * @param text the same as a string, if the caller has it
 * @returns null when the text is JSON but no object
 * @throws ValueError as `parseJson`
 */
export function splitBytes(bytes: Buffer, text?: string): ReadonlyMap<string, string> | null {
  const start = skipSpace(bytes, 0);
  if (bytes[start] !== OPEN_BRACE) {
    skipWhole(bytes);
    return null;
  }
  let count = 0;
  let hasEscapes = false;
  const first = skipSpace(bytes, start + 1);
  for (let key = bytes[first] === CLOSE_BRACE ? nextMember(bytes, first) : first; key > 0; ) {
    const plain = skipPlain(bytes, key + 1);
    const isPlain = bytes[key] === QUOTE && bytes[plain] === QUOTE;
    hasEscapes ||= !isPlain;
    const end = isPlain ? plain + 1 : skipString(bytes, key);
    const value = skipColon(bytes, end);
    places[count] = key;
    places[count + 1] = end;
    places[count + 2] = value;
    places[count + 3] = skipValue(bytes, value, 1);
    key = nextMember(bytes, places[count + 3] as number);
    count += NUMBERS;
  }
  return new Members(text ?? bytes.toString('latin1'), places.slice(0, count), hasEscapes);
}

/** `splitBytes` of a text. */
export const splitMembers = (text: string): ReadonlyMap<string, string> | null => splitBytes(bytesOf(text), text);
