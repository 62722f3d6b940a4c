/** Decides which answers delete a cookie whose session is gone: no row has its key, or a changed password ended it. */
import type { Context } from 'koa';

/**
 * Whether this answer may delete such a cookie: only the answer to a navigation, or to a client that sends no
 * Sec-Fetch-Mode (Fetch Metadata, section 2.3).
 *
 * A page may have sent requests of its own with the old cookie while a login took a new key. If one of their answers came
 * after the login's and deleted the cookie, it would delete the new one, because both have the same name. The server cannot
 * tell such a request from one whose session ended long ago. The next navigation deletes the cookie.
 */
export function mayDeleteDeadCookie(ctx: Context): boolean {
  const mode = ctx.get('Sec-Fetch-Mode');
  return mode === '' || mode === 'navigate';
}
