/**
 * Django's CsrfViewMiddleware: unsafe requests need a token that matches the browser's secret, which is in a cookie or
 * the session.
 */
import type { Context, Middleware } from 'koa';
import { type Clock, systemClock } from '../clock.js';
import { ImproperlyConfigured, PermissionDenied, ValueError } from '../errors.js';
import { type Application, checkApplication, memberInstaller } from '../http/application.js';
import { type CookieSettings, cookieScope, enterCookieScope, installCookies } from '../http/cookies.js';
import { afterErrorPage } from '../http/exceptions.js';
import type { BodySettings } from '../http/form.js';
import { beforeHead, headSent } from '../http/head.js';
import { keepUntilAnswered } from '../http/kept_uploads.js';
import { OwnState } from '../http/own_state.js';
import { repr } from '../http/python_text.js';
import { patch_vary_headers } from '../http/vary.js';
import { checkSettings } from '../settings/given.js';
import type { Settings } from '../settings.js';
import { csrfField } from './field.js';
import { originRules } from './origin.js';
import {
  check_token_format,
  does_token_match,
  mask_secret,
  type NewCsrfSecret,
  newCsrfSecret,
  unmask_token,
} from './token.js';
import { UNENFORCED } from './unenforced.js';

declare module 'koa' {
  interface ExtendableContext {
    /**
     * A token for a form (`csrfmiddlewaretoken`) or the header X-CSRFToken. Reading it sends the CSRF cookie, so read
     * it only if a page contains it. Each read returns a different token; all are valid.
     */
    readonly csrf_token: string;
  }
}

/** The settings that CSRF protection depends on. */
export type CsrfSettings = CookieSettings &
  BodySettings &
  Pick<
    Settings,
    | 'CSRF_COOKIE_NAME'
    | 'CSRF_COOKIE_AGE'
    | 'CSRF_COOKIE_DOMAIN'
    | 'CSRF_COOKIE_PATH'
    | 'CSRF_COOKIE_SECURE'
    | 'CSRF_COOKIE_HTTPONLY'
    | 'CSRF_COOKIE_SAMESITE'
    | 'CSRF_HEADER_NAME'
    | 'CSRF_TRUSTED_ORIGINS'
    | 'CSRF_USE_SESSIONS'
    | 'SESSION_COOKIE_DOMAIN'
  >;

export interface CsrfOptions {
  readonly settings: CsrfSettings;
  readonly now?: Clock;
  /** For tests that need known secrets and masks. */
  readonly newCsrfSecret?: NewCsrfSecret;
}

/** The session key of the secret with CSRF_USE_SESSIONS. */
export const CSRF_SESSION_KEY = '_csrftoken';

/** Django's CSRF_COOKIE and CSRF_COOKIE_NEEDS_UPDATE in request.META. */
interface CsrfState {
  secret: string | null;
  needsUpdate: boolean;
  readonly newSecret: NewCsrfSecret;
  /** Where the secret is stored: the cookie's name, or the session. Absent if csrf is not mounted. */
  readonly keeper?: unknown;
  /** Sends the secret; absent if csrf is not mounted. */
  readonly send?: () => void;
  /** CSRF_USE_SESSIONS. */
  readonly inSession?: boolean;
}

const STATE = new OwnState<CsrfState>('csrf');

const stateOf = (ctx: Context): CsrfState =>
  STATE.orMade(ctx, () => ({ secret: null, needsUpdate: false, newSecret: newCsrfSecret }));

/** Send the secret with the answer, even if the answer begins before the middleware returns. */
function needsUpdate(ctx: Context, state: CsrfState): void {
  if (!state.needsUpdate && state.send !== undefined) beforeHead(ctx, { atHead: state.send });
  state.needsUpdate = true;
}

/**
 * A new masked token. Also sends the cookie, which renews its expiry. `ctx.csrf_token` is this function.
 *
 * ```ts
 * ctx.body = `<input type="hidden" name="csrfmiddlewaretoken" value="${get_token(ctx)}">`;
 * ```
 *
 * @throws ValueError if the answer has begun and the browser has no secret: its form would be refused
 */
export function get_token(ctx: Context): string {
  const state = stateOf(ctx);
  if (state.secret === null && ctx.res !== undefined && headSent(ctx)) {
    throw new ValueError(
      'The answer has begun, so the CSRF cookie cannot be sent. Ask for ctx.csrf_token before that.',
    );
  }
  state.secret ??= state.newSecret();
  needsUpdate(ctx, state);
  return mask_secret(state.secret, state.newSecret());
}

/**
 * Change the secret, as login does: earlier tokens are refused from then on. Has no effect if csrf is not mounted.
 *
 * ```ts
 * rotate_token(ctx); // after a login of one's own: forms from before it are refused
 * ```
 *
 * @param secret one from `secretForSession` that is already in the session
 */
export function rotate_token(ctx: Context, secret: string = stateOf(ctx).newSecret()): void {
  const state = stateOf(ctx);
  state.secret = secret;
  needsUpdate(ctx, state);
}

/** The secret that a login writes into the session with its other values; null if the secret is in a cookie. */
export function secretForSession(ctx: Context): string | null {
  const state = stateOf(ctx);
  return state.inSession === true ? state.newSecret() : null;
}

const installToken = memberInstaller({
  context: {
    csrf_token: {
      configurable: true,
      get(this: Context): string {
        return get_token(this);
      },
    },
  },
});

/** The methods of the session that are used here; the session middleware is outside of csrf. */
interface SecretKeeper {
  get(key: string): unknown;
  set(key: string, value: unknown): unknown;
}

function sessionOf(ctx: Context): SecretKeeper {
  const { session } = ctx.request as unknown as { readonly session?: SecretKeeper };
  if (session === undefined) {
    throw new ImproperlyConfigured('CSRF_USE_SESSIONS needs sessions(app, …) before csrf(app, …).');
  }
  return session;
}

type FoundSecret = { readonly secret: string | null } | { readonly malformed: string };

/**
 * The secret that the browser has. Django does not check a secret from the session, and fails if it is not a string.
 */
function readSecret(ctx: Context, settings: CsrfSettings): FoundSecret {
  const found = settings.CSRF_USE_SESSIONS
    ? (sessionOf(ctx).get(CSRF_SESSION_KEY) ?? null)
    : (ctx.request.COOKIES.get(settings.CSRF_COOKIE_NAME) ?? null);
  if (found === null) return { secret: null };
  const malformed = check_token_format(typeof found === 'string' ? found : '');
  return malformed === null ? { secret: unmask_token(String(found)) } : { malformed };
}

/** `X-Csrftoken` for HTTP_X_CSRFTOKEN, as Django's HttpHeaders.parse_header_name. */
function headerName(setting: string): string {
  return setting
    .replace(/^HTTP_/, '')
    .toLowerCase()
    .replaceAll('_', '-')
    .replace(/(^|[^a-z])[a-z]/g, (start) => start.toUpperCase());
}

/** Django's reason for refusing the token, or null. */
async function tokenRefusal(ctx: Context, settings: CsrfSettings): Promise<string | null> {
  // Read again: authentication may have called rotate_token, but the token was created with the old secret.
  const found = readSecret(ctx, settings);
  if ('malformed' in found) return `CSRF cookie ${found.malformed}.`;
  if (found.secret === null) return 'CSRF cookie not set.';

  const { secret } = found;
  const header = headerName(settings.CSRF_HEADER_NAME);
  const sent = ctx.req.headers[header.toLowerCase()];
  const accepts = (text: string): boolean => check_token_format(text) === null && does_token_match(text, secret);
  let source = 'POST';
  let token = await csrfField(ctx, settings, () => sent !== undefined && accepts(String(sent)));
  if (token === '') {
    if (sent === undefined) return 'CSRF token missing.';
    source = `the ${repr(header)} HTTP header`;
    token = String(sent);
  }
  const malformed = check_token_format(token);
  if (malformed !== null) return `CSRF token from ${source} ${malformed}.`;
  return does_token_match(token, secret) ? null : `CSRF token from ${source} incorrect.`;
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/**
 * Middleware that refuses unsafe requests without a valid token, or from another origin, with PermissionDenied (403)
 * and Django's reason, and that sends the CSRF cookie if the page has read a token.
 *
 * Mount it inside sessions and exceptions, and before formBody: it then refuses a request of another site before its
 * form is read, as in Django. Mount other body parsers before it, or send the token in the header. The rules are Django
 * 6.0's and one more: a request with `Sec-Fetch-Site: cross-site` is refused even without Origin.
 *
 * ```ts
 * app.use(sessions(app, { settings, store }));
 * app.use(exceptions());
 * app.use(csrf(app, { settings }));
 * app.use(formBody({ settings }));
 * // in a form: <input type="hidden" name="csrfmiddlewaretoken" value="${ctx.csrf_token}">
 * ```
 *
 * @throws ImproperlyConfigured without the application or settings
 */
export function csrf(app: Application, options: CsrfOptions): Middleware {
  checkApplication(app, 'csrf(app, { settings })');
  checkSettings('csrf()', options?.settings, 'CSRF_COOKIE_NAME', 'CSRF_TRUSTED_ORIGINS');
  const { settings, now = systemClock, newCsrfSecret: newSecret = newCsrfSecret } = options;
  const cookies = { settings, now };
  installCookies(app, cookies);
  installToken(app);
  const origins = originRules({
    trusted: settings.CSRF_TRUSTED_ORIGINS,
    cookieDomain: settings.CSRF_USE_SESSIONS ? settings.SESSION_COOKIE_DOMAIN : settings.CSRF_COOKIE_DOMAIN,
  });

  function begin(ctx: Context): void {
    const found = readSecret(ctx, settings);
    if ('malformed' in found) rotate_token(ctx);
    else stateOf(ctx).secret = found.secret;
  }

  function sendSecret(ctx: Context, state: CsrfState): void {
    if (!state.needsUpdate || state.secret === null) return;
    if (settings.CSRF_USE_SESSIONS) {
      state.needsUpdate = false;
      const session = sessionOf(ctx);
      if (session.get(CSRF_SESSION_KEY) !== state.secret) session.set(CSRF_SESSION_KEY, state.secret);
      return;
    }
    if (headSent(ctx)) return;
    state.needsUpdate = false;
    ctx.response.set_cookie(settings.CSRF_COOKIE_NAME, state.secret, {
      max_age: settings.CSRF_COOKIE_AGE,
      domain: settings.CSRF_COOKIE_DOMAIN,
      path: settings.CSRF_COOKIE_PATH,
      secure: settings.CSRF_COOKIE_SECURE,
      httponly: settings.CSRF_COOKIE_HTTPONLY,
      samesite: settings.CSRF_COOKIE_SAMESITE,
    });
    patch_vary_headers(ctx, 'Cookie');
  }

  /** A new state, unless an outer csrf middleware has the same secret. */
  function enter(ctx: Context): CsrfState {
    const keeper = settings.CSRF_USE_SESSIONS ? sessionOf(ctx) : settings.CSRF_COOKIE_NAME;
    const outer = STATE.of(ctx);
    if (outer !== undefined && outer.keeper === keeper) return outer;
    if (outer?.keeper !== undefined) {
      throw new ImproperlyConfigured(
        'Two csrf() with different secrets are mounted one inside the other, so that the outer one refuses every form of the inner one. Mount one of them, or give both the same CSRF_COOKIE_NAME and CSRF_USE_SESSIONS.',
      );
    }
    const send = (): void => sendSecret(ctx, state);
    const state: CsrfState = {
      secret: null,
      needsUpdate: false,
      newSecret,
      keeper,
      inSession: settings.CSRF_USE_SESSIONS,
      send,
    };
    STATE.set(ctx, state);
    begin(ctx);
    // An error page is rendered outside of this middleware. It may contain a token and keeps the cookie, as in Django.
    afterErrorPage(ctx, send);
    return state;
  }

  return async function csrf(ctx, next) {
    installToken(ctx.app);
    enterCookieScope(ctx, cookieScope(ctx) ?? cookies);
    const state = enter(ctx);
    if (!SAFE_METHODS.has(ctx.method) && !UNENFORCED.has(ctx.req)) {
      const reason = origins.refusal(ctx) ?? (await tokenRefusal(ctx, settings));
      if (reason !== null) throw new PermissionDenied(`CSRF verification failed. Request aborted. ${reason}`);
    }
    await keepUntilAnswered(ctx, next);
    sendSecret(ctx, state);
  };
}
