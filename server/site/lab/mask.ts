/** Shortens secrets on the lab's pages: session keys, auth hashes, CSRF secrets. Everything else is shown unchanged. */
import { CSRF_SESSION_KEY, HASH_SESSION_KEY, type Settings } from '../../index.js';
import { shorten } from '../format.js';

/** The cookie with the id of a browser's steps. */
export const NOTEBOOK_COOKIE = 'lab_notebook';

/** With these, somebody else could act as the user, or forge a form. */
const SECRET_MEMBERS: ReadonlySet<string> = new Set([HASH_SESSION_KEY, CSRF_SESSION_KEY]);

export const isSecretMember = (name: string): boolean => SECRET_MEMBERS.has(name);

export function isSecretCookie(name: string, settings: Settings): boolean {
  return name === settings.SESSION_COOKIE_NAME || name === settings.CSRF_COOKIE_NAME || name === NOTEBOOK_COOKIE;
}

/** The start of a secret: enough to tell two apart, and the same length everywhere. */
export const mask = (secret: string): string => shorten(secret);

/** The start of a secret, as a JSON text. */
export const maskJson = (json: string): string => (json.startsWith('"') ? `"${mask(json.slice(1, -1))}"` : mask(json));
