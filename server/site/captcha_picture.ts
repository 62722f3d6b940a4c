/** `/captcha/`: a new picture at every request, its solution in the session. `/captcha/task/`: a proof-of-work task. */
import type { Context } from 'koa';
import { drawCaptcha, keepCaptcha, newCaptchaText, newProofOfWork } from '../index.js';
import { checkCaptcha } from './captcha_limits.js';
import { shortenNewSession } from './form_session.js';
import { messages } from './i18n.js';
import type { Handler, Site } from './site.js';

/** The maximum number of concurrent drawings: each needs a thread of the pool that also hashes passwords. */
const MAX_DRAWING = 16;

export function captchaPicture(site: Site): Handler {
  let drawing = 0;
  return async function captchaPicture(ctx) {
    // A new picture replaces the previous one, so another site must not be able to request it for a visitor.
    if (ctx.get('Sec-Fetch-Site') === 'cross-site') ctx.throw(403, 'The picture is for this site only.');
    ctx.set('Cache-Control', 'no-store');
    ctx.set('Cross-Origin-Resource-Policy', 'same-origin');
    ctx.type = 'png';
    if (ctx.method === 'HEAD') {
      ctx.status = 200;
      return;
    }
    if (drawing >= MAX_DRAWING) ctx.throw(503, 'Too many pictures at once.');
    // Before the limit on concurrent drawings, so that refused requests do not count for it.
    const problem = await mustWait(site, ctx);
    if (problem !== null) {
      ctx.type = 'text';
      ctx.body = problem;
      return;
    }
    const text = newCaptchaText();
    shortenNewSession(ctx);
    keepCaptcha(ctx.session, text, { settings: site.settings, now: site.now() });
    drawing += 1;
    try {
      ctx.body = await drawCaptcha(text);
    } finally {
      drawing -= 1;
    }
  };
}

/** For a script on the login page: `{"challenge", "parts", "difficulty"}`, or 429 with `{"problem"}`. */
export function captchaTask(site: Site): Handler {
  return async function captchaTask(ctx) {
    ctx.set('Cache-Control', 'no-store');
    const problem = await mustWait(site, ctx);
    if (problem !== null) {
      ctx.body = { problem };
      return;
    }
    shortenNewSession(ctx);
    ctx.body = newProofOfWork(ctx.session, { now: site.now() });
  };
}

/** Sets 429 and returns a message for the visitor if this address is over its limit, else returns null. */
async function mustWait(site: Site, ctx: Context): Promise<string | null> {
  const answer = await checkCaptcha(site, ctx);
  if (answer.allowed) return null;
  ctx.status = 429;
  ctx.set('Retry-After', String(answer.retry_after));
  return messages(site.pages.language(ctx)).captcha_wait(answer.retry_after);
}
