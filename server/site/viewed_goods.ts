/** The goods that a visitor viewed last: in the session, or without one in a signed cookie. */
import type { Context } from 'koa';
import type { Settings } from '../index.js';
import { isGoodId } from './tables.js';

/** The session key: a list of ids, newest first. */
export const VIEWED_SESSION_KEY = 'viewed_goods';
export const VIEWED_LENGTH = 5;
const COOKIE = 'viewed_goods';
const SALT = 'viewed-goods';

/** The ids, newest first. Any content of a session or cookie gives a list of at most five different numbers. */
export function viewedGoods(ctx: Context): number[] {
  const kept = ctx.session.get(VIEWED_SESSION_KEY);
  return idsOf(kept ?? fromCookie(ctx));
}

/**
 * Put an id first. A visitor without a session row gets a signed cookie, because otherwise every crawler would leave a
 * row. With a row (from the login page's picture on) the list moves into the session.
 */
export function addViewedGood(ctx: Context, id: number, settings: Pick<Settings, 'SESSION_COOKIE_SECURE'>): number[] {
  const before = viewedGoods(ctx);
  const ids = [id, ...before.filter((other) => other !== id)].slice(0, VIEWED_LENGTH);
  if (ctx.session.session_key === null) {
    const secure = settings.SESSION_COOKIE_SECURE;
    ctx.response.set_signed_cookie(COOKIE, ids.join('.'), { salt: SALT, httponly: true, samesite: 'Lax', secure });
    return ids;
  }
  // Viewing the same one again changes nothing and causes no write.
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
  const ids = value.filter(isGoodId);
  return [...new Set(ids)].slice(0, VIEWED_LENGTH);
}
