/** An application with types of its own for state and context, as TypeScript users write it. It is checked by tsc. */
import Router from '@koa/router';
import type { Knex } from 'knex';
import Koa from 'koa';
import {
  allowed_hosts,
  authenticate,
  authentication,
  type CurrentUser,
  commitSession,
  csrf,
  defineSettings,
  exceptions,
  formBody,
  get_token,
  get_user,
  installCookies,
  login,
  login_required,
  logout,
  ModelBackend,
  patch_vary_headers,
  refuseTrace,
  rotate_token,
  type Session,
  securityHeaders,
  sessions,
  UserTable,
  update_session_auth_hash,
} from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';

export interface ShopState {
  readonly requestId: string;
  cart?: readonly string[];
}

export interface ShopContext {
  /** The application's own, beside what the library adds. */
  readonly price: (cents: number) => string;
}

type ShopMiddleware = Koa.Middleware<ShopState, ShopContext>;

export function createApp(knex: Knex): Koa<ShopState, ShopContext> {
  const settings = defineSettings({ SECRET_KEY: 'typed state' });
  const app = new Koa<ShopState, ShopContext>();
  Object.assign(app.context, { price: (cents: number) => `${cents / 100} €` });
  installCookies(app, { settings });
  app.use((ctx, next) => {
    Object.assign(ctx.state, { requestId: 'first' });
    return next();
  });
  app.use(refuseTrace());
  app.use(allowed_hosts({ ALLOWED_HOSTS: ['*'] }));
  app.use(securityHeaders());
  app.use(sessions(app, { settings, store: new DatabaseStore(knex) }));
  app.use(exceptions());
  app.use(formBody({ settings }));
  app.use(csrf(app, { settings }));
  app.use(authentication(app, { settings, backends: [new ModelBackend(new UserTable(knex))] }));

  const cart: ShopMiddleware = async (ctx, next) => {
    const { session }: { readonly session: Session } = ctx;
    ctx.state.cart = session.get('cart', []) as string[];
    await next();
  };
  app.use(cart);

  const router = new Router<ShopState, ShopContext>();
  router.get('/', (ctx) => {
    const user: CurrentUser = ctx.user;
    ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
    const { requestId, cart } = ctx.state;
    ctx.body = { price: ctx.price(1250), requestId, cart, user: user.username, visits: ctx.session.get('visits') };
  });
  router.get('/token', async (ctx) => {
    patch_vary_headers(ctx, 'Accept');
    ctx.session['asked'] = true;
    await commitSession(ctx);
    ctx.body = get_token(ctx);
  });
  router.post('/login', async (ctx) => {
    const [username = null, password = null] = ['name', 'password'].map((field) => ctx.request.POST.get(field));
    const user = await authenticate(ctx, { username, password });
    if (user === null) return ctx.throw(400, 'Wrong name or password.');
    const current = await login(ctx, user);
    await update_session_auth_hash(ctx, current);
    rotate_token(ctx);
    ctx.set_cookie('last', 'login');
    ctx.body = (await get_user(ctx)).username;
  });
  router.post('/logout', async (ctx) => {
    await logout(ctx);
    ctx.body = ctx.user.username;
  });
  router.get('/members', login_required(), (ctx) => {
    ctx.body = ctx.price(0);
  });
  app.use(router.routes());
  return app;
}
