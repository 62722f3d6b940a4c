/** Turns a session's value into one that JSON.stringify can write. */
import { ValueError } from '../errors.js';

/**
 * Levels of arrays and objects. JSON.stringify recurses, and its time grows with the square of the depth. Python before 3.12
 * reads fewer levels than this.
 */
const MOST_LEVELS = 1000;

/**
 * A copy in which bigints are texts and Maps are objects, as JSON.stringify writes neither.
 *
 * @param key the value's own, for the message
 * @throws ValueError for more than 1,000 levels of arrays and objects, and for a value that contains itself
 */
export function plainJson(key: string, value: unknown): unknown {
  return copy(value, 0);

  function copy(member: unknown, depth: number): unknown {
    if (typeof member === 'bigint') return String(member);
    if (typeof member !== 'object' || member === null) return member;
    if (depth === MOST_LEVELS) throw tooDeep(key);
    if (Array.isArray(member)) return member.map((item) => copy(item, depth + 1));
    if (member instanceof Map) return object(member as Map<string, unknown>, depth + 1);
    const prototype: unknown = Object.getPrototypeOf(member);
    // JSON.stringify knows what to do with it, such as a Date that was put into a list.
    return prototype === Object.prototype || prototype === null ? object(Object.entries(member), depth + 1) : member;
  }

  function object(members: Iterable<readonly [string, unknown]>, depth: number): object {
    const copied: [string, unknown][] = [];
    for (const [name, member] of members) copied.push([name, copy(member, depth)]);
    return Object.fromEntries(copied);
  }
}

/** Characters of a key in the message: a visitor may have chosen it. */
const MOST_SHOWN = 100;

const tooDeep = (key: string): ValueError =>
  new ValueError(
    `session[${JSON.stringify(key.slice(0, MOST_SHOWN))}] lies more than ${MOST_LEVELS} levels deep, and JSON.stringify cannot write it. Print session.get's value by printJson of koa-django-session/signing.`,
  );
