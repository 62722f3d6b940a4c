/** The rate limit of pictures and tasks per client address. */
import type { Context } from 'koa';
import { type AddressLimit, AddressThrottle, requestDeadline, type Settings, type ThrottleAnswer } from '../index.js';
import type { CaptchaThrottles, Site } from './site.js';
import type { Database } from './tables.js';

/**
 * Pictures and tasks for one address (IPv6: one /64). Those that insert a session row: as many as login attempts of one
 * address, so at most 350 rows in the hour that such a row lives. Those of an existing session need no storage: 0.5 a
 * second in the long run.
 */
export const CAPTCHA_LIMITS: Readonly<Record<keyof CaptchaThrottles, AddressLimit>> = {
  new_session: { free: 50, healsIn: 12 },
  session: { free: 200, healsIn: 2 },
};

/** @param knex of the database with koa_login_attempts */
export function captchaThrottles(
  knex: Database,
  { settings, timeout }: { readonly settings: Settings; readonly timeout: number },
): CaptchaThrottles {
  const throttle = (name: string, limit: AddressLimit): AddressThrottle =>
    new AddressThrottle(knex, { settings, name, limit, timeout });
  return {
    new_session: throttle('captcha_new', CAPTCHA_LIMITS.new_session),
    session: throttle('captcha', CAPTCHA_LIMITS.session),
  };
}

/** A separate count for visitors with a session: programs without cookies cannot use it up. */
function throttleFor({ captchas }: Site, { session }: Context): CaptchaThrottles['session'] | undefined {
  // Before the first access, session_key is the cookie's value: the row may not exist.
  const hasRow = !session.hasUnreadableRow && session.session_key !== null;
  return captchas?.[hasRow ? 'session' : 'new_session'];
}

/** Counts a picture or a task, before it is created. */
export async function checkCaptcha(site: Site, ctx: Context): Promise<ThrottleAnswer> {
  return (await throttleFor(site, ctx)?.check(ctx.ip, requestDeadline(ctx))) ?? { allowed: true };
}

/** Seconds until this visitor may get a picture; 0 for now. Does not count. */
export async function captchaWait(site: Site, ctx: Context): Promise<number> {
  return (await throttleFor(site, ctx)?.wait(ctx.ip, requestDeadline(ctx))) ?? 0;
}
