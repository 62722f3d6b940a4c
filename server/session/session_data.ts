/** Types of the keys and values of an application's sessions. Nothing of it exists at run time. */
import type { AnyData, SessionDictionary } from './dictionary.js';
import type { Misspelling } from './misspelling.js';

/**
 * The keys of an application's sessions and the types of their values, declared once for the whole program:
 *
 * ```ts
 * declare module 'koa-django-session' {
 *   interface SessionData { cart: Item[]; visits: number }
 * }
 * ```
 *
 * From then on other keys do not compile. `[key: string]: unknown` as a further member allows them all; a variable of type
 * `SessionDictionary` allows them in one place. Whether a member is optional makes no difference: no key is always there.
 * The declaration is a promise: what Django or an older release wrote into the row is not checked.
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications merge into it
export interface SessionData {}

/** The user who is logged in, as `login` and Django write it. Only `login` and `logout` should change it. */
interface LoginData {
  _auth_user_id: string;
  _auth_user_backend: string;
}

/** The declared keys and values, and Django's own of a login; any where none are declared. */
export type DeclaredData = keyof SessionData extends never
  ? AnyData
  : Required<SessionData> & Omit<LoginData, keyof SessionData>;

/** A session's items: `session['cart']`. A key that is called like a member of the session is none: `get` takes it. */
export type SessionItems = keyof SessionData extends never ? AnyItems : DeclaredItems;

type DeclaredItems = { [Key in keyof SessionData as Exclude<Key, OwnName>]?: Required<SessionData>[Key] };

/** Every name but those that are nearly `modified` or `accessed`. */
interface AnyItems {
  [key: string]: unknown;
  [misspelling: Misspelling]: never;
}

/** The members of `Session`, which cannot be asked for them: its items are among them. */
// biome-ignore format: a few lines are enough
type OwnName =
  | keyof SessionDictionary
  | 'alreadyWritten' | 'atomic' | 'clear_expired' | 'create' | 'cycle_key' | 'decode' | 'delete' | 'encode'
  | 'exists' | 'flush' | 'hasUnreadableRow' | 'is_empty' | 'isInCookie' | 'isMissing' | 'load' | 'save' | 'session_key' | 'wasSavedWithin';
