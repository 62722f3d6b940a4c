/** What every page of the site is given. */
import type { Context } from 'koa';
import type { AddressThrottle, Clock, LoginThrottle, Settings, UserSessions, UserTable } from '../index.js';
import type { SiteTables } from './tables.js';
import type { Pages } from './views.js';

/** What the login page asks of the throttle. */
export type SiteThrottle = Pick<LoginThrottle, 'check' | 'succeeded' | 'failures'>;

/** What the pages that make captchas ask of the throttles of CAPTCHA_LIMITS. */
export type CaptchaThrottles = Readonly<Record<'new_session' | 'session', Pick<AddressThrottle, 'check' | 'wait'>>>;

export interface Site {
  readonly settings: Settings;
  readonly pages: Pages;
  readonly tables: SiteTables;
  readonly users: UserTable;
  /** null: the engine keeps no rows, so that nobody's sessions can be listed. */
  readonly userSessions: UserSessions | null;
  /** null: attempts are not counted. */
  readonly throttle: SiteThrottle | null;
  /** null: pictures are not counted. */
  readonly captchas: CaptchaThrottles | null;
  readonly lab: boolean;
  readonly now: Clock;
}

/** Answers a request; `params` are the named parts of its path. Without a body set, the answer is 404. */
export type Handler = (ctx: Context, params: Readonly<Record<string, string>>) => Promise<void> | void;
