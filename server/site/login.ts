/** `/login/`: user name, password, and a captcha: the text of a picture, or a proof of work computed by a script. */
import type { Context } from 'koa';
import {
  acceptCaptcha,
  acceptProofOfWork,
  authenticate,
  CAPTCHA_SESSION_KEY,
  login,
  PICTURE_HEIGHT,
  PICTURE_WIDTH,
  PROOF_OF_WORK_SESSION_KEY,
  requestDeadline,
  type User,
} from '../index.js';
import { captchaWait } from './captcha_limits.js';
import { restoreExpiry, shortenNewSession } from './form_session.js';
import { messages } from './i18n.js';
import type { Messages } from './messages/en.js';
import { queryField, safeNext, shownNext } from './next.js';
import { notice } from './notices.js';
import { allowOwnScripts } from './own_scripts.js';
import { loginWithReport, SECOND_LOGIN_PATH } from './second_login.js';
import type { Handler, Site } from './site.js';
import { staticAddress } from './static_files.js';

/** The session key of a failed login, for LOGIN_CAPTCHA=after_failures. */
const FAILED_SESSION_KEY = 'login_failed';
// Django's limits, of AuthenticationForm's fields. An email as USERNAME_FIELD may have 254 characters.
const USERNAME_LENGTH = 254;
export const PASSWORD_LENGTH = 4096;
/** The number of failures of an account or address after which a browser without failures also needs a captcha. */
const FAILURES_WITHOUT_CAPTCHA = 3;

/** The values that the form shows again, never the password. */
interface Shown {
  readonly problem?: string;
  readonly username?: string;
  readonly status?: number;
}

export function loginForm(site: Site): Handler {
  return function loginForm(ctx) {
    return showForm(site, ctx, {});
  };
}

export function loginAction(site: Site): Handler {
  return async function loginAction(ctx) {
    const { POST } = ctx.request;
    const m = messages(site.pages.language(ctx));
    const username = POST.get('username') ?? '';
    // The button for a new picture is not an attempt: nothing is checked or counted.
    if (POST.has('refresh')) return showForm(site, ctx, { username });

    // Checked before the password, so that a program needs a solution for each guess.
    if ((await needsCaptcha(site, ctx, username)) && !(await passesCaptcha(site, ctx))) {
      return showForm(site, ctx, { username, problem: captchaProblem(site, ctx, m) });
    }
    const attempt = { username, address: ctx.ip };
    const deadline = requestDeadline(ctx);
    const answer = (await site.throttle?.check(attempt, deadline)) ?? { allowed: true };
    if (!answer.allowed) {
      ctx.set('Retry-After', String(answer.retry_after));
      return showForm(site, ctx, { username, problem: m.login_throttled(answer.retry_after), status: 429 });
    }
    const user = await checkPassword(ctx, username, POST.get('password') ?? '');
    if (user === null) {
      if (site.settings.LOGIN_CAPTCHA === 'after_failures') rememberFailure(ctx);
      return showForm(site, ctx, { username, problem: m.login_wrong });
    }
    await site.throttle?.succeeded(attempt, deadline);

    const next = nextOf(site, ctx);
    forgetFormState(ctx);
    if (site.lab && next === SECOND_LOGIN_PATH) await loginWithReport(ctx, user);
    else await login(ctx, user);
    notice(ctx, m.notice_logged_in(user.get_username()));
    ctx.set('Cache-Control', 'no-store');
    ctx.redirect(next);
  };
}

/** null also for impossible input, without a query. */
async function checkPassword(ctx: Context, username: string, password: string): Promise<User | null> {
  const possible =
    username !== '' &&
    password !== '' &&
    username.length <= USERNAME_LENGTH &&
    password.length <= PASSWORD_LENGTH &&
    !username.includes('\0') &&
    !password.includes('\0');
  return possible ? authenticate(ctx, { username, password }) : null;
}

/** Stored in this browser's session, with the short expiry of a session for a picture. */
function rememberFailure(ctx: Context): void {
  shortenNewSession(ctx);
  ctx.session.set(FAILED_SESSION_KEY, true);
}

/** Data of the form is not kept in the user's session. */
function forgetFormState(ctx: Context): void {
  for (const key of [FAILED_SESSION_KEY, CAPTCHA_SESSION_KEY, PROOF_OF_WORK_SESSION_KEY]) ctx.session.pop(key, null);
  restoreExpiry(ctx);
}

/** After failures of this browser, or several of the account or the address, for visitors who delete their cookies. */
async function needsCaptcha({ settings, throttle }: Site, ctx: Context, username: string): Promise<boolean> {
  switch (settings.LOGIN_CAPTCHA) {
    case 'always':
      return true;
    case 'after_failures': {
      if (ctx.session.has_key(FAILED_SESSION_KEY)) return true;
      const attempt = username === '' ? { address: ctx.ip } : { username, address: ctx.ip };
      return ((await throttle?.failures(attempt, requestDeadline(ctx))) ?? 0) >= FAILURES_WITHOUT_CAPTCHA;
    }
    case 'off':
      return false;
  }
}

/** The solution of the task; empty if the form was sent with a picture. */
function solutionIn(ctx: Context): string {
  return ctx.request.POST.get('proof_of_work') ?? '';
}

function passesCaptcha({ settings, now }: Site, ctx: Context): Promise<boolean> {
  const solution = solutionIn(ctx);
  if (solution !== '') return acceptProofOfWork(ctx.session, solution, { now: now() });
  return acceptCaptcha(ctx.session, ctx.request.POST.get('captcha') ?? '', { settings, now: now() });
}

/** Without a session cookie no solution can be right: say that, instead of reporting a wrong solution. */
function captchaProblem({ settings }: Site, ctx: Context, m: Messages): string {
  const { POST, COOKIES } = ctx.request;
  const isTask = solutionIn(ctx) !== '';
  // The submitted form had no picture yet.
  if (settings.LOGIN_CAPTCHA !== 'always' && !isTask && !POST.has('captcha')) return m.login_captcha_needed;
  if (!COOKIES.has(settings.SESSION_COOKIE_NAME)) return m.login_captcha_missing;
  return isTask ? m.login_task_wrong : m.login_captcha_wrong;
}

/** As Django's LoginView: the form's field, then the query's; only within this site. */
function nextOf({ settings }: Site, ctx: Context): string {
  return safeNext(ctx, ctx.request.POST.get('next') ?? queryField(ctx, 'next'), settings.LOGIN_REDIRECT_URL);
}

async function showForm(site: Site, ctx: Context, { problem, username = '', status = 200 }: Shown): Promise<void> {
  const captcha = (await needsCaptcha(site, ctx, username)) ? await captchaLocals(site, ctx) : null;
  ctx.status = status;
  await site.pages.render(ctx, 'login', {
    problem: problem ?? null,
    username: username.slice(0, USERNAME_LENGTH),
    next: shownNext(ctx.request.POST.get('next') ?? queryField(ctx, 'next')),
    captcha,
    focus: username === '' ? 'username' : 'password',
  });
  if (captcha !== null) allowOwnScripts(ctx);
}

async function captchaLocals(site: Site, ctx: Context): Promise<object> {
  return {
    // Seconds until this address may get a picture.
    wait: await captchaWait(site, ctx),
    // A different URL each time: browsers reuse a picture that they have just shown without a request.
    picture: `/captcha/?${site.now().toString(36)}`,
    width: PICTURE_WIDTH,
    height: PICTURE_HEIGHT,
    // After a task, show a task again, unless a new picture was requested.
    start: solutionIn(ctx) !== '' && !ctx.request.POST.has('refresh'),
    script: SCRIPT,
    worker: WORKER,
  };
}

const SCRIPT = staticAddress('login_task.js');
const WORKER = staticAddress('proof_of_work.js');
