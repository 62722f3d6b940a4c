/** Checks what the methods of users and their sessions are given, where TypeScript may not have checked it. */
import { ImproperlyConfigured, ValueError } from '../errors.js';

/** What Django's hashers return: the algorithm, then parameters, salt or hash. */
const ENCODED = /^[^$\s]+\$[^$]*\$/;
/** Shorter than every hash, and longer than most passwords with two dollar signs. */
const LEAST_ENCODED = 16;
/** What make_password(null) returns, and the "!" of old rows. */
const UNUSABLE = /^!([A-Za-z0-9]{40})?$/;

/**
 * Django's methods of these names take the password itself; ours store what they are given.
 * @throws ValueError for a password in plain, and for a promise
 */
export function checkEncoded(caller: string, encoded: unknown): void {
  const isText = typeof encoded === 'string';
  if (isText && (UNUSABLE.test(encoded) || (encoded.length >= LEAST_ENCODED && ENCODED.test(encoded)))) return;
  throw new ValueError(`${caller} stores what it is given: not the password, but \`await make_password(password)\`.`);
}

/** @throws ValueError for null, an id, a promise and AnonymousUser */
export function checkLogin(caller: string, user: unknown): void {
  const { id, password, is_authenticated } = Object(user) as Record<string, unknown>;
  if (is_authenticated === true && id !== undefined && typeof password === 'string') return;
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
