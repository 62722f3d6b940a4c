/** State that a middleware keeps for one request on an object of Koa's: the context, request or response. */

const OTHER_COPY =
  'It is mounted by another copy of koa-django-session, whose functions are others. Import both from one copy: `npm ls koa-django-session` shows all that are installed.';

/**
 * Stored under its own symbol, so that it cannot collide with other properties. Each request's context inherits a value that
 * is set on `app.context`, until the request sets its own.
 */
export class OwnState<Value> {
  readonly #symbol: symbol;

  /** @param name shown by console.log of the object */
  constructor(name: string) {
    this.#symbol = Symbol(`koa-django-session.${name}`);
  }

  of(holder: object): Value | undefined {
    return (holder as Readonly<Record<symbol, Value | undefined>>)[this.#symbol];
  }

  /** The present value. If there is none, the result of `make` is stored and returned. */
  orMade(holder: object, make: () => Value): Value {
    const there = this.of(holder);
    if (there !== undefined) return there;
    const made = make();
    this.set(holder, made);
    return made;
  }

  /**
   * The message for a request that has no value here. It names the cause where the middleware of another copy of this package
   * has set one.
   */
  absence(holder: object, message: string): string {
    return this.#isSetByOtherCopy(holder) ? `${message} ${OTHER_COPY}` : message;
  }

  #isSetByOtherCopy(holder: object): boolean {
    for (let object: object | null = holder; object !== null; object = Object.getPrototypeOf(object)) {
      const { description } = this.#symbol;
      if (Object.getOwnPropertySymbols(object).some((symbol) => symbol.description === description)) return true;
    }
    return false;
  }

  set(holder: object, value: Value): void {
    (holder as Record<symbol, Value>)[this.#symbol] = value;
  }
}
