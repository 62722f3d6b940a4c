/** Pages for some users only: Django's decorators as middleware (django.contrib.auth.decorators, admin.views.decorators). */
import type { Context, Middleware } from 'koa';
import { ImproperlyConfigured, PermissionDenied } from '../errors.js';
import { checkRedirect, type LoginRequiredOptions, redirectToLogin, userOf } from './login_required.js';
import type { AnonymousUser, BaseUser, CurrentUser, User } from './user.js';

/** The response for visitors without the permission. */
export interface PermissionRequiredOptions extends LoginRequiredOptions {
  /**
   * Answer 403 to logged-in users without the permission instead of redirecting to the login page. Default false, as in
   * Django.
   */
  readonly raise_exception?: boolean;
}

/**
 * Middleware for users who pass the test; others are redirected to the login page, with the requested page in the
 * query.
 *
 * ```ts
 * app.use(user_passes_test((user) => user.is_authenticated && user.email.endsWith('@example.com')));
 * ```
 *
 * @param test also gets the request's context
 */
export function user_passes_test(
  test: (user: CurrentUser, ctx: Context) => boolean | Promise<boolean>,
  options: LoginRequiredOptions = {},
): Middleware {
  checkRedirect('user_passes_test()', options);
  if (typeof test !== 'function') throw new ImproperlyConfigured('user_passes_test() needs a test: (user) => …');
  return async function user_passes_test(ctx, next) {
    const passed: unknown = await test(await userOf(ctx), ctx);
    // `(user) => user.has_perm` would let everybody in.
    if (typeof passed === 'function')
      throw new ImproperlyConfigured('The test of user_passes_test returned a function.');
    if (passed) await next();
    else redirectToLogin(ctx, options);
  };
}

/**
 * Middleware for users with this permission, or with all of these: `permission_required('shop.change_good')`.
 *
 * Others are redirected to the login page, even if logged in, as in Django; with `raise_exception` they get 403.
 *
 * ```ts
 * app.use(permission_required(['shop.change_good', 'shop.delete_good'], { raise_exception: true }));
 * ```
 */
export function permission_required(
  perm: string | readonly string[],
  given: PermissionRequiredOptions = {},
): Middleware {
  checkRedirect('permission_required()', given);
  const { raise_exception = false, ...options } = given;
  const perms = typeof perm === 'string' ? [perm] : perm;
  if (!Array.isArray(perms) || !perms.every((name) => typeof name === 'string')) {
    throw new ImproperlyConfigured(
      "permission_required() needs a permission, such as 'shop.change_good', or a list of them.",
    );
  }
  return async function permission_required(ctx, next) {
    const user: BaseUser | AnonymousUser = await userOf(ctx);
    if (!('has_perms' in user) || typeof user.has_perms !== 'function') {
      throw new ImproperlyConfigured('permission_required needs users that have `has_perms`, as User does.');
    }
    if ((await user.has_perms(perms)) === true) return next();
    if (raise_exception) throw new PermissionDenied('You do not have the permission for this.');
    redirectToLogin(ctx, options);
  };
}

/**
 * Middleware for active users who are staff (`is_staff`), who may use Django's admin.
 *
 * ```ts
 * app.use(staff_member_required({ login_url: '/admin/login/' }));
 * ```
 */
export function staff_member_required(options: LoginRequiredOptions = {}): Middleware {
  checkRedirect('staff_member_required()', options);
  return async function staff_member_required(ctx, next) {
    const user: Partial<Pick<User, 'is_active' | 'is_staff'>> = await userOf(ctx);
    if (user.is_active !== false && user.is_staff === true) await next();
    else redirectToLogin(ctx, options);
  };
}
