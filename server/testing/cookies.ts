/** The cookies of a test client: RFC 6265 for one host. */
import type { Clock } from '../clock.js';

interface Kept {
  readonly name: string;
  readonly value: string;
  readonly path: string;
  readonly secure: boolean;
  /** Unix seconds; Infinity for one that ends with the browser. */
  readonly ends: number;
}

/**
 * A cookie jar like a browser's, as a Map from names to values: a cookie is sent to its Path and below, with Secure
 * only over https, and not after its expiry. Of several cookies with one name, `get` returns the one that was set last.
 * Domain is ignored. Values are stored as sent, one character per byte.
 *
 * ```ts
 * const first = new Client(app, { settings, store });
 * first.cookies.set('django_language', 'de');
 * const other = new Client(app, { settings, store, cookies: first.cookies }); // two users of one browser
 * ```
 */
export class ClientCookies implements Iterable<readonly [string, string]> {
  /** By name and path, the oldest first. */
  readonly #kept = new Map<string, Kept>();
  readonly #now: Clock;

  constructor(now: Clock) {
    this.#now = now;
  }

  /** The number of cookies that have not expired. */
  get size(): number {
    return this.#alive().length;
  }

  /**
   * The value, of several cookies with one name the last one set; undefined if there is none.
   * @param path the cookie's path, if several have this name
   */
  get(name: string, path?: string): string | undefined {
    return this.#alive().findLast((cookie) => isCalled(cookie, name, path))?.value;
  }

  /** Whether a cookie with this name exists and has not expired. */
  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /**
   * Set a cookie without expiry.
   * @param path where it is sent; default: the whole site
   */
  set(name: string, value: string, path = '/'): this {
    this.#keep({ name, value, path, secure: false, ends: Number.POSITIVE_INFINITY });
    return this;
  }

  /** Delete a cookie; at every path unless one is given. @returns whether it existed */
  delete(name: string, path?: string): boolean {
    const found = [...this.#kept].filter(([, cookie]) => isCalled(cookie, name, path));
    for (const [id] of found) this.#kept.delete(id);
    return found.length > 0;
  }

  /** Forget all cookies. */
  clear(): void {
    this.#kept.clear();
  }

  /** The names, each once. */
  keys(): string[] {
    return [...this].map(([name]) => name);
  }

  /** Pairs of name and value. */
  [Symbol.iterator](): Iterator<readonly [string, string]> {
    return this.#alive()
      .map(({ name, value }) => [name, value] as const)
      .values();
  }

  /** The Cookie header of a request (section 5.4: the longest path first, then the oldest); empty for none. */
  header(path: string, secure: boolean): string {
    return this.#alive()
      .filter((cookie) => (secure || !cookie.secure) && isBelow(path, cookie.path))
      .sort((one, other) => other.path.length - one.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  /** Process one Set-Cookie header (section 5.2) of a response for `path`; ignored without a `=`. */
  take(line: string, path: string): void {
    const [pair = '', ...rest] = line.split(';');
    const named = /^([^=]*)=(.*)$/s.exec(pair);
    if (named === null) return;
    const [, name = '', value = ''] = named;
    const attributes = new Map(rest.map(attribute));
    const own = attributes.get('path');
    this.#keep({
      name: name.trim(),
      value: value.trim(),
      path: own?.startsWith('/') ? own : path.slice(0, Math.max(path.lastIndexOf('/'), 1)),
      secure: attributes.has('secure'),
      ends: this.#end(attributes),
    });
  }

  #end(attributes: ReadonlyMap<string, string>): number {
    const max_age = attributes.get('max-age');
    if (max_age !== undefined && /^-?\d+$/.test(max_age))
      return Number(max_age) <= 0 ? 0 : this.#now() + Number(max_age);
    const expires = Date.parse(attributes.get('expires') ?? '');
    return Number.isNaN(expires) ? Number.POSITIVE_INFINITY : expires / 1000;
  }

  #keep(cookie: Kept): void {
    const id = `${cookie.name};${cookie.path}`;
    // Delete first, so that the cookie set last is last in the order.
    this.#kept.delete(id);
    if (cookie.ends > this.#now()) this.#kept.set(id, cookie);
  }

  #alive(): Kept[] {
    return [...this.#kept.values()].filter(({ ends }) => ends > this.#now());
  }
}

const isCalled = (cookie: Kept, name: string, path: string | undefined): boolean =>
  cookie.name === name && (path === undefined || cookie.path === path);

function attribute(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  const [name, value] = at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
  return [name.trim().toLowerCase(), value.trim()];
}

/** Section 5.1.4. */
function isBelow(path: string, cookiePath: string): boolean {
  if (path === cookiePath) return true;
  return path.startsWith(cookiePath) && (cookiePath.endsWith('/') || path[cookiePath.length] === '/');
}
