/** The session middleware: cookie → session before the handler, session → row and cookie after it. */
import { STATUS_CODES } from 'node:http';
import type Koa from 'koa';
import type { Clock } from '../clock.js';
import { ImproperlyConfigured, ValueError } from '../errors.js';
import { type Application, checkApplication } from '../http/application.js';
import { cutAnswer } from '../http/body_stream.js';
import { cookieScope, enterCookieScope, installCookies } from '../http/cookies.js';
import type { Logger } from '../logger.js';
import { checkedClock, checkLogger, checkSpelling } from '../settings/given.js';
import type { Settings } from '../settings.js';
import { SessionCodec } from './codec.js';
import type { SessionEvent } from './events.js';
import { checkGiven } from './given.js';
import { withItemAccess } from './item_access.js';
import { RequestSession } from './request_session.js';
import { SessionResponse, sessionResponseOf, setSessionResponse } from './response.js';
import type { Session } from './session.js';
import type { SessionStore } from './store.js';
import { warnOfUnsaved } from './unsaved.js';
import { VerifiedTexts } from './verified.js';

declare module 'koa' {
  interface Request {
    session: Session;
  }
  interface ExtendableContext {
    /** `ctx.request.session`. */
    readonly session: Session;
  }
}

/** Options of `sessions`. */
export interface SessionsOptions {
  readonly settings: Settings;
  readonly store: SessionStore;
  readonly now?: Clock;
  /** Generates keys; default `newSessionKey`. */
  readonly newSessionKey?: () => string;
  /** Gets a warning for each row with a wrong signature or an unreadable text, without keys and values. */
  readonly logger?: Pick<Logger, 'warn'>;
  /** A keyed hash of the session key, which identifies the session in the log. */
  readonly sessionHash?: (session_key: string) => string;
  /**
   * Warn `logger` about a list or dictionary that was changed in place and not saved. Default: true unless the application's
   * `env` is production (Koa reads NODE_ENV).
   */
  readonly warnUnsaved?: boolean;
  /** Called with each event of a session, for counters. */
  readonly observe?: (event: SessionEvent) => void;
}

const NAMES = ['settings', 'store', 'now', 'newSessionKey', 'logger', 'sessionHash', 'warnUnsaved', 'observe'] as const;

/**
 * Gives every request `ctx.request.session`, and saves it (django.contrib.sessions.middleware.SessionMiddleware, as of
 * Django 6.0).
 *
 * Mount it outside everything that uses the session: once, or with several cookie names on one site, also in mounted
 * applications. A response of 5xx saves nothing. A handler's error is rethrown; if its status is below 500, the session is
 * saved, and its cookie is sent with the error's response.
 *
 * ```ts
 * app.use(sessions(app, { settings, store: new DatabaseStore(knex), logger: console }));
 * app.use((ctx) => {
 *   ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
 *   ctx.body = ctx.session['visits'];
 * });
 * ```
 *
 * @throws ImproperlyConfigured for another session with the same cookie, for settings without their defaults, for no store
 */
export function sessions(app: Application, options: SessionsOptions): Koa.Middleware {
  checkApplication(app, 'sessions(app, { settings, store })');
  checkGiven('sessions()', options);
  checkSpelling('sessions()', options, NAMES);
  checkLogger('sessions()', options.logger);
  const { settings, store, logger, sessionHash } = options;
  const warn = warningTo(logger);
  const observe = harmless(options.observe, warn);
  const now = checkedClock(options.now);
  const { warnUnsaved = app.env !== 'production' } = options;
  const cookies = { settings, now };
  refuseSecond(app, { settings, store });
  installCookies(app, cookies);
  installDelegate(app.context);
  const codec = new SessionCodec(settingsFor(store, settings), {
    now,
    onSuspicious: (message, session_key) => {
      observe?.('suspicious');
      const session = session_key === null ? null : (sessionHash?.(session_key) ?? null);
      logger?.warn({ logger: 'django.security.SuspiciousSession', session }, message);
    },
  });
  const verified = new VerifiedTexts(codec, settings.SESSION_VERIFIED_BYTES);
  const rest = options.newSessionKey === undefined ? {} : { newSessionKey: options.newSessionKey };
  // One options object for all requests. `finish` returns no promise if there is nothing to save, as for most pages.
  const shared = { store, codec, verified, settings, now, observe, ...rest };
  const answering = { settings, store, now, warn };

  async function withSession(ctx: Koa.Context, next: Koa.Next, outer?: Session): Promise<void> {
    enterCookieScope(ctx, cookies);
    const session = new RequestSession(ctx, shared, ctx.request.COOKIES.get(settings.SESSION_COOKIE_NAME), outer);
    const response = new SessionResponse(ctx, session, answering);
    setSessionResponse(ctx, response);
    ctx.request.session = withItemAccess(session);
    if (session.session_key !== null) await session.load();
    try {
      await next();
    } catch (error) {
      await response.fail(statusOfError(error));
      const { failure } = response;
      if (failure !== undefined && failure.error !== error) ctx.app.emit('error', failure.error, ctx);
      throw error;
    }
    const settling = response.settle();
    if (settling !== undefined) await settling.catch((error: unknown) => answerFailure(ctx, response, error));
    const finishing = response.finish();
    if (finishing !== undefined) await finishing.catch((error: unknown) => endWith(ctx, error));
    if (warnUnsaved && ctx.res !== undefined && ctx.res.statusCode < 500) warnOfUnsaved(session, logger);
  }

  let hasLooked = false;
  return function sessions(ctx, next) {
    const outer = sessionResponseOf(ctx);
    if (outer === undefined && (ctx.app as object) === app) {
      if (!hasLooked && isForeign(app)) warn(FOREIGN);
      hasLooked = true;
      return withSession(ctx, next);
    }
    // Mounted twice: the outer one does the work. With two applications, this is known only now.
    if (outer !== undefined && isSameSession(outer.options, answering)) return next();
    return inside(ctx, outer, () => withSession(ctx, next, outer?.session));
  };
}

/** Two middlewares with the same cookie, store and SECRET_KEY have the same sessions. */
type Identity = Pick<SessionsOptions, 'settings' | 'store'>;

/**
 * Whether both are the same session.
 * @throws ImproperlyConfigured if they share only the cookie's name: each would overwrite the other's cookie
 */
function isSameSession(one: Identity, other: Identity): boolean {
  const { SESSION_COOKIE_NAME } = one.settings;
  if (SESSION_COOKIE_NAME !== other.settings.SESSION_COOKIE_NAME) return false;
  const { store } = one;
  const sameStore = store === other.store || (store.database !== undefined && store.database === other.store.database);
  if (sameStore && one.settings.SECRET_KEY === other.settings.SECRET_KEY) return true;
  throw new ImproperlyConfigured(
    `Two sessions() have the cookie ${SESSION_COOKIE_NAME}, with different stores or keys. Mount one of them, or give one another SESSION_COOKIE_NAME.`,
  );
}

const mounted = new WeakMap<Application, Identity[]>();

/** @throws ImproperlyConfigured at start, if one application has two such sessions */
function refuseSecond(app: Application, identity: Identity): void {
  const others = mounted.get(app) ?? [];
  for (const other of others) isSameSession(identity, other);
  mounted.set(app, [...others, identity]);
}

/** Runs an inner session (a mounted application, another cookie), and restores the outer one afterwards. */
async function inside(ctx: Koa.Context, outer: SessionResponse | undefined, run: () => Promise<void>): Promise<void> {
  installDelegate(ctx.app.context);
  // The outer application has another library's ctx.session.
  const foreign = isForeign(ctx.app);
  if (foreign) Object.defineProperty(ctx, 'session', DELEGATE);
  const cookies = cookieScope(ctx);
  const { session } = ctx.request;
  try {
    await run();
  } finally {
    if (foreign) delete (ctx as { session?: unknown }).session;
    if (outer !== undefined) {
      setSessionResponse(ctx, outer);
      ctx.request.session = session;
      enterCookieScope(ctx, cookies);
    }
  }
}

/** A failure that the handler has not asked for is the answer's; where other code writes the answer, it is logged. */
async function answerFailure(ctx: Koa.Context, response: SessionResponse, error: unknown): Promise<void> {
  if (ctx.respond === false) {
    ctx.app.emit('error', error, ctx);
    return;
  }
  await response.fail(statusOfError(error));
  endWith(ctx, error);
}

/** After a failed save: aborts an answer that Koa has begun. Does not touch one that other code writes. */
function endWith(ctx: Koa.Context, error: unknown): never {
  if (ctx.respond !== false) cutAnswer(ctx);
  throw error;
}

/** Without a logger: a warning of the process, once. */
function warningTo(logger: SessionsOptions['logger']): (message: string) => void {
  if (logger !== undefined && logger !== null)
    return (message) => logger.warn({ logger: 'koa-django-session' }, message);
  let warned = false;
  return (message) => {
    if (warned) return;
    warned = true;
    process.emitWarning(message, { code: 'KOA_DJANGO_SESSION' });
  };
}

/** The same, without its errors: a counter that fails must not cost visitors their sessions. */
function harmless(observe: SessionsOptions['observe'], warn: (message: string) => void): SessionsOptions['observe'] {
  if (observe === undefined) return undefined;
  if (typeof observe !== 'function') {
    throw new ImproperlyConfigured('`observe` of sessions() is a function, which is called with each event.');
  }
  const failed = (error: unknown): void => warn(`\`observe\` of sessions() failed: ${String(error)}`);
  return (event) => {
    try {
      const counted: unknown = observe(event);
      if (counted instanceof Promise) counted.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}

/** The settings that sign a store's texts: engine signed_cookies has its own salt. */
export function settingsFor({ key_salt }: Pick<SessionStore, 'key_salt'>, settings: Settings): Settings {
  return key_salt === undefined ? settings : { ...settings, SESSION_KEY_SALT: key_salt };
}

const DELEGATE = {
  configurable: true,
  get(this: Koa.Context): Session {
    return this.request.session;
  },
  // Without it, `ctx.session = null`, the logout of other libraries, would do nothing in code that is not strict.
  set(): never {
    throw new ValueError(
      '`ctx.session` cannot be replaced. To log out, `await logout(ctx)`; to remove the session, `await ctx.session.flush()`.',
    );
  },
};

/** Whether another library, such as koa-session, gives this application its `ctx.session`. */
function isForeign({ context }: Application): boolean {
  return Object.getOwnPropertyDescriptor(context, 'session')?.get !== DELEGATE.get;
}

const FOREIGN =
  'Another library has `ctx.session` in this application, and what is set there does not reach Django. Remove it, or use `ctx.request.session`.';

/** `ctx.session`, unless another library has defined it: then ours is only `ctx.request.session`. */
function installDelegate(context: object): void {
  if (!Object.hasOwn(context, 'session')) Object.defineProperty(context, 'session', DELEGATE);
}

/** The status of Koa's response to an error (lib/context.js, onerror): the error's own, or 500. */
function statusOfError(error: unknown): number {
  try {
    const { status, statusCode } = Object(error) as Record<string, unknown>;
    const given = status || statusCode;
    return typeof given === 'number' && STATUS_CODES[given] !== undefined ? given : 500;
  } catch {
    // A getter of the application's error has thrown.
    return 500;
  }
}
