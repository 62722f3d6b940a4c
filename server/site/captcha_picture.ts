/** `/captcha/`: a new picture at every request, its answer in the session. `/captcha/task/`: a task instead. */
import type { Context } from 'koa';
import { drawCaptcha, keepCaptcha, newCaptchaText, newProofOfWork } from '../index.js';
import { checkCaptcha } from './captcha_limits.js';
import { shortenNewSession } from './form_session.js';
import { messages } from './i18n.js';
import type { Handler, Site } from './site.js';

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
    // Before a place is taken: those who are refused must not keep others from theirs.
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

/** Answers 429 when this address has had its share; then a sentence for the visitor, else null. */
async function mustWait(site: Site, ctx: Context): Promise<string | null> {
  const answer = await checkCaptcha(site, ctx);
  if (answer.allowed) return null;
  ctx.status = 429;
  ctx.set('Retry-After', String(answer.retry_after));
  return messages(site.pages.language(ctx)).captcha_wait(answer.retry_after);
}
