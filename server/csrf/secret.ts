/**
 * The browser's CSRF secret during a request: read from the cookie or, with CSRF_USE_SESSIONS, from the session; sent back if
 * a page has read a token or a login has changed it.
 */
import type { Context } from 'koa';
import { ImproperlyConfigured, ValueError } from '../errors.js';
import { type AnyContext, checkContext } from '../http/application.js';
import type { CookieSettings } from '../http/cookies.js';
import type { BodySettings } from '../http/form.js';
import { beforeHead, headSent } from '../http/head.js';
import { OwnState } from '../http/own_state.js';
import { patch_vary_headers } from '../http/vary.js';
import type { Settings } from '../settings.js';
import { check_token_format, mask_secret, type NewCsrfSecret, newCsrfSecret, unmask_token } from './token.js';

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

/** The session key of the secret with CSRF_USE_SESSIONS. */
export const CSRF_SESSION_KEY = '_csrftoken';

/** Django's CSRF_COOKIE and CSRF_COOKIE_NEEDS_UPDATE in request.META. */
export interface CsrfState {
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

export const STATE = new OwnState<CsrfState>('csrf');

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
export function get_token(ctx: AnyContext): string {
  checkContext('get_token()', ctx);
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
export function rotate_token(ctx: AnyContext, secret?: string): void {
  checkContext('rotate_token()', ctx);
  const state = stateOf(ctx);
  state.secret = secret ?? state.newSecret();
  needsUpdate(ctx, state);
}

/** The secret that a login writes into the session with its other values; null if the secret is in a cookie. */
export function secretForSession(ctx: Context): string | null {
  const state = stateOf(ctx);
  return state.inSession === true ? state.newSecret() : null;
}

/** The methods of the session that are used here; the session middleware is outside of csrf. */
interface SecretKeeper {
  get(key: string): unknown;
  set(key: string, value: unknown): unknown;
}

export function sessionOf(ctx: Context): SecretKeeper {
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
export function readSecret(ctx: Context, settings: CsrfSettings): FoundSecret {
  const found = settings.CSRF_USE_SESSIONS
    ? (sessionOf(ctx).get(CSRF_SESSION_KEY) ?? null)
    : (ctx.request.COOKIES.get(settings.CSRF_COOKIE_NAME) ?? null);
  if (found === null) return { secret: null };
  const malformed = check_token_format(typeof found === 'string' ? found : '');
  return malformed === null ? { secret: unmask_token(String(found)) } : { malformed };
}

/** Takes over the secret that the browser has. A malformed one is replaced. */
export function takeSecret(ctx: Context, settings: CsrfSettings): void {
  const found = readSecret(ctx, settings);
  if ('malformed' in found) rotate_token(ctx);
  else stateOf(ctx).secret = found.secret;
}

/** Stores the secret in the session, or sets its cookie unless the answer has begun; only if it is needed. */
export function sendSecret(ctx: Context, state: CsrfState, settings: CsrfSettings): void {
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
