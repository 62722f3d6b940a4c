/** Builds the values of Python's JSON, and splits an object's text into its members' texts. */
import { JsonScanner } from './json_scanner.js';

const QUOTE = 34;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** Reads value by value what JSON.parse would change or refuse. */
export class JsonReader extends JsonScanner {
  /** The value that the text is. @throws ValueError */
  whole(): unknown {
    this.skipSpace();
    const value = this.#value(0);
    this.skipEnd();
    return value;
  }

  /** The members of the object that the text is, as texts; null when it is another value. @throws ValueError */
  members(): Map<string, string> | null {
    this.skipSpace();
    if (this.code() !== OPEN_BRACE) {
      this.skipWhole();
      return null;
    }
    const members = new Map<string, string>();
    for (let more = this.open(1, CLOSE_BRACE); more; more = this.next(CLOSE_BRACE)) {
      const key = this.#string();
      this.skipColon();
      const start = this.at;
      this.skipValue(1);
      members.set(key, this.text.slice(start, this.at));
    }
    this.skipEnd();
    return members;
  }

  #value(depth: number): unknown {
    const code = this.code();
    if (code === QUOTE) return this.#string();
    if (code === OPEN_BRACKET) return this.#array(depth + 1);
    if (code === OPEN_BRACE) return this.#object(depth + 1);
    const word = this.skipWord();
    return word === undefined ? this.#number() : word;
  }

  #string(): string {
    const start = this.at;
    const escaped = this.skipString();
    const quoted = this.text.slice(start, this.at);
    return escaped ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
  }

  #number(): number | bigint {
    const start = this.at;
    this.skipNumber();
    const digits = this.text.slice(start, this.at);
    const number = Number(digits);
    if (Number.isSafeInteger(number)) {
      // The int -0 is 0; the float -0.0 is not.
      return number === 0 && !/[.eE]/.test(digits) ? 0 : number;
    }
    return /[.eE]/.test(digits) ? number : BigInt(digits);
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    for (let more = this.open(depth, CLOSE_BRACKET); more; more = this.next(CLOSE_BRACKET)) {
      items.push(this.#value(depth));
    }
    return items;
  }

  #object(depth: number): object {
    const members: Record<string, unknown> = {};
    for (let more = this.open(depth, CLOSE_BRACE); more; more = this.next(CLOSE_BRACE)) {
      const key = this.#string();
      this.skipColon();
      const value = this.#value(depth);
      if (key !== '__proto__') members[key] = value;
      // Assigned, it would set the prototype.
      else Object.defineProperty(members, key, { value, writable: true, enumerable: true, configurable: true });
    }
    return members;
  }
}
