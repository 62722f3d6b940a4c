import Router from '@koa/router';
import type { Knex } from 'knex';
import Koa from 'koa';
import {
  authenticate,
  authentication,
  type Clock,
  csrf,
  escapeHtml,
  exceptions,
  formBody,
  LoginThrottle,
  login,
  login_required,
  logout,
  ModelBackend,
  requestDeadline,
  type SessionStore,
  type Settings,
  sessions,
  systemClock,
  UserTable,
  url_has_allowed_host_and_scheme,
} from 'koa-django-session';

export interface LoginFormOptions {
  readonly settings: Settings;
  readonly knex: Knex;
  readonly store: SessionStore;
  readonly now?: Clock;
}

/** The form posts to its own URL, which keeps `?next=`. */
const form = (csrf_token: string, fault = ''): string => `<!doctype html>
<title>Log in</title>
<form method="post">
  <p role="alert">${escapeHtml(fault)}</p>
  <input type="hidden" name="csrfmiddlewaretoken" value="${csrf_token}">
  <label>Name <input name="username" autocomplete="username" required></label>
  <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
  <button>Log in</button>
</form>`;

export function createApp({ settings, knex, store, now = systemClock }: LoginFormOptions): Koa {
  const users = new UserTable(knex, { settings, now });
  const throttle = new LoginThrottle(knex, { settings });
  const app = new Koa();
  app.use(sessions(app, { settings, store, now }));
  app.use(exceptions());
  app.use(csrf(app, { settings, now }));
  app.use(formBody({ settings }));
  app.use(authentication(app, { settings, backends: [new ModelBackend(users)], now }));

  const router = new Router();
  router.get('/login/', (ctx) => {
    ctx.body = form(ctx.csrf_token);
  });
  router.post('/login/', async (ctx) => {
    const username = ctx.request.POST.get('username') ?? '';
    const password = ctx.request.POST.get('password') ?? '';
    const attempt = { username, address: ctx.ip };
    // One bound for all waits of this request for the database.
    const deadline = requestDeadline(ctx);
    const answer = await throttle.check(attempt, deadline);
    if (!answer.allowed) {
      ctx.status = 429;
      ctx.set('Retry-After', String(answer.retry_after));
      ctx.body = form(ctx.csrf_token, `Too many attempts. Try again in ${answer.retry_after} seconds.`);
      return;
    }
    const user = await authenticate(ctx, { username, password });
    if (user === null) {
      ctx.status = 400;
      ctx.body = form(ctx.csrf_token, 'Name or password is wrong.');
      return;
    }
    await throttle.succeeded(attempt, deadline);
    await login(ctx, user);
    const next = String(ctx.query['next'] ?? '');
    ctx.redirect(url_has_allowed_host_and_scheme(next, ctx.host, ctx.secure) ? next : '/');
  });
  router.post('/logout/', async (ctx) => {
    await logout(ctx);
    ctx.redirect('/login/');
  });
  router.get('/', login_required(), (ctx) => {
    ctx.body = `Hello, ${ctx.user.username}.`;
  });
  app.use(router.routes());
  return app;
}
