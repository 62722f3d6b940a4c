/** The context of every page of the site. */
import type { Context } from 'koa';
import type { AddressThrottle, Clock, LoginThrottle, Settings, UserSessions, UserTable } from '../index.js';
import type { SiteTables } from './tables.js';
import type { Pages } from './views.js';

/** The methods of the throttle that the login page uses. */
export type SiteThrottle = Pick<LoginThrottle, 'check' | 'succeeded' | 'failures'>;

/** The methods of the throttles of CAPTCHA_LIMITS that the captcha's pages use. */
export type CaptchaThrottles = Readonly<Record<'new_session' | 'session', Pick<AddressThrottle, 'check' | 'wait'>>>;

export interface Site {
  readonly settings: Settings;
  readonly pages: Pages;
  readonly tables: SiteTables;
  readonly users: UserTable;
  /** null: the engine has no rows, so sessions cannot be listed. */
  readonly userSessions: UserSessions | null;
  /** null: no limit on attempts. */
  readonly throttle: SiteThrottle | null;
  /** null: no limit on pictures. */
  readonly captchas: CaptchaThrottles | null;
  readonly lab: boolean;
  readonly now: Clock;
}

/** Handles a request; `params` are the named parts of its path. Without a body the answer is 404. */
export type Handler = (ctx: Context, params: Readonly<Record<string, string>>) => Promise<void> | void;
