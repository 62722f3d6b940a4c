/**
 * The members of an object's JSON, found in its text when they are asked for. Most requests look at two or three of a
 * dozen; taking all of them out and into a Map cost as much as verifying the text.
 */

/** Where a member lies in the text: its key without the quotes begins, its value begins, its value ends. */
const NUMBERS = 3;

const readKey = (key: string): string => (key.includes('\\') ? (JSON.parse(`"${key}"`) as string) : key);

/** A Map in all respects, which becomes one inside when more than single members are asked for. */
export class Members implements ReadonlyMap<string, string> {
  readonly #text: string;
  readonly #places: readonly number[];
  #map: Map<string, string> | undefined;

  /**
   * @param text an object's JSON
   * @param places three numbers a member, in order
   * @param hasEscapes whether a key holds a backslash; keys are not compared as they stand then
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
    // From behind: of equal keys the last text counts.
    for (let at = places.length - NUMBERS; at >= 0; at -= NUMBERS) {
      const begin = places[at] as number;
      const value = places[at + 1] as number;
      // Between key and value stand a quote and a colon.
      if (value - begin - 2 === key.length && text.startsWith(key, begin)) return text.slice(value, places[at + 2]);
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
      const value = places[at + 1] as number;
      map.set(readKey(text.slice(places[at], value - 2)), text.slice(value, places[at + 2]));
    }
    this.#map = map;
    return map;
  }
}
