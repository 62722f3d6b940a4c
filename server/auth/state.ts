/** The state of authentication, per application and per request. */
import type { Context } from 'koa';
import type { Clock } from '../clock.js';
import { ImproperlyConfigured } from '../errors.js';
import { type AnyContext, checkContext } from '../http/application.js';
import { OwnState } from '../http/own_state.js';
import { sessionResponseOf } from '../session/response.js';
import type { Session } from '../session/session.js';
import type { Settings } from '../settings.js';
import type { AuthenticationBackend, Credentials } from './backend.js';
import { type BaseUser, type CurrentUser, keepPermissions, type RegisteredUser } from './user.js';

/** The authentication backends, and callbacks for logins. */
export interface AuthenticationOptions<U extends BaseUser = RegisteredUser> {
  readonly settings: Pick<Settings, 'SECRET_KEY' | 'SECRET_KEY_FALLBACKS' | 'LOGIN_URL'>;
  /** Tried in this order (Django's AUTHENTICATION_BACKENDS). */
  readonly backends: readonly AuthenticationBackend<U>[];
  readonly now?: Clock;
  /**
   * Whether a login of the user who is already logged in also takes a new session key. Default true: OWASP ASVS 5.0,
   * 7.2.4 requires a new one at every login. Django keeps the key.
   */
  readonly cycleKeyOnSameUserLogin?: boolean;
  /** Django's signals, for example for a log. They must not throw. */
  readonly user_logged_in?: (ctx: Context, user: U) => void;
  /** Called before the session is deleted; null for an anonymous logout. */
  readonly user_logged_out?: (ctx: Context, user: U | null) => void;
  /** Gets the user name, never the password. */
  readonly user_login_failed?: (ctx: Context, credentials: Pick<Credentials, 'username'>) => void;
}

/** The options of an application with any class of users. */
export type AnyOptions = AuthenticationOptions<BaseUser>;

/** The user of one request; absent until looked up. */
interface UserState {
  readonly session: Session | undefined;
  asked?: Promise<CurrentUser<BaseUser>>;
  user?: CurrentUser<BaseUser>;
  /** The error of the lookup, thrown on access to `user`. */
  error?: unknown;
  /** Whether the session was opened with another password, and must be cleared on access to the user. */
  isStale?: boolean;
  /** Its row is being deleted. */
  forgetting?: Promise<void>;
  /** Resolves when the logins, logouts and new passwords of this request are over; absent where none is under way. */
  changing?: Promise<void>;
}

const OPTIONS = new OwnState<AnyOptions>('authentication');
const STATES = new OwnState<UserState[]>('user');

/** The same options: an application's callbacks get users of its own backends. */
export function forAnyUser<U extends BaseUser>(options: AuthenticationOptions<U>): AnyOptions {
  return options as unknown as AnyOptions;
}

/** Sets the options for all requests of an application (its `context`), or for the rest of one request. */
export function setOptions(context: object, options: AnyOptions): void {
  OPTIONS.set(context, options);
}

/** @throws ImproperlyConfigured when authentication() was not called for this application */
export function optionsOf(ctx: Context): AnyOptions {
  const options = givenOptions(ctx);
  if (options === undefined) {
    const message = 'Call authentication(app, { settings, backends }) before using its functions.';
    throw new ImproperlyConfigured(OPTIONS.absence(ctx, message));
  }
  const { settings } = sessionResponseOf(ctx)?.options ?? options;
  if (settings.SECRET_KEY !== options.settings.SECRET_KEY) {
    throw new ImproperlyConfigured(
      'authentication() and sessions() have different SECRET_KEYs: every login would count as one of another password. Give both the same settings.',
    );
  }
  return options;
}

/** The options in force at this point of a request; undefined where there are none. */
export function givenOptions(ctx: Context): AnyOptions | undefined {
  return OPTIONS.of(ctx);
}

/** The user belongs to the current session; nearly always there is only one. */
export function stateOf(ctx: Context, { session } = ctx.request as { readonly session?: Session }): UserState {
  const states = STATES.orMade(ctx, () => []);
  for (const state of states) if (state.session === session) return state;
  const state: UserState = { session };
  states.push(state);
  return state;
}

/**
 * Set the user for the rest of the request.
 * @param session the user's; the current one when absent. After an await it may be another application's
 */
export function setUser(ctx: Context, user: CurrentUser<BaseUser>, session = sessionOf(ctx)): void {
  const state = stateOf(ctx, { session });
  keepPermissions(state.user, user);
  state.user = user;
  state.asked = Promise.resolve(user);
  delete state.error;
  delete state.isStale;
}

/**
 * What `change` gives: a login, a logout or a new password. Those of one request run one after another, so that session and
 * user are those of the last one. The answer waits for them, also where the handler does not, because it has to send the
 * session's cookie, and tells of their failure: it ends no process, because a logout in another tab may be its reason.
 *
 * @param called the public function, such as `login()`
 * @param check throws for wrong arguments, before anything is done
 */
export function inTurn<T>(
  called: string,
  ctx: AnyContext,
  check: () => void,
  change: (ctx: Context) => Promise<T>,
): Promise<T> {
  try {
    checkContext(called, ctx);
    check();
    optionsOf(ctx);
    const state = stateOf(ctx);
    const work = state.changing === undefined ? change(ctx) : state.changing.then(() => change(ctx));
    const over = (): void => {
      if (state.changing === changing) delete state.changing;
    };
    const changing = work.then(over, over);
    state.changing = changing;
    return sessionResponseOf(ctx)?.session.unheard.give(work) ?? work;
  } catch (error) {
    return Promise.reject(error);
  }
}

/** @throws ImproperlyConfigured if sessions() is not mounted outside */
export function sessionOf(ctx: Context): Session {
  const { session } = ctx.request as { readonly session?: Session };
  if (session === undefined) {
    throw new ImproperlyConfigured('Authentication needs sessions: app.use(sessions(app, …)) comes first.');
  }
  return session;
}
