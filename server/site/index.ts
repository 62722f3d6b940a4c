/** The reference site: pages, routes, static files. It uses the library like any other application. */
import type { Middleware } from 'koa';
import type { RenderError, SessionStore, Settings, UserSessions, UserTable } from '../index.js';
import { type Clock, systemClock } from '../index.js';
import { createLab } from './lab/index.js';
import { routes } from './routes.js';
import type { CaptchaThrottles, Site, SiteThrottle } from './site.js';
import { staticFiles } from './static_files.js';
import { type Database, SiteTables } from './tables.js';
import { Pages } from './views.js';

export { CAPTCHA_LIMITS, captchaThrottles } from './captcha_limits.js';
export type { CaptchaThrottles, SiteThrottle } from './site.js';

export interface SiteOptions {
  readonly settings: Settings;
  /** DATABASE_TIMEOUT, seconds; 1 when absent. */
  readonly timeout?: number;
  readonly knex: Database;
  readonly users: UserTable;
  /**
   * Lists and ends users' sessions; null or absent for an engine without rows. The application mounts its middleware.
   */
  readonly userSessions?: UserSessions | null;
  /** Limits failed logins; null for no limit. */
  readonly throttle: SiteThrottle | null;
  /** Limits pictures by address; null or absent for no limit. */
  readonly captchas?: CaptchaThrottles | null;
  /** Whether `/lab/` and `/second-login/` are served. Not in production. */
  readonly lab: boolean;
  /** The store of `sessions`, for the lab, which shows rows. */
  readonly store: SessionStore;
  readonly now?: Clock;
}

/**
 * The parts of the site, which an application mounts in this order:
 *
 * ```ts
 * const site = createSite({ settings, knex, store, users, userSessions, throttle, lab });
 * app.use(site.staticFiles);                       // before sessions: no session, no query
 * app.use(site.views);                             // gives ctx.render; before exceptions, which renders too
 * app.use(sessions(app, { settings, store }));
 * app.use(exceptions({ render: site.renderError }));
 * app.use(csrf(app, { settings }));
 * app.use(formBody({ settings }));
 * app.use(authentication(app, { settings, backends }));
 * app.use(userSessions.middleware);
 * app.use(messages(app, { settings }));
 * for (const middleware of site.routes) app.use(middleware);
 * ```
 */
export interface SitePieces {
  readonly staticFiles: Middleware;
  readonly views: Middleware;
  readonly renderError: RenderError;
  readonly routes: readonly Middleware[];
}

export function createSite({
  settings,
  timeout,
  knex,
  users,
  userSessions = null,
  throttle,
  captchas = null,
  lab: hasLab,
  store,
  now = systemClock,
}: SiteOptions): SitePieces {
  const { LANGUAGE_COOKIE_NAME, SESSION_COOKIE_NAME } = settings;
  const pages = new Pages({
    LANGUAGE_COOKIE_NAME,
    SESSION_COOKIE_NAME,
    lab: hasLab,
    sessions: userSessions !== null,
  });
  const site: Site = {
    settings,
    pages,
    tables: new SiteTables(knex, timeout),
    users,
    userSessions,
    throttle,
    captchas,
    lab: hasLab,
    now,
  };
  const lab = hasLab ? createLab(site, store) : null;
  return {
    staticFiles: staticFiles({ lab: hasLab }),
    views: lab === null ? pages.middleware : both(pages.middleware, lab.recorder),
    renderError: pages.error,
    routes: routes(site, lab),
  };
}

const both =
  (outer: Middleware, inner: Middleware): Middleware =>
  (ctx, next) =>
    outer(ctx, () => inner(ctx, next));
