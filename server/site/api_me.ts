/** `GET /api/me/`: the user of the session, as JSON. */
import { printJson } from '../index.js';
import { shorten } from './format.js';
import type { Handler } from './site.js';

export function apiMe(): Handler {
  return function apiMe(ctx) {
    const { user } = ctx;
    const { session_key } = ctx.session;
    ctx.set('Cache-Control', 'no-store');
    ctx.type = 'json';
    // As Django's JsonResponse prints `user.pk`: a 64-bit key is a number, which JSON.stringify could not write.
    ctx.body = printJson({
      user: user.is_authenticated ? { id: user.pk, username: user.get_username() } : null,
      session_key: session_key === null ? null : shorten(session_key),
    });
  };
}
