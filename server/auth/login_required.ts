/** `login_required`: pages for users only (django.contrib.auth.decorators). */
import type { Context, Middleware } from 'koa';
import { ImproperlyConfigured } from '../errors.js';
import { urlsplit } from '../http/python_url.js';
import { checkSpelling } from '../settings/given.js';
import { optionsOf } from './state.js';
import type { CurrentUser } from './user.js';

/** The query parameter with the page to return to. */
export const REDIRECT_FIELD_NAME = 'next';

/** The redirect for refused visitors. */
export interface LoginRequiredOptions {
  /** Default: LOGIN_URL. */
  readonly login_url?: string;
  /** Default: `next`. */
  readonly redirect_field_name?: string;
}

/** @throws ImproperlyConfigured for a misspelt option, and a function as address */
export function checkRedirect(caller: string, options: LoginRequiredOptions): void {
  checkSpelling(caller, options, ['login_url', 'redirect_field_name']);
  const { login_url = '', redirect_field_name = '' } = options;
  if (typeof login_url === 'string' && typeof redirect_field_name === 'string') return;
  throw new ImproperlyConfigured(`The login_url and redirect_field_name of ${caller} are texts.`);
}

/**
 * Middleware that redirects anonymous visitors to the login page, with the requested page in the query.
 *
 * ```ts
 * app.use(login_required({ login_url: '/login/' })); // what is mounted after it is for users who are logged in
 * ```
 */
export function login_required(options: LoginRequiredOptions = {}): Middleware {
  checkRedirect('login_required()', options);
  return async function login_required(ctx, next) {
    const user = await userOf(ctx);
    if (user.is_authenticated) await next();
    else redirectToLogin(ctx, options);
  };
}

/** @throws ImproperlyConfigured if authentication() was not called for the application */
export function userOf(ctx: Context): Promise<CurrentUser> {
  const { auser } = ctx.request as { readonly auser?: unknown };
  if (auser === undefined) optionsOf(ctx);
  return ctx.request.auser();
}

/** Redirect to the login page, with this page in the query (views.redirect_to_login). */
export function redirectToLogin(ctx: Context, options: LoginRequiredOptions): void {
  const { redirect_field_name = REDIRECT_FIELD_NAME, login_url = optionsOf(ctx).settings.LOGIN_URL } = options;
  ctx.redirect(loginAddress(fullPath(ctx, login_url), login_url, redirect_field_name));
}

/** The page's path and query; its whole address if the login page is on another host. */
function fullPath(ctx: Context, login_url: string): string {
  const { scheme, netloc } = urlsplit(login_url);
  // As it was asked for: a mounted application sees a shorter one, without the prefix that Django calls SCRIPT_NAME.
  const [, given = ''] = /^(?:[a-z][a-z0-9+.-]*:\/\/[^/?#]*)?([^#]*)/i.exec(ctx.originalUrl) ?? [];
  const asked = given.startsWith('/') ? given : `/${given}`;
  // "//host/…" alone would be parsed as another host (as Django's escape_leading_slashes).
  const path = asked.startsWith('//') ? `/%2F${asked.slice(2)}` : asked;
  const same = (scheme === '' || scheme === ctx.protocol) && (netloc === '' || netloc === ctx.host);
  return same ? path : `${ctx.protocol}://${ctx.host}${path}`;
}

/** Python's urllib.parse.quote with "/" safe. */
const quote = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', '/');

/** The login page's URL with `next` added to its query (views.redirect_to_login). */
function loginAddress(next: string, login_url: string, field: string): string {
  const [, base = '', , query = '', fragment = ''] = /^([^?#]*)(\?([^#]*))?(#.*)?$/s.exec(login_url) ?? [];
  const fields = new URLSearchParams(query);
  fields.set(field, next);
  const pairs = [...fields].map(([name, value]) => `${quote(name)}=${quote(value)}`);
  return `${base}?${pairs.join('&')}${fragment}`;
}
