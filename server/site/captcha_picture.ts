/** `/captcha/`: a new picture at every request, its answer in the session. */
import { drawCaptcha, keepCaptcha, newCaptchaText } from '../index.js';
import type { Handler, Site } from './site.js';

/**
 * Seconds that a row lives which was made for a picture alone, so that visitors who never log in leave no row for weeks.
 * A login goes back to SESSION_COOKIE_AGE.
 */
export const ANONYMOUS_SESSION_AGE = 3600;
/** Pictures drawn at one time; more are refused, as each costs a thread of the pool that also checks passwords. */
const MAX_DRAWING = 16;

export function captchaPicture(site: Site): Handler {
  let drawing = 0;
  return async function captchaPicture(ctx) {
    // The picture takes the place of the one before: another site must not be able to ask for it in a visitor's name.
    if (ctx.get('Sec-Fetch-Site') === 'cross-site') ctx.throw(403, 'The picture is for this site only.');
    ctx.set('Cache-Control', 'no-store');
    ctx.set('Cross-Origin-Resource-Policy', 'same-origin');
    ctx.type = 'png';
    if (ctx.method === 'HEAD') {
      ctx.status = 200;
      return;
    }
    if (drawing >= MAX_DRAWING) ctx.throw(503, 'Too many pictures at once.');
    drawing += 1;
    try {
      const text = newCaptchaText();
      const { session } = ctx;
      if (session.get('_session_expiry') === null && session.session_key === null) {
        session.set_expiry(ANONYMOUS_SESSION_AGE);
      }
      keepCaptcha(session, text, { settings: site.settings, now: site.now() });
      ctx.body = await drawCaptcha(text);
    } finally {
      drawing -= 1;
    }
  };
}
