/** The goods that a visitor looked at last: in the session, or in a signed cookie while there is no session. */
import type { Context } from 'koa';
import type { Settings } from '../index.js';

/** The session key: a list of ids, newest first. */
export const VIEWED_SESSION_KEY = 'viewed_goods';
export const VIEWED_LENGTH = 5;
const COOKIE = 'viewed_goods';
const SALT = 'viewed-goods';

/** The ids, newest first. A session or cookie of any content gives a list of at most five different numbers. */
export function viewedGoods(ctx: Context): number[] {
  const kept = ctx.session.get(VIEWED_SESSION_KEY);
  return idsOf(kept ?? fromCookie(ctx));
}

/**
 * Put an id in front. A visitor without a session row gets a signed cookie instead: otherwise every robot that follows
 * the links would leave a row behind. With a row (from the login page's picture on) the list moves into it.
 */
export function addViewedGood(ctx: Context, id: number, settings: Pick<Settings, 'SESSION_COOKIE_SECURE'>): number[] {
  const before = viewedGoods(ctx);
  const ids = [id, ...before.filter((other) => other !== id)].slice(0, VIEWED_LENGTH);
  if (ctx.session.session_key === null) {
    const secure = settings.SESSION_COOKIE_SECURE;
    ctx.response.set_signed_cookie(COOKIE, ids.join('.'), { salt: SALT, httponly: true, samesite: 'Lax', secure });
    return ids;
  }
  // Looking at the same one again changes nothing, and costs no write.
  if (ids.join() !== before.join() || !ctx.session.has_key(VIEWED_SESSION_KEY))
    ctx.session.set(VIEWED_SESSION_KEY, ids);
  if (ctx.request.COOKIES.has(COOKIE)) ctx.response.delete_cookie(COOKIE, { samesite: 'Lax' });
  return ids;
}

function fromCookie(ctx: Context): number[] {
  const text = ctx.request.get_signed_cookie(COOKIE, { salt: SALT, default: '' });
  return text.split('.').map(Number);
}

function idsOf(value: unknown): number[] {
  if (!Array.isArray(value)) return [];
  const ids = value.filter((id): id is number => Number.isSafeInteger(id) && id > 0 && id <= 0x7fff_ffff);
  return [...new Set(ids)].slice(0, VIEWED_LENGTH);
}
