/** `session['cart'] = […]`, `'cart' in session`, `delete session['cart']`: item access as in Django's manual. */
import { ValueError } from '../errors.js';
import { Session } from './session.js';

/** The only fields that Django lets a view assign. */
const ASSIGNABLE = new Set<string | symbol>(['modified', 'accessed']);

/**
 * Whether a name belongs to the session itself: its methods, its properties, those of every object, and `then`, which
 * `await` looks for in everything it is given.
 */
const isOwnName = (name: string): boolean => ASSIGNABLE.has(name) || name in Session.prototype || name === 'then';

function refuse(name: string, deed: string): never {
  const key = JSON.stringify(name);
  throw new ValueError(`session[${key}] is the session's own; to ${deed} the key ${key} call session.${deed}(${key}).`);
}

/** One for all sessions: made anew for each request, it and its functions were garbage of every request. */
const ITEM_ACCESS: ProxyHandler<Session> = {
  get(target, name) {
    if (typeof name === 'string' && !isOwnName(name)) return target.has_key(name) ? target.get(name) : undefined;
    const member: unknown = Reflect.get(target, name, target);
    // The private fields are the target's, so its methods run on it, not on the proxy.
    return typeof member === 'function' ? member.bind(target) : member;
  },
  set(target, name, value) {
    if (ASSIGNABLE.has(name)) return Reflect.set(target, name, value, target);
    if (typeof name === 'symbol') return false;
    if (isOwnName(name)) refuse(name, 'set');
    target.set(name, value);
    return true;
  },
  has(target, name) {
    return typeof name === 'string' ? target.has_key(name) : Reflect.has(target, name);
  },
  deleteProperty(target, name) {
    if (typeof name === 'symbol') return false;
    if (isOwnName(name)) refuse(name, 'remove');
    target.remove(name);
    return true;
  },
  defineProperty() {
    return false;
  },
};

/**
 * The same session, whose unknown names are its keys. A name of the session's own (`save`, `keys`, `toString` …) is
 * read as that and refused as a key with a sentence: overwriting a method would break the request; `get`, `set` and
 * `remove` take any key.
 */
export function withItemAccess(session: Session): Session {
  return new Proxy(session, ITEM_ACCESS);
}
