/** Pages for users only. */
import type { Context } from 'koa';
import type { User } from '../index.js';

/** The user; null for an anonymous visitor, who is redirected to the login page and then back to this page. */
export function userOrLogin(ctx: Context): User | null {
  const { user } = ctx;
  if (user.is_authenticated) return user;
  ctx.set('Cache-Control', 'no-store');
  ctx.redirect(`/login/?next=${encodeURIComponent(ctx.path)}`);
  return null;
}
