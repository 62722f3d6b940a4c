/** The operations of `POST /lab/api/`: methods of the session by name, with arguments as JSON. */
import type { Context } from 'koa';
import { DjangoError, StoreUnavailable, SuspiciousOperation } from '../../index.js';

type Session = Context['session'];
type Arguments = readonly unknown[];
/** The result of an operation, or the name of its error. */
export type OpResult = unknown;

const MAX_OPS = 200;
const ATTRIBUTES = ['session_key', 'accessed', 'modified'] as const;

interface Operation {
  /** The minimum and maximum number of arguments. */
  readonly arity: readonly [number, number];
  readonly run: (session: Session, args: Arguments, op: string) => unknown;
}

const plain = (run: (session: Session) => unknown): Operation => ({ arity: [0, 0], run });
/** Python's functions without a result return None. */
const nothing = (run: (session: Session) => unknown): Operation =>
  plain(async (session) => {
    await run(session);
    return null;
  });

/** All operations. Without clear_expired, which would delete rows of others. */
const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['get', { arity: [1, 2], run: (s, [key, other = null], op) => s.get(keyOf(key, op), other) }],
  ['getitem', { arity: [1, 1], run: (s, [key], op) => getitem(s, keyOf(key, op)) }],
  ['set', { arity: [2, 2], run: (s, [key, value], op) => none(s.set(keyOf(key, op), value)) }],
  ['setitem', { arity: [2, 2], run: (s, [key, value], op) => none(s.set(keyOf(key, op), value)) }],
  ['delitem', { arity: [1, 1], run: (s, [key], op) => none(s.remove(keyOf(key, op))) }],
  ['pop', { arity: [1, 2], run: (s, [key, ...other], op) => s.pop(keyOf(key, op), ...(other as [unknown?])) }],
  ['setdefault', { arity: [1, 2], run: (s, [key, value = null], op) => s.setdefault(keyOf(key, op), value) }],
  ['update', { arity: [1, 1], run: (s, [pairs], op) => none(s.update(objectOf(pairs, op))) }],
  ['keys', plain((s) => s.keys())],
  ['values', plain((s) => s.values())],
  ['items', plain((s) => s.items())],
  ['has_key', { arity: [1, 1], run: (s, [key], op) => s.has_key(keyOf(key, op)) }],
  ['contains', { arity: [1, 1], run: (s, [key], op) => s.has_key(keyOf(key, op)) }],
  ['is_empty', plain((s) => s.is_empty())],
  ['clear', nothing((s) => s.clear())],
  ['flush', nothing((s) => s.flush())],
  ['cycle_key', nothing((s) => s.cycle_key())],
  ['create', nothing((s) => s.create())],
  ['save', { arity: [0, 1], run: async (s, [must = false], op) => none(await s.save(flagOf(must, op))) }],
  ['exists', { arity: [1, 1], run: (s, [key], op) => s.exists(keyOf(key, op)) }],
  [
    'delete',
    {
      arity: [0, 1],
      run: async (s, args, op) => none(await (args.length === 0 ? s.delete() : s.delete(keyOf(args[0], op)))),
    },
  ],
  ['set_expiry', { arity: [1, 1], run: (s, [value], op) => none(s.set_expiry(expiryOf(value, op))) }],
  ['get_expiry_age', plain((s) => s.get_expiry_age())],
  ['get_expiry_date', plain((s) => s.get_expiry_date().toISOString())],
  ['get_expire_at_browser_close', plain((s) => s.get_expire_at_browser_close())],
  ['set_test_cookie', nothing((s) => s.set_test_cookie())],
  ['test_cookie_worked', plain((s) => s.test_cookie_worked())],
  ['delete_test_cookie', nothing((s) => s.delete_test_cookie())],
  ['attr', { arity: [1, 1], run: (s, [name], op) => s[attributeOf(name, op)] }],
]);

const none = (_: unknown): null => null;

function getitem(session: Session, key: string): unknown {
  if (session.has_key(key)) return session.get(key);
  // Python's session[key], which raises KeyError.
  return { raises: 'KeyError' };
}

/** The operations of a body. All are checked before the first one runs. @throws SuspiciousOperation (400) */
export function readOps(body: unknown): readonly (readonly [name: string, ...args: unknown[]])[] {
  const ops =
    typeof body === 'object' && body !== null && Object.hasOwn(body, 'ops') ? (body as { ops: unknown }).ops : null;
  if (!Array.isArray(ops)) throw refused('Send an object with "ops", a list such as {"ops": [["get", "a"]]}.');
  if (ops.length > MAX_OPS) throw refused(`There are ${ops.length} operations; at most ${MAX_OPS} run at once.`);
  return ops.map((op: unknown, i) => {
    const [name, ...args] = Array.isArray(op) ? (op as unknown[]) : [];
    if (typeof name !== 'string')
      throw refused(`ops[${i}] is not a list that starts with a name, such as ["get", "a"].`);
    const operation = OPERATIONS.get(name);
    if (operation === undefined)
      throw refused(`ops[${i}]: the operation is unknown. Known: ${[...OPERATIONS.keys()].join(', ')}.`);
    const [least, most] = operation.arity;
    if (args.length < least || args.length > most) {
      throw refused(
        `ops[${i}]: ${name} takes ${least === most ? least : `${least} to ${most}`} arguments, not ${args.length}.`,
      );
    }
    return [name, ...args] as const;
  });
}

/** Run operations in order. An error is the result of its operation, and the next one runs. */
export async function runOps(session: Session, ops: ReturnType<typeof readOps>): Promise<OpResult[]> {
  const results: OpResult[] = [];
  for (const [name, ...args] of ops) {
    try {
      results.push((await OPERATIONS.get(name)?.run(session, args, name)) ?? null);
    } catch (error) {
      results.push({ raises: nameOf(error) });
    }
  }
  return results;
}

/** The session's state. Its flags are read first, because `get_expiry_age` sets `accessed`. */
export function stateOf(session: Session): object {
  const { session_key, accessed, modified } = session;
  return { session_key, accessed, modified, expiry_age: session.get_expiry_age() };
}

/** Rethrows what refuses the whole request: wrong arguments (400) and an unavailable store (503). */
function nameOf(error: unknown): string {
  if (error instanceof SuspiciousOperation || error instanceof StoreUnavailable) throw error;
  if (error instanceof DjangoError || error instanceof TypeError) return error.name;
  throw error;
}

const refused = (message: string): SuspiciousOperation => new SuspiciousOperation(message);

function keyOf(value: unknown, op: string): string {
  if (typeof value !== 'string') throw refused(`${op}: the key has to be a text.`);
  return value;
}

function flagOf(value: unknown, op: string): boolean {
  if (typeof value !== 'boolean') throw refused(`${op}: must_create has to be true or false.`);
  return value;
}

function objectOf(value: unknown, op: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(`${op}: give it an object.`);
  return value as Record<string, unknown>;
}

function attributeOf(value: unknown, op: string): (typeof ATTRIBUTES)[number] {
  const name = ATTRIBUTES.find((known) => known === value);
  if (name === undefined) throw refused(`${op}: one of ${ATTRIBUTES.join(', ')}.`);
  return name;
}

/** null, seconds, {"$dt": "2026-01-31T12:00:00+00:00"} or {"$td": seconds}. */
function expiryOf(value: unknown, op: string): number | null | Date | { seconds: number } {
  if (value === null || typeof value === 'number') return value;
  if (typeof value === 'object') {
    const { $dt, $td } = value as { $dt?: unknown; $td?: unknown };
    if (typeof $td === 'number') return { seconds: $td };
    const date = typeof $dt === 'string' ? new Date($dt) : undefined;
    if (date !== undefined && !Number.isNaN(date.getTime())) return date;
  }
  throw refused(
    `${op}: null, a number of seconds, {"$dt": an ISO date with its zone} or {"$td": a number of seconds}.`,
  );
}
