/** An application that has declared a member of every `Context`, as @types/koa-websocket does: a middleware's ctx has none. */
import Router from '@koa/router';
import Koa, { type Context } from 'koa';
import {
  type AnyContext,
  type AuthenticationBackend,
  acceptCaptcha,
  afterErrorPage,
  authenticate,
  authentication,
  type BaseUser,
  type Credentials,
  commitSession,
  csrf,
  type Deadline,
  defineSettings,
  exceptions,
  formBody,
  get_token,
  get_user,
  jsonBody,
  keepCaptcha,
  login,
  logout,
  ModelBackend,
  messages,
  patch_vary_headers,
  requestDeadline,
  rotate_token,
  type SessionStore,
  sessions,
  type UserTable,
  update_session_auth_hash,
  user_passes_test,
} from 'koa-django-session';
import * as api from 'koa-django-session/messages';

declare module 'koa' {
  interface Context {
    websocket: { send(text: string): void };
    path: string;
  }
}

interface ShopState {
  readonly requestId?: string;
}
interface ShopContext {
  readonly price: (cents: number) => string;
}

const NAME = 'alice';

class Member implements BaseUser {
  readonly is_authenticated = true as const;
  readonly id = '1';
  readonly password = 'a hash';
  get_username(): string {
    return NAME;
  }
}

/** Written for Koa's Context, as are the callbacks below. */
class Members implements AuthenticationBackend<Member> {
  readonly path = 'shop.Members';
  async authenticate({ username }: Credentials, ctx: Context): Promise<Member | null> {
    return username === NAME && ctx.get('X-Shop') === 'open' ? new Member() : null;
  }
  async get_user(): Promise<Member> {
    return new Member();
  }
}

/** A function of the application's own, which takes any ctx. */
const visitOf = (ctx: AnyContext): number => Number(ctx.session.get('visits', 0));

export function createApp(store: SessionStore, told: string[]): Koa {
  const settings = defineSettings({ SECRET_KEY: 'typed context', CSRF_USE_SESSIONS: true });
  const app = new Koa();
  app.use(sessions(app, { settings, store }));
  app.use(exceptions({ render: (ctx: Context, status, message) => `${ctx.method} ${status} ${message}` }));
  app.use(formBody({ settings }));
  app.use(
    authentication(app, {
      settings,
      backends: [new Members()],
      user_logged_in: (ctx: Context, user) => told.push(`${ctx.method} login of ${user.get_username()}`),
      user_logged_out: (ctx: Context) => told.push(`${ctx.method} logout`),
      user_login_failed: (ctx: Context, { username }) => told.push(`${ctx.method} failure of ${username}`),
    }),
  );
  app.use(messages(app, { settings }));
  app.use(async (ctx, next) => {
    afterErrorPage(ctx, () => told.push('an error page'));
    patch_vary_headers(ctx, 'Accept');
    const deadline: Deadline = requestDeadline(ctx);
    ctx.state['left'] = deadline.left();
    ctx.session['visits'] = visitOf(ctx) + 1;
    await commitSession(ctx);
    await next();
  });

  const router = new Router();
  router.post('/login', async (ctx) => {
    const user = await authenticate<Member>(ctx, { username: ctx.request.POST.get('name') ?? null, password: '' });
    if (user === null) return ctx.throw(400, 'Wrong name.');
    const current: Member = await login(ctx, user);
    await update_session_auth_hash(ctx, current);
    rotate_token(ctx);
    messages.success(ctx, 'Welcome.');
    api.add_message(ctx, api.INFO, 'You may stay.');
    const found = await get_user<Member>(ctx);
    const texts = [...messages.get_messages(ctx)].map(({ message }) => String(message));
    ctx.body = { username: found.get_username(), token: get_token(ctx).length, texts, visits: visitOf(ctx) };
  });
  router.post('/json', async (ctx) => {
    api.set_level(ctx, api.DEBUG);
    for (const say of [messages.debug, messages.info, messages.warning, messages.error]) say(ctx, 'Said.');
    ctx.body = { body: await jsonBody(ctx, settings), level: api.get_level(ctx), count: api.get_messages(ctx).length };
  });
  router.post(
    '/logout',
    user_passes_test((user, ctx: Context) => user.is_authenticated && ctx.method === 'POST'),
    async (ctx) => {
      await logout(ctx);
      keepCaptcha(ctx.session, 'ACE235', { settings, now: 1 });
      await commitSession(ctx);
      ctx.body = await acceptCaptcha(ctx.session, 'ACE235', { settings, now: 2 });
    },
  );
  app.use(router.routes());
  return app;
}

/** With types of its own for state and context, too. */
export function createShop(users: UserTable, store: SessionStore): Koa<ShopState, ShopContext> {
  const settings = defineSettings({ SECRET_KEY: 'typed context' });
  const app = new Koa<ShopState, ShopContext>();
  const backend = new ModelBackend(users);
  app.use(sessions(app, { settings, store }));
  app.use(csrf(app, { settings }));
  app.use(authentication(app, { settings, backends: [backend] }));
  const router = new Router<ShopState, ShopContext>();
  router.get('/', async (ctx) => {
    const user = await backend.authenticate({ username: NAME, password: '' }, ctx);
    if (user !== null) await login(ctx, user);
    await logout(ctx);
    // @ts-expect-error Django's functions take the request, ours the ctx.
    await logout(ctx.request);
    ctx.body = [ctx.price(1), get_token(ctx)];
  });
  const first: Koa.Middleware<ShopState, ShopContext> = async (ctx, next) => {
    await commitSession(ctx);
    await next();
  };
  app.use(first);
  app.use(router.routes());
  return app;
}

/** Koa's own Context is one of them. */
export const leave = (ctx: Context): Promise<void> => logout(ctx);
