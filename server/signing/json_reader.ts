/** Builds the values of Python's JSON, and splits an object's text into its members' texts. */
import { isDigit, JsonScanner } from './json_scanner.js';

const QUOTE = 34;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** An array or object that is being filled. */
class Collection {
  readonly value: unknown[] | Record<string, unknown>;
  readonly close: number;
  /** Of an object: the key whose value comes next. */
  key = '';

  constructor(opening: number) {
    this.value = opening === OPEN_BRACKET ? [] : {};
    this.close = opening === OPEN_BRACKET ? CLOSE_BRACKET : CLOSE_BRACE;
  }

  add(value: unknown): void {
    if (Array.isArray(this.value)) this.value.push(value);
    else if (this.key !== '__proto__') this.value[this.key] = value;
    // Assigned, it would set the prototype.
    else Object.defineProperty(this.value, this.key, { value, writable: true, enumerable: true, configurable: true });
  }
}

/** Reads value by value what JSON.parse would change or refuse. */
export class JsonReader extends JsonScanner {
  /** The value that the text is. @throws ValueError */
  whole(): unknown {
    this.skipSpace();
    // From the outside in. A loop: depth takes no stack.
    const around: Collection[] = [];
    for (;;) {
      const code = this.code();
      let value: unknown;
      if (code === OPEN_BRACKET || code === OPEN_BRACE) {
        const collection = new Collection(code);
        if (this.open(around.length + 1, collection.close)) {
          around.push(collection);
          this.#key(collection);
          continue;
        }
        value = collection.value;
      } else value = this.#scalar(code);
      let outer = around.at(-1);
      outer?.add(value);
      while (outer !== undefined && !this.next(outer.close)) {
        around.pop();
        value = outer.value;
        outer = around.at(-1);
        outer?.add(value);
      }
      if (outer === undefined) {
        this.skipEnd();
        return value;
      }
      this.#key(outer);
    }
  }

  #key(collection: Collection): void {
    if (collection.close !== CLOSE_BRACE) return;
    collection.key = this.#string();
    this.skipColon();
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

  #scalar(code: number): unknown {
    if (code === QUOTE) return this.#string();
    if (isDigit(code)) return this.#number();
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
}
