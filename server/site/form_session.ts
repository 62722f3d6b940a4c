/** Sessions that the login form makes for visitors who are not logged in: short-lived until a login. */
import type { Context } from 'koa';

/**
 * Seconds that a row lives which was made for the login form alone, so that visitors who never log in leave no row for
 * weeks. One less than an hour: an application's own set_expiry(3600) in the same row is told apart from this.
 */
export const FORM_SESSION_AGE = 3599;
/** The session key that says that the expiry is the form's own, and not an application's. */
const FORM_SESSION_KEY = 'login_form';

/** For a session without a row, before the form writes into it. One that has a row, or an expiry, is left as it is. */
export function shortenNewSession({ session }: Context): void {
  // The look comes first: until then session_key is the cookie's word, and no row need have it.
  if (session.get('_session_expiry') !== null || session.session_key !== null) return;
  session.set_expiry(FORM_SESSION_AGE);
  session.set(FORM_SESSION_KEY, true);
}

/** At a login: back to SESSION_COOKIE_AGE where the form had shortened the session; an application's expiry stays. */
export function restoreExpiry({ session }: Context): void {
  const isOurs = session.pop(FORM_SESSION_KEY, null) !== null;
  if (isOurs && session.get('_session_expiry') === FORM_SESSION_AGE) session.set_expiry(null);
}
