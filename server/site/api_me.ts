/** `GET /api/me/`: who this is, for machines. */
import { shorten } from './format.js';
import type { Handler } from './site.js';

export function apiMe(): Handler {
  return function apiMe(ctx) {
    const { user } = ctx;
    const { session_key } = ctx.session;
    ctx.set('Cache-Control', 'no-store');
    ctx.body = {
      user: user.is_authenticated ? { id: user.id, username: user.get_username() } : null,
      session_key: session_key === null ? null : shorten(session_key),
    };
  };
}
