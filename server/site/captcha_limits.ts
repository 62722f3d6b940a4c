/** How many pictures and tasks one client address may ask for, and what a visitor is told who has to wait. */
import type { Context } from 'koa';
import type { AddressLimit, ThrottleAnswer } from '../index.js';
import type { CaptchaThrottles, Site } from './site.js';

/**
 * Pictures and tasks for one address (IPv6: one /64). Those that make a session row: as many as one address may try to
 * log in, so at most 350 rows in the hour that such a row lives. Those of a session that has its row cost no room, only
 * work: 0.5 a second in the long run.
 */
export const CAPTCHA_LIMITS: Readonly<Record<keyof CaptchaThrottles, AddressLimit>> = {
  new_session: { free: 50, healsIn: 12 },
  session: { free: 200, healsIn: 2 },
};

/** A count of its own for visitors who have a session: programs without cookies cannot use it up. */
function throttleFor({ captchas }: Site, { session }: Context): CaptchaThrottles['session'] | undefined {
  // Until somebody looks, session_key is the cookie's word: no row need have it.
  const hasRow = !session.hasUnreadableRow && session.session_key !== null;
  return captchas?.[hasRow ? 'session' : 'new_session'];
}

/** Counts a picture or a task that is about to be made. */
export async function checkCaptcha(site: Site, ctx: Context): Promise<ThrottleAnswer> {
  return (await throttleFor(site, ctx)?.check(ctx.ip)) ?? { allowed: true };
}

/** Seconds until this visitor may have a picture; 0 for now. Counts nothing. */
export async function captchaWait(site: Site, ctx: Context): Promise<number> {
  return (await throttleFor(site, ctx)?.wait(ctx.ip)) ?? 0;
}
