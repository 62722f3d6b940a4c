/** `ctx.request.user`: set before the handler runs (django.contrib.auth.middleware.AuthenticationMiddleware). */
import type Koa from 'koa';
import type { Context, Middleware } from 'koa';
import { ImproperlyConfigured, StoreUnavailable, ValueError } from '../errors.js';
import { type Application, checkApplication, memberInstaller } from '../http/application.js';
import { untilOver } from '../session/waiters.js';
import { checkedClock, checkSettings, checkSpelling } from '../settings/given.js';
import { checkBackend } from './given.js';
import { currentUser, forgetStale, lookAhead } from './login.js';
import { SESSION_KEY } from './session_keys.js';
import {
  type AuthenticationOptions,
  forAnyUser,
  givenOptions,
  sessionOf,
  setOptions,
  setUser,
  stateOf,
} from './state.js';
import { AnonymousUser, type BaseUser, type CurrentUser, type RegisteredUser } from './user.js';

declare module 'koa' {
  interface Request {
    /** The user of the request, AnonymousUser if none; never null. */
    readonly user: CurrentUser;
    /** The same, looked up at the first call, for routes without the authentication middleware. */
    auser(): Promise<CurrentUser>;
  }
  interface ExtendableContext {
    /** `ctx.request.user`. */
    readonly user: CurrentUser;
  }
}

const NAMES = [
  'settings',
  'backends',
  'now',
  'cycleKeyOnSameUserLogin',
  'user_logged_in',
  'user_logged_out',
  'user_login_failed',
] as const;

/**
 * Add the user to requests. Call it inside sessions, and mount the returned middleware for handlers that use
 * `ctx.request.user`. Elsewhere use `await ctx.request.auser()`.
 *
 * As in Django, where `request.user` is lazy, a page gets `Vary: Cookie` only if it uses the user, and an unavailable
 * store is an error (503) only for these pages.
 *
 * ```ts
 * app.use(sessions(app, { settings, store }));
 * app.use(authentication(app, { settings, backends: [new ModelBackend(new UserTable(knex, { settings }))] }));
 * app.use((ctx) => {
 *   ctx.body = ctx.user.is_authenticated ? ctx.user.get_username() : 'nobody';
 * });
 * ```
 *
 * @throws ImproperlyConfigured without the application, settings or a backend, or with two of the same path
 */
export function authentication<U extends BaseUser = RegisteredUser>(
  app: Application,
  given: AuthenticationOptions<U>,
): Middleware<Koa.DefaultState, Koa.DefaultContext & { readonly user?: CurrentUser<U> }> {
  checkApplication(app, 'authentication(app, { settings, backends })');
  checkSettings('authentication()', given?.settings, 'SECRET_KEY', 'SECRET_KEY_FALLBACKS', 'LOGIN_URL');
  if (!Array.isArray(given.backends)) {
    throw new ImproperlyConfigured('authentication() needs `backends`: a list, such as [new ModelBackend(users)].');
  }
  given.backends.forEach(checkBackend);
  checkedClock(given.now);
  checkSpelling('authentication()', given, NAMES);
  const options = forAnyUser(given);
  const paths = options.backends.map(({ path }) => path);
  if (paths.length === 0)
    throw new ImproperlyConfigured('authentication() needs one backend or more, such as ModelBackend.');
  if (new Set(paths).size < paths.length) {
    throw new ImproperlyConfigured(`Two authentication backends have the same path: ${paths.join(', ')}.`);
  }
  setOptions(app.context, options);
  installUser(app);

  return async function authentication(ctx, next) {
    installUser(ctx.app);
    const outer = givenOptions(ctx);
    if (outer !== options) setOptions(ctx, options);
    try {
      await userBefore(ctx);
      await next();
      // Started by an access to `ctx.user`; most requests have nothing to wait for.
      const { forgetting } = stateOf(ctx);
      if (forgetting !== undefined) await forgetting;
    } finally {
      // Logins and logouts that the handler does not await.
      if (stateOf(ctx).changing !== undefined) await untilOver(() => stateOf(ctx).changing);
      if (outer !== undefined && outer !== options) setOptions(ctx, outer);
    }
  };
}

/** The lookup in advance is not an access by the page, unless it changed the session. */
async function userBefore(ctx: Context): Promise<void> {
  const session = sessionOf(ctx);
  // A cookie without a row is anonymous. Only an access by the page deletes the cookie, as in Django: a concurrent
  // login may be replacing this cookie.
  if (session.isMissing()) {
    setUser(ctx, new AnonymousUser());
    return;
  }
  const { accessed } = session;
  try {
    await lookAhead(ctx);
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
  }
  if (!session.modified) session.accessed = accessed;
}

function refuseUser(): never {
  throw new ValueError('`ctx.user` cannot be replaced. Use `await login(ctx, user)` and `await logout(ctx)`.');
}

const installUser = memberInstaller({
  request: {
    user: {
      configurable: true,
      get(this: Koa.Request): CurrentUser {
        return userNow(this.ctx);
      },
      set: refuseUser,
    },
    auser: {
      configurable: true,
      writable: true,
      async value(this: Koa.Request): Promise<CurrentUser> {
        const user = await currentUser(this.ctx);
        lookAtSession(this.ctx);
        return user as CurrentUser;
      },
    },
  },
  context: {
    user: {
      configurable: true,
      get(this: Context): CurrentUser {
        return userNow(this);
      },
      set: refuseUser,
    },
  },
});

function userNow(ctx: Context): CurrentUser {
  const { user, error } = stateOf(ctx);
  if (user === undefined) {
    if (error !== undefined) throw error;
    throw new ImproperlyConfigured(
      'The user is not looked up yet: mount the authentication middleware before this, or `await ctx.request.auser()`.',
    );
  }
  lookAtSession(ctx);
  return user as CurrentUser;
}

/**
 * Using the user is an access to the session: a session without a row loses its key, one opened with another password
 * is cleared.
 */
function lookAtSession(ctx: Context): void {
  sessionOf(ctx).has_key(SESSION_KEY);
  if (stateOf(ctx).isStale === true) forgetStale(ctx).catch(() => {});
}
