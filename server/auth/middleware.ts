/** `ctx.request.user`: set before the handler runs (django.contrib.auth.middleware.AuthenticationMiddleware). */
import type Koa from 'koa';
import type { Context, Middleware } from 'koa';
import { ImproperlyConfigured, StoreUnavailable } from '../errors.js';
import { type Application, memberInstaller } from '../http/application.js';
import { currentUser } from './login.js';
import { type AuthenticationOptions, type CurrentUser, givenOptions, sessionOf, setOptions, stateOf } from './state.js';

declare module 'koa' {
  interface Request {
    /** Whom the request is from; never null. */
    readonly user: CurrentUser;
    /** The same, looked up at the first call, where the authentication middleware is not mounted. */
    auser(): Promise<CurrentUser>;
  }
  interface ExtendableContext {
    /** `ctx.request.user`. */
    readonly user: CurrentUser;
  }
}

/**
 * Give requests a user. Call it inside sessions; mount what it returns where `ctx.request.user` is to be there
 * before the handler. Everywhere else `await ctx.request.auser()` looks it up.
 *
 * As in Django, where `request.user` is lazy, a page varies on the cookie only if it looks at the user, and a store that
 * is away is an error (503) only for pages that do.
 *
 * @throws ImproperlyConfigured without a backend, or with two of one path
 */
export function authentication(app: Application, options: AuthenticationOptions): Middleware {
  const paths = options.backends.map(({ path }) => path);
  if (paths.length === 0)
    throw new ImproperlyConfigured('authentication() needs one backend or more, such as ModelBackend.');
  if (new Set(paths).size < paths.length) {
    throw new ImproperlyConfigured(`Two authentication backends have one path: ${paths.join(', ')}.`);
  }
  setOptions(app.context, options);
  installUser(app);

  return async function authentication(ctx, next) {
    installUser(ctx.app);
    const outer = givenOptions(ctx);
    if (outer !== options) setOptions(ctx, options);
    try {
      await lookAhead(ctx);
      await next();
    } finally {
      if (outer !== undefined && outer !== options) setOptions(ctx, outer);
    }
  };
}

/** Looking ahead is no access by the page, unless the session changed by it. */
async function lookAhead(ctx: Context): Promise<void> {
  const session = sessionOf(ctx);
  const { accessed } = session;
  try {
    await currentUser(ctx);
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
  }
  if (!session.modified) session.accessed = accessed;
}

const installUser = memberInstaller({
  request: {
    user: {
      configurable: true,
      get(this: Koa.Request): CurrentUser {
        return userNow(this.ctx);
      },
    },
    auser: {
      configurable: true,
      writable: true,
      async value(this: Koa.Request): Promise<CurrentUser> {
        const user = await currentUser(this.ctx);
        sessionOf(this.ctx).accessed = true;
        return user;
      },
    },
  },
  context: {
    user: {
      configurable: true,
      get(this: Context): CurrentUser {
        return userNow(this);
      },
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
  sessionOf(ctx).accessed = true;
  return user;
}
