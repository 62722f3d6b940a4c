/** The session middleware: cookie → session before the handler, session → row and cookie after it. */
import { STATUS_CODES } from 'node:http';
import type Koa from 'koa';
import { type Clock, systemClock } from '../clock.js';
import { SessionInterrupted, UpdateError } from '../errors.js';
import { installCookies } from '../http/cookies.js';
import { beforeHead } from '../http/head.js';
import { http_date } from '../http/http_date.js';
import { patch_vary_headers } from '../http/vary.js';
import type { Logger } from '../ops/logger.js';
import type { Settings } from '../settings.js';
import { SessionCodec } from './codec.js';
import type { SessionEvent } from './events.js';
import { withItemAccess } from './item_access.js';
import { Session } from './session.js';
import type { SessionStore } from './store.js';
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

export interface SessionsOptions {
  readonly settings: Settings;
  readonly store: SessionStore;
  readonly now?: Clock;
  readonly new_session_key?: () => string;
  /** Hears of rows whose signature is wrong; never gets a key or a value. */
  readonly logger?: Pick<Logger, 'warn'>;
  /** A name for a session's key that `logger` may have: a keyed hash of it. */
  readonly session_hash?: (session_key: string) => string;
  /** Told what happens to sessions, for counters. */
  readonly observe?: (event: SessionEvent) => void;
}

/**
 * Give every request `ctx.request.session` and keep what became of it
 * (django.contrib.sessions.middleware.SessionMiddleware, as of Django 6.0).
 *
 * Mount it once, outside everything that uses the session. A response of 5xx saves nothing. What a handler throws is
 * passed on as it is; when its status is below 500 the session is saved, and its cookie is sent whoever answers.
 */
export function sessions(app: Koa, options: SessionsOptions): Koa.Middleware {
  const { settings, store, logger, session_hash, observe, now = systemClock } = options;
  installCookies(app, { settings, now });
  installDelegate(app);
  const codec = new SessionCodec(store.key_salt === undefined ? settings : withSalt(settings, store.key_salt), {
    now,
    onSuspicious: (message, session_key) => {
      observe?.('suspicious');
      const session = session_key === null ? null : (session_hash?.(session_key) ?? null);
      logger?.warn({ logger: 'django.security.SuspiciousSession', session }, message);
    },
  });
  const verified = new VerifiedTexts(codec, settings.SESSION_VERIFIED_BYTES);
  const rest = options.new_session_key === undefined ? {} : { new_session_key: options.new_session_key };
  // One object for all requests, and no promise where nothing is waited for: most pages have no session to load or save.
  const shared = { store, codec, verified, settings, now, observe, ...rest };

  return async function sessions(ctx, next) {
    const session = new Session(shared, ctx.request.COOKIES.get(settings.SESSION_COOKIE_NAME));
    ctx.request.session = withItemAccess(session);
    if (session.session_key !== null) await session.load();
    try {
      await next();
    } catch (error) {
      await finishFailed(ctx, session, options, error);
      throw error;
    }
    if (needsFinish(ctx, session, settings)) await finish(ctx, session, options, ctx.response.status);
  };
}

/** Whether the response depends on the session, or the other way round. */
function needsFinish(ctx: Koa.Context, session: Session, settings: Settings): boolean {
  if (session.accessed || session.modified || settings.SESSION_SAVE_EVERY_REQUEST) return true;
  return session.is_empty() && ctx.request.COOKIES.has(settings.SESSION_COOKIE_NAME);
}

const withSalt = (settings: Settings, key_salt: string): Settings => ({ ...settings, SESSION_KEY_SALT: key_salt });

function installDelegate(app: Koa): void {
  if (Object.hasOwn(app.context, 'session')) return;
  Object.defineProperty(app.context, 'session', {
    configurable: true,
    get(this: Koa.Context) {
      return this.request.session;
    },
  });
}

/**
 * SessionMiddleware.process_response.
 * @returns sets the cookie that this has set once more; undefined where none was
 */
async function finish(
  ctx: Koa.Context,
  session: Session,
  options: SessionsOptions,
  status: number,
): Promise<(() => void) | undefined> {
  const { settings, now = systemClock } = options;
  const name = settings.SESSION_COOKIE_NAME;
  if (ctx.request.COOKIES.has(name) && session.is_empty()) {
    const deleteCookie = (): void =>
      ctx.response.delete_cookie(name, {
        path: settings.SESSION_COOKIE_PATH,
        domain: settings.SESSION_COOKIE_DOMAIN,
        samesite: settings.SESSION_COOKIE_SAMESITE,
      });
    deleteCookie();
    patch_vary_headers(ctx, 'Cookie');
    return deleteCookie;
  }
  // Read before saving: a save is an access of its own, which says nothing about the response.
  if (session.accessed) patch_vary_headers(ctx, 'Cookie');
  const wanted = session.modified || settings.SESSION_SAVE_EVERY_REQUEST;
  if (!wanted || session.is_empty() || status >= 500) return undefined;
  const { SESSION_SAVE_UNCHANGED_AFTER } = settings;
  if (SESSION_SAVE_UNCHANGED_AFTER > 0 && session.was_saved_within(SESSION_SAVE_UNCHANGED_AFTER)) return undefined;

  const { max_age } = await save(session);
  const { session_key } = session;
  if (session_key === null) return undefined;
  const expires = max_age === null ? null : http_date(now() + max_age);
  // Written out: with a spread, these objects and what they refer to were measured to grow old, every one of them.
  const setCookie = (): void =>
    ctx.response.set_cookie(name, session_key, {
      path: settings.SESSION_COOKIE_PATH,
      domain: settings.SESSION_COOKIE_DOMAIN,
      samesite: settings.SESSION_COOKIE_SAMESITE,
      max_age,
      expires,
      secure: settings.SESSION_COOKIE_SECURE,
      httponly: settings.SESSION_COOKIE_HTTPONLY,
    });
  setCookie();
  patch_vary_headers(ctx, 'Cookie');
  return setCookie;
}

async function save(session: Session): ReturnType<Session['save']> {
  try {
    return await session.save();
  } catch (error) {
    if (!(error instanceof UpdateError)) throw error;
    throw new SessionInterrupted(
      "The request's session was deleted before the request completed. The user may have logged out in a concurrent request, for example.",
      { cause: error },
    );
  }
}

/**
 * An error is on its way out. Koa's error handler drops the response's headers, and so does `exceptions` outside: what the
 * session set is put back when the head is written. It never goes into the error, which another visitor's request may
 * hold too: a constant, a look-up that two requests wait for.
 */
async function finishFailed(
  ctx: Koa.Context,
  session: Session,
  options: SessionsOptions,
  error: unknown,
): Promise<void> {
  const status = statusOf(error);
  if (status >= 500) return;
  const setCookie = await finish(ctx, session, options, status);
  const varies = ctx.response.get('Vary') !== '';
  beforeHead(ctx, () => {
    setCookie?.();
    if (varies) patch_vary_headers(ctx, 'Cookie');
  });
}

/** The status that Koa answers an error with (lib/context.js, onerror): 500 unless the error says another. */
function statusOf(error: unknown): number {
  try {
    const { status, statusCode } = Object(error) as Record<string, unknown>;
    const given = status || statusCode;
    return typeof given === 'number' && STATUS_CODES[given] !== undefined ? given : 500;
  } catch {
    // A getter of the application's error that throws.
    return 500;
  }
}
