/** A form's fields, as django.http.QueryDict. */
import { SuspiciousOperation } from '../errors.js';

/**
 * Names with one or more values each, in the order they were sent. Names such as `__proto__` are plain data. Cannot be
 * changed.
 */
export class QueryDict {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]> = new Map()) {
    this.#values = values;
  }

  /** The last value of a name, as in Django; undefined when it was not sent. */
  get(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  /** All values of a name, none when it was not sent. */
  getlist(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  keys(): IterableIterator<string> {
    return this.#values.keys();
  }

  get size(): number {
    return this.#values.size;
  }
}

/** The form of a request without one. */
export const NO_FIELDS = new QueryDict();

/**
 * Read `application/x-www-form-urlencoded`. Bytes that are no UTF-8 become U+FFFD, a name without `=` has the value ''.
 *
 * @throws SuspiciousOperation (400) for more than `max_fields` fields, Django's TooManyFieldsSent
 */
export function parse_form(body: Buffer, max_fields: number): QueryDict {
  if (body.length === 0) return NO_FIELDS;
  let fields = 1;
  for (const byte of body) if (byte === 0x26) fields += 1;
  if (fields > max_fields) {
    throw new SuspiciousOperation(
      `The form has more than ${max_fields} fields, the value of DATA_UPLOAD_MAX_NUMBER_FIELDS.`,
    );
  }
  const values = new Map<string, string[]>();
  // The leading & is an empty field, which does not count; without it URLSearchParams would drop a leading "?".
  for (const [name, value] of new URLSearchParams(`&${body.toString('utf8')}`)) {
    const list = values.get(name);
    if (list === undefined) values.set(name, [value]);
    else list.push(value);
  }
  return new QueryDict(values);
}
