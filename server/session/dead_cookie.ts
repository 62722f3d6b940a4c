/** When a cookie is deleted whose session is dead: no row has its key, or a changed password ended it. */
import type { Context } from 'koa';

/**
 * Whether this answer may tell the browser to forget such a cookie: only the answer to a navigation, or to a client that
 * does not say what the request is for (Sec-Fetch-Mode: Fetch Metadata, section 2.3).
 *
 * A page's own requests may be on their way with the old cookie while a login takes a new key. Their answers can come
 * after the login's, and a deletion goes by the cookie's name: it would take the new key. Nothing tells such a request
 * from one with a cookie that died long ago. The dead cookie goes with the next page.
 */
export function mayDeleteDeadCookie(ctx: Context): boolean {
  const mode = ctx.get('Sec-Fetch-Mode');
  return mode === '' || mode === 'navigate';
}
