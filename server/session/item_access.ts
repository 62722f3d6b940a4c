/** `session['cart'] = […]`, `'cart' in session`, `delete session['cart']`: item access as in Django's manual. */
import { SuspiciousOperation } from '../errors.js';
import { SessionDictionary, SHOWN } from './dictionary.js';
import { meant } from './misspelling.js';

/** The only fields that Django lets a view assign. */
const ASSIGNABLE: ReadonlySet<string> = new Set(['modified', 'accessed']);

/** Names of the session's own methods and properties. Every other name is a key. */
const OWN: Set<string> = new Set(ASSIGNABLE);

/** The methods and properties of these classes are no keys, of no session. */
export function reserveNames(...classes: readonly { readonly prototype: object }[]): void {
  for (const { prototype } of classes) {
    for (const name of Object.getOwnPropertyNames(prototype)) if (name !== 'constructor') OWN.add(name);
  }
}
reserveNames(SessionDictionary);

/** `await session` reads this property. It is no key, and does not set `accessed`. */
const THEN = 'then';

/** Whether every object has this name (`__proto__`, `constructor`, `toString` …), or it is `then`. */
const isInherited = (name: string): boolean => name in Object.prototype || name === THEN;

function refuse(name: string, deed: 'set' | 'remove'): never {
  const key = JSON.stringify(name);
  const whose = isInherited(name) ? "JavaScript's own" : "the session's own";
  throw new SuspiciousOperation(
    `session[${key}] is ${whose}; to ${deed} the key ${key} call session.${deed}(${deed === 'set' ? `${key}, value` : key}).`,
  );
}

/** Refuses true or false under a misspelt `modified` or `accessed`. Other values are data. */
function refuseMisspelling(name: string, value: unknown): void {
  const right = typeof value === 'boolean' ? meant(name) : undefined;
  if (right === undefined) return;
  const key = JSON.stringify(name);
  throw new SuspiciousOperation(
    `session[${key}] is nearly session.${right}. If that was meant, write session.${right}; to set the key ${key} call session.set(${key}, ${value}).`,
  );
}

/** One handler for all sessions, so that requests create no garbage for it. */
const ITEM_ACCESS: ProxyHandler<SessionDictionary> = {
  get(target, name) {
    if (typeof name === 'string' && !OWN.has(name)) {
      return name !== THEN && target.has_key(name) ? target.get(name) : undefined;
    }
    const member: unknown = Reflect.get(target, name, target);
    // A proxy has no private fields, so methods run on the target. Bound at each access, so that a property set on the function
    // does not appear at other sessions.
    return typeof member === 'function' ? member.bind(target) : member;
  },
  set(target, name, value) {
    if (typeof name === 'symbol') return false;
    // Other values are data under a name that a visitor chose. As the flag, they could prevent a save.
    if (ASSIGNABLE.has(name) && typeof value === 'boolean') return Reflect.set(target, name, value, target);
    if (OWN.has(name) || isInherited(name)) refuse(name, 'set');
    refuseMisspelling(name, value);
    target.set(name, value);
    return true;
  },
  has(target, name) {
    return typeof name === 'string' ? target.has_key(name) : Reflect.has(target, name);
  },
  deleteProperty(target, name) {
    if (typeof name === 'symbol') return false;
    if (OWN.has(name) || isInherited(name)) refuse(name, 'remove');
    target.remove(name);
    return true;
  },
  // Enumerates the keys, without secrets and without those that item access does not read.
  ownKeys(target) {
    return target[SHOWN]()
      .map(([key]) => key)
      .filter((key) => !OWN.has(key) && key !== THEN);
  },
  getOwnPropertyDescriptor(target, name) {
    if (typeof name === 'symbol' || OWN.has(name) || !target.has_key(name)) return undefined;
    return { value: target.get(name), writable: true, enumerable: true, configurable: true };
  },
  defineProperty() {
    return false;
  },
  setPrototypeOf() {
    return false;
  },
  preventExtensions() {
    return false;
  },
};

/**
 * A proxy of the session whose unknown property names are its keys. The session's own names (`save`, `keys` …) remain its
 * members. Assigning to such a name, to one that every object has, or to a misspelt `modified` is refused with 400, because the
 * name may come from a visitor; `get`, `set` and `remove` accept any key.
 *
 * `Object.keys`, `{...session}` and `for … in` list the keys, `JSON.stringify` and `console.log` the dictionary, without
 * `_auth_user_hash` and `_csrftoken`.
 *
 * ```ts
 * const items = withItemAccess(session);
 * items['cart'] = [7];
 * ```
 */
export function withItemAccess<Kind extends SessionDictionary>(session: Kind): Kind {
  return new Proxy<Kind>(session, ITEM_ACCESS);
}
