/** Login, logout, and the user of a session (django.contrib.auth). */
import type { Context } from 'koa';
import { systemClock } from '../clock.js';
import { CSRF_SESSION_KEY, rotate_token, secretForSession } from '../csrf/secret.js';
import { PermissionDenied, ValueError } from '../errors.js';
import { type AnyContext, checkContext } from '../http/application.js';
import { headSent } from '../http/head.js';
import { mayDeleteDeadCookie } from '../session/dead_cookie.js';
import type { JoinedWrite } from '../session/new_key.js';
import { requestDeadline } from '../session/request_deadline.js';
import { checkOptions, checkSpelling } from '../settings/given.js';
import type { AuthenticationBackend, Credentials } from './backend.js';
import { checkLogin } from './given.js';
import { isSessionOf, newKeyForLogin, newKeyForSession } from './new_session_key.js';
import { rewriteHash } from './rotation.js';
import { get_session_auth_hash, verify_session_auth_hash } from './session_hash.js';
import { BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, userIdText } from './session_keys.js';
import { type AuthenticationOptions, inTurn, optionsOf, sessionOf, setUser, stateOf } from './state.js';
import {
  AnonymousUser,
  type BaseUser,
  backendOf,
  type CurrentUser,
  keepPermissions,
  type RegisteredUser,
  vouchFor,
} from './user.js';

export { BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY };

/**
 * The user with these credentials, with `backend` set; null if every backend rejects them. Does not log in. Its
 * duration does not reveal why it is null (ModelBackend).
 *
 * ```ts
 * const user = await authenticate(ctx, { username, password });
 * if (user === null) ctx.throw(400, 'Name or password is wrong.');
 * else await login(ctx, user);
 * ```
 */
export async function authenticate<U extends BaseUser = RegisteredUser>(
  ctx: AnyContext,
  credentials: Credentials = {},
): Promise<U | null> {
  checkContext('authenticate()', ctx);
  checkOptions('authenticate()', credentials);
  const options = optionsOf(ctx);
  for (const backend of options.backends) {
    const user = await ask(backend, credentials, ctx);
    if (user === 'refused') break;
    if (user !== null) return vouchFor(user, backend.path) as U;
  }
  options.user_login_failed?.(ctx, { username: credentials.username ?? null });
  return null;
}

async function ask(
  backend: AuthenticationBackend<BaseUser>,
  credentials: Credentials,
  ctx: Context,
): Promise<BaseUser | null | 'refused'> {
  try {
    return (await backend.authenticate(credentials, ctx)) ?? null;
  } catch (error) {
    if (error instanceof PermissionDenied) return 'refused';
    throw error;
  }
}

/**
 * Log the user in to this session. An anonymous session keeps its data and takes a new key; the session of another
 * user, or one opened with another password, is cleared. Also rotates the CSRF secret and stores last_login.
 *
 * The new row, the deletion of the old one and last_login are one commit if users and sessions are in one database (the
 * same knex instance, with engines db and cached_db); otherwise last_login is stored first. If it rejects, the session
 * is unchanged.
 *
 * Different from Django: a user who is logged in already takes a new key too, see `cycleKeyOnSameUserLogin`.
 *
 * ```ts
 * const user = await authenticate(ctx, { username, password });
 * if (user !== null) await login(ctx, user);
 * ```
 *
 * @param options.backend path of the user's backend; needed only with several backends and without `authenticate`
 * @returns the user as stored now, which is `ctx.request.user` too
 * @throws ValueError if the backend is ambiguous, and for what is no user
 * @throws SessionInterrupted (400) when the session ended while this request ran
 */
export function login<U extends BaseUser>(
  ctx: AnyContext,
  user: U,
  options: { readonly backend?: string } = {},
): Promise<U> {
  const check = (): void => {
    checkSpelling('login()', options, ['backend']);
    checkLogin('login()', user);
  };
  return inTurn('login()', ctx, check, (mounted) => logIn(mounted, user, options.backend));
}

async function logIn<U extends BaseUser>(ctx: Context, user: U, backendPath: string | undefined): Promise<U> {
  const { settings, backends, now = systemClock, cycleKeyOnSameUserLogin = true, user_logged_in } = optionsOf(ctx);
  const path = backendPath ?? backendOf(user) ?? onlyOne(backends).path;
  const backend = backends.find((known) => known.path === path);
  const session = sessionOf(ctx);
  const session_auth_hash = get_session_auth_hash(user, settings.SECRET_KEY);
  const csrf_secret = secretForSession(ctx);
  const values: [string, unknown][] = [
    [SESSION_KEY, String(user.id)],
    [BACKEND_SESSION_KEY, path],
    [HASH_SESSION_KEY, session_auth_hash],
  ];
  if (csrf_secret !== null) values.push([CSRF_SESSION_KEY, csrf_secret]);

  let stored: BaseUser | null | undefined;
  const joined: JoinedWrite = {
    database: backend?.database,
    write: async (transaction) => {
      stored = await backend?.update_last_login?.(user, new Date(now() * 1000), transaction, requestDeadline(ctx));
    },
  };
  if (cycleKeyOnSameUserLogin || !isSessionOf(session, user, settings)) {
    await newKeyForLogin(session, user, settings, { values, joined });
  } else {
    await joined.write(undefined);
    session.update(values);
  }
  rotate_token(ctx, csrf_secret ?? undefined);

  // A copy, because the given object is the caller's and may be used with another backend next time.
  const current = stored == null ? user : vouchFor(stored as U, path);
  keepPermissions(user, current);
  setUser(ctx, current, session);
  user_logged_in?.(ctx, current);
  return current;
}

function onlyOne(backends: AuthenticationOptions<BaseUser>['backends']): AuthenticationBackend<BaseUser> {
  const [first, second] = backends;
  if (first === undefined || second !== undefined) {
    throw new ValueError(
      'There is not exactly one authentication backend: pass login() the `backend`, or a user from authenticate().',
    );
  }
  return first;
}

/**
 * Delete the session with its data; the request continues as anonymous.
 *
 * ```ts
 * await logout(ctx);
 * ctx.redirect('/');
 * ```
 */
export function logout(ctx: AnyContext): Promise<void> {
  return inTurn('logout()', ctx, () => {}, logOut);
}

async function logOut(ctx: Context): Promise<void> {
  const { user_logged_out } = optionsOf(ctx);
  const session = sessionOf(ctx);
  if (user_logged_out !== undefined) {
    const user = await currentUser(ctx);
    user_logged_out(ctx, user.is_authenticated ? user : null);
  }
  await session.flush();
  setUser(ctx, new AnonymousUser(), session);
}

/**
 * The user of the session, looked up again; `ctx.request.auser()` caches the result.
 *
 * Anonymous without changing the session: no id, an invalid id, an unknown backend, an unknown or inactive user.
 * Anonymous after clearing the session: a hash that is missing or does not match the user's password. A hash under one
 * of SECRET_KEY_FALLBACKS is renewed; unlike in Django, the session keeps its key.
 *
 * ```ts
 * const user = await get_user(ctx);
 * ctx.body = user.is_authenticated ? user.get_username() : 'nobody';
 * ```
 */
export async function get_user<U extends BaseUser = RegisteredUser>(ctx: AnyContext): Promise<CurrentUser<U>> {
  checkContext('get_user()', ctx);
  const { user, isStale } = await lookUp(ctx);
  if (isStale) await forget(ctx);
  // The application's own backend made it.
  return user as CurrentUser<U>;
}

/**
 * A request that is no navigation leaves row and cookie to the next page: a concurrent request may be changing the
 * user's own password, which moves the row to a new key (update_session_auth_hash).
 */
function forget(ctx: Context): Promise<void> {
  const session = sessionOf(ctx);
  // With engine signed_cookies, the cookie of an answer that has begun stays as it is.
  const isTooLate = session.isInCookie && headSent(ctx);
  return session.flush({ keepRow: isTooLate || !mayDeleteDeadCookie(ctx) });
}

/** @returns also whether the session must be cleared */
async function lookUp(ctx: Context): Promise<{ readonly user: CurrentUser<BaseUser>; readonly isStale?: boolean }> {
  const { settings, backends } = optionsOf(ctx);
  const session = sessionOf(ctx);
  const user_id = userIdText(session.get(SESSION_KEY));
  const path = session.get(BACKEND_SESSION_KEY);
  const backend = backends.find((known) => known.path === path);
  if (user_id === null || backend === undefined) return { user: new AnonymousUser() };

  const user = (await backend.get_user(user_id, requestDeadline(ctx))) ?? null;
  if (user === null) return { user: new AnonymousUser() };
  const hash = session.get(HASH_SESSION_KEY);
  switch (verify_session_auth_hash(hash, user, settings)) {
    case null:
      return { user: new AnonymousUser(), isStale: true };
    case 'fallback':
      await rewriteHash(session, String(hash), get_session_auth_hash(user, settings.SECRET_KEY));
      return { user };
    case 'current':
      return { user };
  }
}

/** The user of the request, looked up once. */
export async function currentUser(ctx: Context): Promise<CurrentUser<BaseUser>> {
  const user = await lookAhead(ctx);
  await forgetStale(ctx);
  return user;
}

/** The same lookup in advance: a session that must be cleared is left to `forgetStale`. */
export async function lookAhead(ctx: Context): Promise<CurrentUser<BaseUser>> {
  const state = stateOf(ctx);
  if (state.asked === undefined) {
    const asked: Promise<CurrentUser<BaseUser>> = lookUp(ctx).then(({ user, isStale = false }) => {
      if (state.asked === asked) state.isStale = isStale;
      return user;
    });
    state.asked = asked;
  }
  try {
    const { asked } = state;
    const user = await asked;
    // A concurrent login or logout takes precedence.
    if (state.asked === asked) state.user = user;
    return state.user ?? user;
  } catch (error) {
    state.error = error;
    throw error;
  }
}

/** Clear a session that was opened with another password, once: its data immediately, its row when this resolves. */
export async function forgetStale(ctx: Context): Promise<void> {
  const state = stateOf(ctx);
  // Not the session that the request has replaced it with.
  if (state.isStale === true && sessionOf(ctx).has_key(SESSION_KEY)) {
    state.forgetting = forget(ctx);
    // The caller that awaits it handles the error.
    state.forgetting.catch(() => {});
  }
  state.isStale = false;
  await state.forgetting;
}

/**
 * After users change their own password: keep this session, under a new key, while all others of the user end. The user
 * of the request must be looked up before the password is changed (the middleware does): a session that does not match
 * the password is cleared, not renewed.
 *
 * ```ts
 * const changed = await users.set_password(user.id, await make_password(password));
 * if (changed !== null) await update_session_auth_hash(ctx, changed);
 * ```
 *
 * @param user with the new password, as `UserTable.set_password` returns it
 */
export function update_session_auth_hash(ctx: AnyContext, user: BaseUser): Promise<void> {
  const called = 'update_session_auth_hash()';
  const check = (): void => checkLogin(called, user);
  return inTurn(called, ctx, check, (mounted) => renewHash(mounted, user));
}

async function renewHash(ctx: Context, user: BaseUser): Promise<void> {
  const { settings } = optionsOf(ctx);
  const session = sessionOf(ctx);
  const current = await currentUser(ctx);
  if (!current.is_authenticated || String(current.id) !== String(user.id)) return newKeyForSession(session, {});
  const values = [[HASH_SESSION_KEY, get_session_auth_hash(user, settings.SECRET_KEY)]] as const;
  await newKeyForSession(session, { values });
  setUser(ctx, user, session);
}
