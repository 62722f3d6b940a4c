/** Checks what the methods of users and their sessions are given, where TypeScript may not have checked it. */
import { ImproperlyConfigured, ValueError } from '../errors.js';

/**
 * What hashers return: the algorithm, parameters and salt, then the hash. Django's own are known by their names, others by
 * the length of their hash. Also MD5 without any of that.
 */
const ENCODED =
  /^(?:(?:pbkdf2|argon2|bcrypt|scrypt|md5|sha1|unsalted|crypt)[a-z0-9_]*\$.*\$|[\w-]+\$(?:[^$]*\$)*[^$\s]{16,}$|[0-9a-f]{32}$)/s;
/** What make_password(null) returns, the "!" of old rows, and a hash that was put out of use by a "!" before it. */
const isUnusable = (encoded: string): boolean =>
  encoded.startsWith('!') && (/^!([A-Za-z0-9]{40})?$/.test(encoded) || ENCODED.test(encoded.slice(1)));

/**
 * Django's methods of these names take the password itself; ours store what they are given.
 * @throws ValueError for a password in plain, and for a promise
 */
export function checkEncoded(caller: string, encoded: unknown): void {
  const isText = typeof encoded === 'string';
  if (isText && (ENCODED.test(encoded) || isUnusable(encoded))) return;
  throw new ValueError(`${caller} stores what it is given: not the password, but \`await make_password(password)\`.`);
}

/** Whether sessions can hold it: of an object without a text of its own, all users would have one. */
const isId = (id: unknown): boolean =>
  id !== undefined && id !== null && !Number.isNaN(id) && !String(id).startsWith('[object ');

/** @throws ValueError for null, an id, a promise, AnonymousUser, and a user whose id is an object: all would have one text */
export function checkLogin(caller: string, user: unknown): void {
  const { id, password, is_authenticated } = Object(user) as Record<string, unknown>;
  if (is_authenticated === true && isId(id)) {
    if (typeof password === 'string') return;
    throw new ValueError(`${caller} needs the user's \`password\` as it is stored: a text, '' where there is none.`);
  }
  throw new ValueError(
    `${caller} needs a user that is not anonymous, such as \`await authenticate(ctx, …)\` gives it.`,
  );
}

/** @throws ValueError for an id instead of the user, and for a promise */
export function checkUser(caller: string, user: unknown): void {
  if (typeof user === 'object' && user !== null && 'id' in user && user.id !== undefined) return;
  throw new ValueError(`${caller} needs the user: \`ctx.user\`, or \`{ id }\`.`);
}

/** @throws ValueError for ctx, a key or a promise: no session would be the current one, and the visitor's own would end too */
export function checkCurrent(caller: string, current: { readonly session_key?: unknown } | undefined): void {
  if (current === undefined || Object(current).session_key !== undefined) return;
  throw new ValueError(`${caller} needs the current session: \`ctx.session\`.`);
}

/** @throws ImproperlyConfigured for a UserTable, and for a class instead of its instance */
export function checkBackend(backend: object | undefined): void {
  const { path, get_user, authenticate } = Object(backend) as Record<string, unknown>;
  const isBackend = typeof get_user === 'function' && typeof authenticate === 'function';
  if (isBackend && typeof path === 'string') return;
  throw new ImproperlyConfigured(
    'An authentication backend has `path`, `authenticate` and `get_user`, such as new ModelBackend(users).',
  );
}

/** @throws ValueError for the user instead of the id, which would be nobody's */
export function checkId(caller: string, id: unknown): void {
  if (typeof id !== 'object' && typeof id !== 'function' && id !== undefined) return;
  throw new ValueError(`${caller} needs the user's id: \`user.id\`.`);
}
