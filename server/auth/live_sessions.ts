/**
 * Closes long-lived connections (WebSockets, event streams) when their session ends.
 *
 * A page reads its session at each request, so a logout takes effect at once; an open connection would outlive the
 * session. LiveSessions polls once a second, for all open connections of a process together:
 *
 *     waiting    connections are watched; the next poll is at most a second away
 *     polling    one statement for all their sessions is under way, then one for their users
 *     idle       no connections are watched: no timer, no statement
 */
import { ImproperlyConfigured, ValueError } from '../errors.js';
import type { Logger } from '../logger.js';
import { checkStore } from '../session/given.js';
import { liveOf } from '../session/live.js';
import type { Session } from '../session/session.js';
import type { SessionStore } from '../session/store.js';
import { SignedCookiesStore } from '../session/stores/signed_cookies.js';
import { checkLogger, checkSettings } from '../settings/given.js';
import type { Settings } from '../settings.js';
import type { AuthenticationBackend } from './backend.js';
import { verify_session_auth_hash } from './session_hash.js';
import { BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, userIdText } from './session_keys.js';
import type { BaseUser } from './user.js';

/** What `LiveSessions` checks, and how often. */
export interface LiveSessionsOptions {
  readonly settings: Pick<Settings, 'SECRET_KEY' | 'SECRET_KEY_FALLBACKS'>;
  readonly store: SessionStore;
  /**
   * The backends of `authentication`. With them a connection also ends if its user's password changes, or the user may
   * no longer log in.
   */
  readonly backends?: readonly AuthenticationBackend<BaseUser>[];
  /** Seconds between two polls, more than 0 and less than a day; 1 when absent. */
  readonly interval?: number;
  /** Called once when a poll fails. Connections stay open, and polling continues. */
  readonly logger?: Pick<Logger, 'warn'>;
}

/** The login with which a connection was opened. */
interface Login {
  readonly backend: AuthenticationBackend<BaseUser>;
  readonly user_id: string;
  readonly session_auth_hash: unknown;
}

interface Connection {
  readonly session_key: string;
  readonly login: Login | null;
  readonly end: () => void;
}

/** Seconds. */
const DAY = 86_400;

/**
 * Ends open connections whose session has ended: by a logout at either server, `revoke`, expiry, a new key, a changed
 * password, or a deleted row. The delay is at most `interval` and the time of a poll. Use one instance per process; a
 * poll costs one statement for the sessions and one for their users. While the database is unavailable, no connection
 * is ended.
 *
 * ```ts
 * const live = new LiveSessions({ settings, store, backends });
 * wss.on('connection', async (socket, request) => {
 *   const session = await openSession(request, { settings, store }).catch(() => null); // the database is away
 *   if (session?.has_key('_auth_user_id') !== true) return socket.close(4401, 'Log in first.');
 *   const forget = live.watch(session, () => socket.close(4401, 'Your session has ended.'));
 *   socket.once('close', forget);
 * });
 * ```
 */
export class LiveSessions {
  readonly #options: LiveSessionsOptions;
  readonly #interval: number;
  readonly #connections = new Set<Connection>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #hasWarned = false;

  /** @throws ImproperlyConfigured for engine signed_cookies, whose sessions cannot end elsewhere */
  constructor(options: LiveSessionsOptions) {
    checkStore('LiveSessions', options);
    checkSettings('LiveSessions', options.settings, 'SECRET_KEY', 'SECRET_KEY_FALLBACKS');
    checkLogger('LiveSessions', options.logger);
    if (options.store instanceof SignedCookiesStore) {
      throw new ImproperlyConfigured('LiveSessions needs sessions on the server: engine signed_cookies has none.');
    }
    const { interval = 1 } = options;
    if (!(interval > 0 && interval < DAY)) {
      throw new ImproperlyConfigured(
        `LiveSessions: interval ${interval} is not allowed. Give seconds between two polls, more than 0 and less than ${DAY}.`,
      );
    }
    this.#options = options;
    this.#interval = interval * 1000;
  }

  /**
   * Call `end` once, when the session has ended.
   * @param session as it was when the connection was opened
   * @param end closes the connection; an error is an uncaught exception of the process, as in a timer, and does not
   *   affect other connections
   * @returns a function to call when the connection has closed by itself
   * @throws ValueError for a session without a row, because it cannot end, and for an `end` that is not a function
   */
  watch(session: Session, end: () => void): () => void {
    const { session_key } = session;
    if (session_key === null) {
      throw new ValueError(
        'This session has no row, so it cannot end. Check that a user is logged in before you watch it.',
      );
    }
    if (typeof end !== 'function') throw new ValueError('Give watch() a function that closes the connection.');
    const connection: Connection = { session_key, login: this.#loginOf(session), end };
    this.#connections.add(connection);
    this.#wait();
    return () => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#rest();
    };
  }

  #loginOf(session: Session): Login | null {
    const user_id = userIdText(session.get(SESSION_KEY));
    const path = session.get(BACKEND_SESSION_KEY);
    const backend = this.#options.backends?.find((known) => known.path === path);
    if (user_id === null || backend === undefined) return null;
    return { backend, user_id, session_auth_hash: session.get(HASH_SESSION_KEY) };
  }

  #wait(): void {
    if (this.#timer !== undefined || this.#isLooking) return;
    this.#timer = setTimeout(() => void this.#look(), this.#interval);
    this.#timer.unref();
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    this.#timer = undefined;
    this.#isLooking = true;
    const failures: unknown[] = [];
    try {
      await this.#endOutdated(failures);
    } catch (error) {
      // No error, for example of a custom backend, may stop polling.
      failures.push(error);
    }
    this.#isLooking = false;
    if (this.#connections.size > 0) this.#wait();
    this.#tell(failures);
  }

  async #endOutdated(failures: unknown[]): Promise<void> {
    const asked = [...this.#connections];
    // A failed poll is repeated at the next interval: an outage ends no connection.
    const failed = (error: unknown): undefined => {
      failures.push(error);
      return undefined;
    };
    const [live, outdated] = await Promise.all([
      this.#liveKeys(asked).catch(failed),
      this.#outdatedLogins(asked, failed),
    ]);
    for (const connection of asked) {
      const { session_key, login } = connection;
      const hasEnded = (live !== undefined && !live.has(session_key)) || (login !== null && outdated.has(login));
      // Skip a connection that has closed meanwhile.
      if (hasEnded && this.#connections.delete(connection)) process.nextTick(connection.end);
    }
  }

  async #liveKeys(asked: readonly Connection[]): Promise<ReadonlySet<string>> {
    return liveOf(this.#options.store, [...new Set(asked.map(({ session_key }) => session_key))]);
  }

  /** The invalid logins: deleted user, one who may not log in, or a changed password. */
  async #outdatedLogins(
    asked: readonly Connection[],
    failed: (error: unknown) => undefined,
  ): Promise<ReadonlySet<Login>> {
    const logins = asked.flatMap(({ login }) => login ?? []);
    // All in one tick, and each user once, so that UserTable looks them up in one statement.
    const users = new Map<AuthenticationBackend<BaseUser>, Map<string, Promise<BaseUser | null | undefined>>>();
    for (const { backend, user_id } of logins) {
      const known = users.get(backend) ?? new Map<string, Promise<BaseUser | null>>();
      users.set(backend, known);
      if (known.has(user_id)) continue;
      // Async, because a backend may also return or throw at once.
      const find = async (): Promise<BaseUser | null> => (await backend.get_user(user_id)) ?? null;
      known.set(user_id, find().catch(failed));
    }
    const outdated = new Set<Login>();
    for (const login of logins) {
      const user = await users.get(login.backend)?.get(login.user_id);
      if (user === undefined) continue;
      if (user === null || !this.#fits(login, user)) outdated.add(login);
    }
    return outdated;
  }

  #fits({ session_auth_hash }: Login, user: BaseUser): boolean {
    return verify_session_auth_hash(session_auth_hash, user, this.#options.settings) !== null;
  }

  #tell(failures: readonly unknown[]): void {
    if (failures.length > 0 && !this.#hasWarned) {
      const [error] = failures;
      this.#options.logger?.warn(
        { logger: 'koa-django-session', reason: error instanceof Error ? error.name : 'unknown' },
        'The sessions of open connections could not be checked. The connections stay open, and the check is repeated.',
      );
    }
    this.#hasWarned = failures.length > 0;
  }
}
