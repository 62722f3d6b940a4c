/** The dictionary of a session: all of Django's methods that need no store. */

import type { Clock } from '../clock.js';
import { KeyError, ValueError } from '../errors.js';
import { Document } from './document.js';
import {
  type ExpiryContext,
  type ExpiryInput,
  type ExpirySettings,
  expiryContext,
  expiryValue,
  get_expire_at_browser_close,
  get_expiry_age,
  get_expiry_date,
} from './expiry.js';
import { plainJson } from './plain_json.js';

export const TEST_COOKIE_NAME = 'testcookie';
export const TEST_COOKIE_VALUE = 'worked';
export const EXPIRY = '_session_expiry';

/** Where a dictionary has its members. */
export const DOCUMENT = Symbol('koa-django-session.document');

/** The pairs that may be printed. */
export const SHOWN = Symbol('koa-django-session.shown');

/** Whether the row is known to be gone before the first access, which would drop the key. */
export const IS_GONE = Symbol('koa-django-session.isGone');

/** util.inspect.custom of node:util. */
const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom');

/** util.inspect, as it is handed to what inspects itself. */
type Inspect = (value: unknown, options: object) => string;

/** Never printed: with the auth hash and the session key somebody else could act as the user. `get` returns them. */
const SECRETS: ReadonlySet<string> = new Set(['_auth_user_hash', '_csrftoken']);

/** Any key, any value. */
export type AnyData = Record<string, unknown>;

/** Keys and values: an object, or a Map or pairs, which `Data` does not check. */
export type Mapping<Data extends object = AnyData> = Readonly<Partial<Data>> | Iterable<readonly [string, unknown]>;

/**
 * The pairs of a mapping, in order. `__proto__` is a key like any other.
 * @throws ValueError for a promise, which has no pairs, and for what is no object
 */
export function pairsOf(mapping: Mapping): Iterable<readonly [string, unknown]> {
  if (typeof mapping !== 'object' || mapping === null || mapping instanceof Promise) {
    throw new ValueError('The keys and values of a session are an object, a Map or pairs; a promise needs `await`.');
  }
  return Symbol.iterator in mapping ? (mapping as Iterable<readonly [string, unknown]>) : Object.entries(mapping);
}

/** Options of get_expiry_age and get_expiry_date. */
export interface ExpiryOptions {
  /** When the session was last changed, as a Date or in Unix seconds; now when absent. */
  readonly modification?: Date | number;
  /** What lies under `_session_expiry`; the session's own when absent. */
  readonly expiry?: unknown;
}

/**
 * A dictionary of JSON values that notes whether it was accessed or changed
 * (django.contrib.sessions.backends.base.SessionBase without its store).
 *
 * `Data` names the keys and the types of their values. Without it a key is any text and a value unknown, and every session
 * may be taken so: `const anything: SessionDictionary = ctx.session`.
 *
 * ```ts
 * function visitsOf(session: SessionDictionary): number {
 *   return Number(session.get('visits', 0)); // also where SessionData has no such key
 * }
 * ```
 */
export abstract class SessionDictionary<out Data extends object = AnyData> {
  /** Whether anything was read or set; then the response varies on the cookie. */
  accessed = false;
  /** Whether the session is to be saved. Set it yourself after changing something inside a value, as in Django. */
  modified = false;
  readonly #settings: ExpirySettings;
  readonly #now: Clock;

  constructor(settings: ExpirySettings, now: Clock) {
    this.#settings = settings;
    this.#now = now;
  }

  /** The members. Reading this property is an access. A symbol, because any name may be a key. */
  protected abstract get [DOCUMENT](): Document;

  /** The value under `key`, or `default_`, which is null as Python's None. */
  get<Key extends keyof Data & string>(key: Key, default_: Data[Key]): Data[Key];
  get<Key extends keyof Data & string>(key: Key, default_?: Data[Key] | null): Data[Key] | null;
  get(key: string, default_: unknown = null): unknown {
    const value = this[DOCUMENT].get(key);
    return value === undefined ? default_ : value;
  }

  /** Put a value. @throws TypeError when JSON cannot hold it, ValueError for a key that is no text; nothing was changed then */
  set<Key extends keyof Data & string>(key: Key, value: Data[Key]): void {
    this[DOCUMENT].set(key, value);
    this.modified = true;
  }

  /** Remove a key, as Python's `del session[key]`. @throws KeyError when it is absent */
  remove(key: keyof Data & string): void {
    if (!this[DOCUMENT].delete(key)) throw missing(key);
    this.modified = true;
  }

  /** Remove a key and return its value. @throws KeyError when it is absent and no default is given */
  pop<Key extends keyof Data & string>(key: Key, default_?: Data[Key]): Data[Key];
  pop<Key extends keyof Data & string>(key: Key, default_: Data[Key] | null): Data[Key] | null;
  pop(key: string, ...defaults: [default_?: unknown]): unknown {
    const document = this[DOCUMENT];
    if (!document.has(key)) {
      if (defaults.length === 0) throw missing(key);
      return defaults[0];
    }
    const value = document.get(key);
    document.delete(key);
    this.modified = true;
    return value;
  }

  /** The value under `key`; `value` is put there first when the key is absent. */
  setdefault<Key extends keyof Data & string>(key: Key, value: Data[Key]): Data[Key];
  setdefault<Key extends keyof Data & string>(key: Key): Data[Key] | null;
  setdefault(key: string, value: unknown = null): unknown {
    const document = this[DOCUMENT];
    if (document.has(key)) return document.get(key);
    document.set(key, value);
    this.modified = true;
    return value;
  }

  /** Put all pairs, or none when one of them cannot be put. */
  update(mapping: Mapping<Data>): void {
    const document = this[DOCUMENT];
    const added = Document.empty();
    for (const [key, value] of pairsOf(mapping)) added.set(key, value);
    for (const key of added.keys()) document.set(key, added.get(key));
    this.modified = true;
  }

  /** Remove everything. */
  abstract clear(): void;

  /** Whether the key is there. */
  has_key(key: keyof Data & string): boolean {
    return this[DOCUMENT].has(key);
  }

  /** `has_key` in a Map's words. */
  has(key: keyof Data & string): boolean {
    return this.has_key(key);
  }

  /** The keys in the order in which they were set. */
  keys(): string[] {
    return this[DOCUMENT].keys();
  }

  /** The values in the order of their keys. */
  values(): unknown[] {
    return this.keys().map((key) => this[DOCUMENT].get(key));
  }

  /** Pairs of key and value, in order. */
  items(): [string, unknown][] {
    return this.keys().map((key) => [key, this[DOCUMENT].get(key)]);
  }

  /**
   * For JSON.stringify: the dictionary without what SECRETS names; bigints as text, which JSON.stringify refuses.
   * @throws ValueError when a value lies more than 1,000 levels deep
   */
  toJSON(): Record<string, unknown> {
    return Object.fromEntries(this[SHOWN]().map(([key, value]) => [key, plainJson(key, value)]));
  }

  /** For console.log and util.inspect: as toJSON. It is no access, so that looking at a session changes no answer. */
  [INSPECT](_depth: number, options: object, inspect: Inspect): string {
    // `this` is the proxy, which has no private fields.
    if (this[IS_GONE]()) return 'Session {}';
    const { accessed } = this;
    try {
      return `Session ${inspect(Object.fromEntries(this[SHOWN]()), options)}`;
    } catch {
      return 'Session (not loaded)';
    } finally {
      this.accessed = accessed;
    }
  }

  /** Whether the row is gone. Never for a dictionary without a store. */
  protected [IS_GONE](): boolean {
    return false;
  }

  /** The session as text or number. */
  [Symbol.toPrimitive](hint: string): string | number {
    return hint === 'number' ? Number.NaN : '[object Session]';
  }

  get [Symbol.toStringTag](): string {
    return 'Session';
  }

  /** The pairs that are shown and enumerated. */
  [SHOWN](): [string, unknown][] {
    return this.items().filter(([key]) => !SECRETS.has(key));
  }

  /** Put a mark into the session. If the next request still has it, the browser accepts cookies. */
  set_test_cookie(): void {
    this.#anyKey.set(TEST_COOKIE_NAME, TEST_COOKIE_VALUE);
  }

  /** Whether the mark has come back. */
  test_cookie_worked(): boolean {
    return this.#anyKey.get(TEST_COOKIE_NAME) === TEST_COOKIE_VALUE;
  }

  /** @throws KeyError when no test cookie was set */
  delete_test_cookie(): void {
    this.#anyKey.remove(TEST_COOKIE_NAME);
  }

  /** SESSION_COOKIE_AGE, in seconds. */
  get_session_cookie_age(): number {
    return this.#settings.SESSION_COOKIE_AGE;
  }

  /**
   * When the session ends: seconds after its last change, 0 when the browser is closed, a Date or a timedelta such as
   * `{ days: 1 }` for a fixed moment, null for SESSION_COOKIE_AGE.
   */
  set_expiry(value: ExpiryInput): void {
    const stored = expiryValue(value, this.#now(), this.#expiryContext().time_zone);
    if (stored === null) this.#anyKey.pop(EXPIRY, null);
    else this.#anyKey.set(EXPIRY, stored);
  }

  /** Seconds until the session expires. */
  get_expiry_age(options: ExpiryOptions = {}): number {
    return get_expiry_age(this.#expiry(options), this.#expiryContext(options));
  }

  /** The moment at which the session expires. */
  get_expiry_date(options: ExpiryOptions = {}): Date {
    return get_expiry_date(this.#expiry(options), this.#expiryContext(options));
  }

  /** Whether the cookie ends with the browser: by `set_expiry(0)`, or by SESSION_EXPIRE_AT_BROWSER_CLOSE. */
  get_expire_at_browser_close(): boolean {
    const { SESSION_EXPIRE_AT_BROWSER_CLOSE } = this.#settings;
    return get_expire_at_browser_close(
      this.#anyKey.get(EXPIRY),
      SESSION_EXPIRE_AT_BROWSER_CLOSE,
      this.#expiryContext(),
    );
  }

  /** The same dictionary for Django's own keys, which no application declares. */
  get #anyKey(): SessionDictionary {
    return this as unknown as SessionDictionary;
  }

  #expiry(options: ExpiryOptions): unknown {
    return 'expiry' in options ? options.expiry : this.#anyKey.get(EXPIRY);
  }

  #expiryContext({ modification = this.#now() }: ExpiryOptions = {}): ExpiryContext {
    return expiryContext(this.#settings, modification instanceof Date ? modification.getTime() / 1000 : modification);
  }
}

function missing(key: string): KeyError {
  return new KeyError(`There is no key ${JSON.stringify(key)} in the session. Give a default, or ask has_key first.`);
}
