/**
 * Django's cookie API on Koa: `ctx.request.COOKIES`, `ctx.response.set_cookie(…)` and so on, each also on `ctx`.
 */

import type { Context, Request, Response } from 'koa';
import type { Clock } from '../clock.js';
import { BadSignature, CookieError, KeyError } from '../errors.js';
import { checkedClock, checkOptions, checkSettings } from '../settings/given.js';
import type { Settings } from '../settings.js';
import { signCookie, unsignCookie } from '../signing/cookie_signer.js';
import { printJson } from '../signing/python_json.js';
import { type Application, checkApplication, delegates, memberInstaller } from './application.js';
import { type Cookies, parse_cookie } from './cookie_header.js';
import { CookieJar, type CookieOptions } from './cookie_jar.js';
import { decodeHeader } from './header_bytes.js';
import { type TimeDelta, total_seconds } from './http_date.js';
import { OwnState } from './own_state.js';
import { repr } from './python_text.js';

/** A cookie's value, converted as by Python's `str(value)`: null is sent as `None`, true as `True`. */
export type CookieValue = string | number | bigint | boolean | null;

/** The maximum age of a signed cookie, and a default instead of an error. */
export interface GetSignedCookieOptions<Default> {
  /** Returned instead of throwing when the cookie is absent, forged or too old. */
  readonly default?: Default;
  readonly salt?: string;
  /** Maximum age in seconds; older cookies are refused. */
  readonly max_age?: number | TimeDelta | null;
}

export interface SignedCookieOptions extends CookieOptions {
  readonly salt?: string;
}

/** The attributes with which the cookie was set. A browser does not delete a cookie with another path or domain. */
export type DeleteCookieOptions = Pick<CookieOptions, 'path' | 'domain' | 'samesite'>;

interface CookieRequest {
  /** The cookies of the request by name, as Django reads them; parsed on first access. */
  readonly COOKIES: Cookies;
  /**
   * The value of a signed cookie.
   *
   * @throws KeyError when there is none, SignatureExpired when it is older than `max_age`, BadSignature when it is
   *   forged; never when `default` is given
   */
  get_signed_cookie<Default = never>(key: string, options?: GetSignedCookieOptions<Default>): string | Default;
}

interface CookieResponse {
  /**
   * Send a cookie. Setting a name again keeps its position and the attributes that are not given, as in Django.
   *
   * @throws CookieError for a name, value or attribute that cannot be sent, or a line over 4096 bytes; ValueError for
   *   another samesite, a misspelt option, or a Date as `expires` together with `max_age`. Nothing is sent then.
   */
  set_cookie(key: string, value?: CookieValue, options?: CookieOptions): void;
  /** Send a cookie with time and signature. The visitor can read its value, but not change it. */
  set_signed_cookie(key: string, value: CookieValue, options?: SignedCookieOptions): void;
  /** Delete a cookie in the browser; path and domain must be the same as when it was set. */
  delete_cookie(key: string, options?: DeleteCookieOptions): void;
}

declare module 'koa' {
  interface Request extends CookieRequest {}
  interface Response extends CookieResponse {}
  interface ExtendableContext extends CookieRequest, CookieResponse {}
}

/** The settings that signed cookies depend on. */
export type CookieSettings = Pick<
  Settings,
  'SECRET_KEY' | 'SECRET_KEY_FALLBACKS' | 'SIGNED_COOKIE_SALT_VERSION' | 'SIGNED_COOKIE_LEGACY_SALT_FALLBACK'
>;

/** The settings and the clock of the cookie API. */
export interface InstallCookiesOptions {
  readonly settings: CookieSettings;
  readonly now?: Clock;
}

const OPTIONS = new OwnState<CookieScope>('cookies');
const COOKIES = new OwnState<Cookies>('COOKIES');
const JAR = new OwnState<CookieJar | undefined>('jar');

/**
 * str(value) of Python.
 * @throws CookieError for a promise and other objects, whose text says nothing
 */
function str(value: CookieValue): string {
  if ((typeof value === 'object' && value !== null) || typeof value === 'function' || value === undefined) {
    throw new CookieError('The value of a cookie is a text, a number, true, false or null.');
  }
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'number' ? printJson(value) : String(value);
}

function optionsOf(ctx: Context): Required<InstallCookiesOptions> {
  const options = cookieScope(ctx);
  if (options === undefined) throw new Error('installCookies(app, { settings }) has not been called.');
  return options;
}

const requestMembers: PropertyDescriptorMap = {
  COOKIES: {
    configurable: true,
    get(this: Request): Cookies {
      return COOKIES.orMade(this, () => parse_cookie(decodeHeader(this.req.headers.cookie ?? '')));
    },
  },
  get_signed_cookie: {
    configurable: true,
    writable: true,
    value<Default = never>(
      this: Request,
      key: string,
      options: GetSignedCookieOptions<Default> = {},
    ): string | Default {
      checkOptions('get_signed_cookie()', options);
      const { salt = '', max_age = null } = options;
      const signed = this.COOKIES.get(key);
      const fallback = (error: KeyError | BadSignature): Default => {
        if (Object.hasOwn(options, 'default')) return options.default as Default;
        throw error;
      };
      if (signed === undefined) return fallback(new KeyError(`There is no cookie ${repr(key)}.`));
      const { settings, now } = optionsOf(this.ctx);
      try {
        return unsignCookie(key, signed, {
          salt,
          settings,
          now,
          ...(max_age === null ? {} : { max_age: total_seconds(max_age) }),
        });
      } catch (error) {
        if (error instanceof BadSignature) return fallback(error);
        throw error;
      }
    },
  },
};

const DELETED = 'Thu, 01 Jan 1970 00:00:00 GMT';

const responseMembers: PropertyDescriptorMap = {
  set_cookie: {
    configurable: true,
    writable: true,
    value(this: Response, key: string, value: CookieValue = '', options: CookieOptions = {}): void {
      checkOptions('set_cookie()', options);
      const jar = JAR.of(this) ?? new CookieJar(this.res);
      JAR.set(this, jar);
      jar.set(key, str(value), options, optionsOf(this.ctx).now());
    },
  },
  set_signed_cookie: {
    configurable: true,
    writable: true,
    value(this: Response, key: string, value: CookieValue, options: SignedCookieOptions = {}): void {
      checkOptions('set_signed_cookie()', options);
      const { salt = '', ...attributes } = options;
      const { settings, now } = optionsOf(this.ctx);
      this.set_cookie(key, signCookie(key, str(value), { salt, settings, now }), attributes);
    },
  },
  delete_cookie: {
    configurable: true,
    writable: true,
    value(this: Response, key: string, options: DeleteCookieOptions = {}): void {
      checkOptions('delete_cookie()', options);
      const { path = '/', domain = null, samesite = null } = options;
      // A browser ignores the deletion of such a cookie unless it is secure.
      const secure = /^__(?:Secure|Host)-/.test(key) || (samesite || '').toLowerCase() === 'none';
      this.set_cookie(key, '', { max_age: 0, expires: DELETED, path, domain, samesite, secure });
    },
  },
};

const installMembers = memberInstaller({
  request: requestMembers,
  response: responseMembers,
  context: { ...delegates('request', requestMembers), ...delegates('response', responseMembers) },
});

/**
 * Add Django's cookie API to an application: `COOKIES`, `set_cookie` and so on. Calling it again only replaces the
 * options. For an application mounted in another one, call it for the outer one; `sessions` and `csrf` call it
 * themselves.
 *
 * ```ts
 * installCookies(app, { settings });
 * app.use((ctx) => {
 *   ctx.set_signed_cookie('last_visit', new Date().toISOString(), { max_age: 86_400, httponly: true });
 *   ctx.body = ctx.COOKIES.get('django_language') ?? 'en';
 * });
 * ```
 *
 * @throws ImproperlyConfigured without the application or settings
 */
export function installCookies(app: Application, options: InstallCookiesOptions): void {
  checkApplication(app, 'installCookies(app, { settings })');
  checkSettings('installCookies()', options?.settings, 'SECRET_KEY', 'SECRET_KEY_FALLBACKS');
  const { settings } = options;
  const now = checkedClock(options.now);
  OPTIONS.set(app.context, { settings, now });
  installMembers(app);
}

/** The options for signing cookies at this point of a request; undefined without any. */
export type CookieScope = Required<InstallCookiesOptions> | undefined;

export function cookieScope(ctx: Context): CookieScope {
  return OPTIONS.of(ctx);
}

/** Use these options for the rest of this request. Adds the members to its application if they are missing. */
export function enterCookieScope(ctx: Context, scope: CookieScope): void {
  installMembers(ctx.app);
  if (cookieScope(ctx) !== scope) OPTIONS.set(ctx, scope);
}

/** The cookies that a response will set, for restoreCookies; undefined without any. */
export function savedCookies(ctx: Context): CookieJar | undefined {
  return JAR.of(ctx.response)?.copy();
}

/** Restore the result of savedCookies, after the headers were restored (exceptions). */
export function restoreCookies(ctx: Context, jar: CookieJar | undefined): void {
  JAR.set(ctx.response, jar);
}

/** Let the next `set_cookie` of this name take over nothing from the one before, unlike Django's. */
export function startCookieAnew(response: Response, key: string): void {
  JAR.of(response)?.startAnew(key);
}

/** Set overwritten cookies again, for answers that bypass Koa (a proxy, a renderer). */
export function resendCookies(ctx: Context): void {
  JAR.of(ctx.response)?.resend();
}
