/** What a middleware keeps of one request, on an object that somebody else made: its context, request or response. */

/**
 * Lies under a symbol of its own, so that it meets no other names there. What is set on an application's `context` is that
 * of each of its requests, until it is set on one of them.
 */
export class OwnState<Value> {
  readonly #symbol: symbol;

  /** @param name for whoever inspects the object */
  constructor(name: string) {
    this.#symbol = Symbol(`koa-django-session.${name}`);
  }

  of(holder: object): Value | undefined {
    return (holder as Readonly<Record<symbol, Value | undefined>>)[this.#symbol];
  }

  /** What is there, or what `make` gives from now on. */
  orMade(holder: object, make: () => Value): Value {
    const there = this.of(holder);
    if (there !== undefined) return there;
    const made = make();
    this.set(holder, made);
    return made;
  }

  set(holder: object, value: Value): void {
    (holder as Record<symbol, Value>)[this.#symbol] = value;
  }
}
