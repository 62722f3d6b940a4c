/** What the lab hides: values that open something. Everything else is shown as it is. */
import { CSRF_SESSION_KEY, HASH_SESSION_KEY, type Settings } from '../../index.js';
import { shorten } from '../format.js';

/** The cookie that leads to the lab's notes about a browser's steps. */
export const NOTEBOOK_COOKIE = 'lab_notebook';

/** Whoever has these can go on as the person logged in, or can forge a form. */
const SECRET_MEMBERS: ReadonlySet<string> = new Set([HASH_SESSION_KEY, CSRF_SESSION_KEY]);

export const isSecretMember = (name: string): boolean => SECRET_MEMBERS.has(name);

export function isSecretCookie(name: string, settings: Settings): boolean {
  return name === settings.SESSION_COOKIE_NAME || name === settings.CSRF_COOKIE_NAME || name === NOTEBOOK_COOKIE;
}

/** The start of a secret: enough to tell two apart. The same everywhere, so that one key looks the same in all places. */
export const mask = (secret: string): string => shorten(secret);

/** A JSON text of a secret: its start, in quotes. */
export const maskJson = (json: string): string => (json.startsWith('"') ? `"${mask(json.slice(1, -1))}"` : mask(json));
