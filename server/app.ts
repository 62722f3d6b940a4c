/** The application: its middleware in the order in which a request meets them. Read this first. */
import type { Knex } from 'knex';
import Koa from 'koa';
import type { Logger } from 'pino';
import type { ServerSettings } from '../config/settings.js';
import { type Clock, systemClock } from './clock.js';
import { checkWritable } from './db/writable.js';
import { StoreUnavailable } from './errors.js';
import { installProxies } from './http/proxies.js';
import {
  allowed_hosts,
  authentication,
  csrf,
  exceptions,
  formBody,
  LoginThrottle,
  ModelBackend,
  messages,
  refuseTrace,
  type SessionStore,
  securityHeaders,
  sessions,
  type UserSessions,
  UserTable,
} from './index.js';
import { health, type Phase } from './ops/health.js';
import { isBrokenConnection, requestLog, sessionHasher } from './ops/log.js';
import type { Metrics } from './ops/metrics.js';
import { captchaThrottles, createSite } from './site/index.js';

export interface AppOptions {
  readonly settings: ServerSettings;
  readonly knex: Knex;
  readonly store: SessionStore;
  /** Default: the users of the settings' AUTH_USER_MODEL. */
  readonly users?: UserTable;
  /** null or absent for an engine without rows: sessions are not listed then. */
  readonly userSessions?: UserSessions | null;
  readonly log: Logger;
  readonly phase?: () => Phase;
  readonly metrics?: Metrics;
  readonly now?: Clock;
}

export function createApp(options: AppOptions): Koa {
  const {
    settings,
    knex,
    store,
    log,
    phase = () => 'ready',
    metrics,
    now = systemClock,
    userSessions = null,
  } = options;
  const { django, production, lab, ALLOWED_HOSTS, TRUSTED_PROXIES } = settings;
  const { DATABASE_TIMEOUT: timeout } = settings;
  const { users = new UserTable(knex, { settings: django, now, timeout }) } = options;
  const app = new Koa();
  const sessionHash = sessionHasher(django.SECRET_KEY);
  const throttle = new LoginThrottle(knex, {
    settings: django,
    timeout,
    throttled: ({ address }) => {
      log.warn({ address }, 'user_login_throttled');
      metrics?.throttled();
    },
  });
  const site = createSite({
    settings: django,
    knex,
    store,
    timeout,
    users,
    userSessions,
    throttle,
    captchas: captchaThrottles(knex, { settings: django, timeout }),
    lab,
    now,
  });
  const onError = exceptions({ render: site.renderError, debug: !production, logger: log });
  installProxies(app, TRUSTED_PROXIES);
  app.on('error', (error: unknown) => {
    if (isBrokenConnection(error)) log.debug({ err: error }, 'a client went away');
    else log.error({ err: error }, 'an error outside of every answer');
  });

  // 1. The headers of every answer, and what needs neither session nor database.
  if (metrics !== undefined) app.use(metrics.middleware);
  app.use(requestLog({ log, sessionHash }));
  app.use(securityHeaders());
  app.use(site.views);
  app.use(onError);
  app.use(health({ check: () => checkWritable(knex), store: async () => store.check?.(), phase }));
  app.use(refuseTrace());
  app.use(allowed_hosts({ ALLOWED_HOSTS, debug: !production }));
  // 2. Static files.
  app.use(site.staticFiles);
  app.use(untilReady(phase));
  // 3, 4. Cookies and the session; errors of later steps become responses inside it, so that its cookie is still sent.
  app.use(
    sessions(app, {
      settings: django,
      store,
      now,
      logger: log,
      sessionHash,
      warnUnsaved: !production,
      ...(metrics && { observe: metrics.session }),
    }),
  );
  // 5. The inner of the two error handlers.
  app.use(onError);
  // 6. CSRF, which refuses another site's form before it is read; forms; the user, and the record of their sessions;
  // messages.
  app.use(csrf(app, { settings: django, now }));
  app.use(formBody({ settings: django }));
  app.use(
    authentication(app, {
      settings: django,
      backends: [new ModelBackend(users)],
      now,
      user_logged_in: (ctx, user) => log.info({ ...who(ctx), user_id: user.id }, 'user_logged_in'),
      user_logged_out: (ctx, user) => log.info({ ...who(ctx), user_id: user?.id ?? null }, 'user_logged_out'),
      user_login_failed: (ctx) => log.warn(who(ctx), 'user_login_failed'),
    }),
  );
  if (userSessions !== null) app.use(userSessions.middleware);
  app.use(messages(app, { settings: django, now, debug: !production }));
  // 7. The pages.
  for (const middleware of site.routes) app.use(middleware);
  return app;

  /** The user in a log line about authentication, without secrets. */
  function who(ctx: Koa.Context): object {
    const { session_key } = ctx.session;
    return { address: ctx.ip, session: session_key === null ? null : sessionHash(session_key) };
  }
}

/** Until the database is migrated, pages answer 503 instead of failing on missing tables. */
function untilReady(phase: () => Phase): Koa.Middleware {
  return async function untilReady(_ctx, next) {
    if (phase() === 'starting') throw new StoreUnavailable('The server is starting.');
    await next();
  };
}
