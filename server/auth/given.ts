/** Checks what the methods of users and their sessions are given, where TypeScript may not have checked it. */
import { ValueError } from '../errors.js';

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

/** @throws ValueError for an id instead of the user, and for a request without authentication */
export function checkUser(caller: string, user: unknown): void {
  if (typeof user === 'object' && user !== null && 'id' in user && user.id !== undefined) return;
  throw new ValueError(`${caller} needs the user: \`ctx.user\`, or \`{ id }\`.`);
}
