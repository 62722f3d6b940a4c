/**
 * Django's CsrfViewMiddleware: unsafe requests need a token that matches the browser's secret, which is in a cookie or
 * the session.
 */
import type { Context, Middleware } from 'koa';
import type { Clock } from '../clock.js';
import { ImproperlyConfigured, PermissionDenied } from '../errors.js';
import { type Application, checkApplication, memberInstaller } from '../http/application.js';
import { cookieScope, enterCookieScope, installCookies } from '../http/cookies.js';
import { afterErrorPage } from '../http/exceptions.js';
import { keepUntilAnswered } from '../http/kept_uploads.js';
import { repr } from '../http/python_text.js';
import { checkedClock, checkSettings } from '../settings/given.js';
import { csrfField } from './field.js';
import { originRules } from './origin.js';
import {
  type CsrfSettings,
  type CsrfState,
  get_token,
  readSecret,
  STATE,
  sendSecret,
  sessionOf,
  takeSecret,
} from './secret.js';
import { check_token_format, does_token_match, type NewCsrfSecret, newCsrfSecret } from './token.js';
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

export interface CsrfOptions {
  readonly settings: CsrfSettings;
  readonly now?: Clock;
  /** For tests that need known secrets and masks. */
  readonly newCsrfSecret?: NewCsrfSecret;
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
  const { settings, newCsrfSecret: newSecret = newCsrfSecret } = options;
  const now = checkedClock(options.now);
  const cookies = { settings, now };
  installCookies(app, cookies);
  installToken(app);
  const origins = originRules({
    trusted: settings.CSRF_TRUSTED_ORIGINS,
    cookieDomain: settings.CSRF_USE_SESSIONS ? settings.SESSION_COOKIE_DOMAIN : settings.CSRF_COOKIE_DOMAIN,
  });

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
    const send = (): void => sendSecret(ctx, state, settings);
    const state: CsrfState = {
      secret: null,
      needsUpdate: false,
      newSecret,
      keeper,
      inSession: settings.CSRF_USE_SESSIONS,
      send,
    };
    STATE.set(ctx, state);
    takeSecret(ctx, settings);
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
    sendSecret(ctx, state, settings);
  };
}
