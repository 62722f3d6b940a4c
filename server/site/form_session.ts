/** The expiry of sessions created by the login form: short until a login. */
import type { Context } from 'koa';

/**
 * The age in seconds of a session created only for the login form, so that visitors who never log in leave no row for
 * weeks. One less than an hour, to distinguish it from an application's set_expiry(3600).
 */
export const FORM_SESSION_AGE = 3599;
/** The session key that marks the expiry as set by the form, not by an application. */
const FORM_SESSION_KEY = 'login_form';

/** Call it before the form writes into the session. Does nothing if the session has a row or an expiry. */
export function shortenNewSession({ session }: Context): void {
  // Access the session first: before that, session_key is the cookie's value, and the row may not exist.
  if (session.get('_session_expiry') !== null || session.session_key !== null) return;
  session.set_expiry(FORM_SESSION_AGE);
  session.set(FORM_SESSION_KEY, true);
}

/** At a login: restore SESSION_COOKIE_AGE if the form had shortened the session; keep an application's expiry. */
export function restoreExpiry({ session }: Context): void {
  const isOurs = session.pop(FORM_SESSION_KEY, null) !== null;
  if (isOurs && session.get('_session_expiry') === FORM_SESSION_AGE) session.set_expiry(null);
}
