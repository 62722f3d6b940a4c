/** Names with several values each, as django.utils.datastructures.MultiValueDict. */

/**
 * Values of each name in the order they were sent. Names such as `__proto__` are plain data. Cannot be changed.
 *
 * ```ts
 * const files = ctx.request.FILES; // a MultiValueDict<UploadedFile>
 * files.get('photo'); // the last one, or undefined
 * files.getlist('photo'); // all
 * ```
 */
export class MultiValueDict<T> {
  readonly #values: ReadonlyMap<string, readonly T[]>;

  constructor(values: ReadonlyMap<string, readonly T[]> = new Map()) {
    this.#values = values;
  }

  /** The last value of a name, as in Django; undefined when it was not sent. */
  get(name: string): T | undefined {
    return this.#values.get(name)?.at(-1);
  }

  /** All values of a name, none when it was not sent. */
  getlist(name: string): readonly T[] {
    return this.#values.get(name) ?? [];
  }

  /** Whether the name was sent. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The names, each once, in the order in which they were first sent. */
  keys(): IterableIterator<string> {
    return this.#values.keys();
  }

  /** Each name with all its values. */
  lists(): IterableIterator<[string, readonly T[]]> {
    return this.#values.entries();
  }

  get size(): number {
    return this.#values.size;
  }
}

/** Append a value to a name, while a dictionary is built. */
export function appendlist<T>(values: Map<string, T[]>, name: string, value: T): void {
  const list = values.get(name);
  if (list === undefined) values.set(name, [value]);
  else list.push(value);
}
