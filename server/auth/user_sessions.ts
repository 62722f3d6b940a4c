/** Lists and ends the sessions of a user, by our own table beside Django's. */
import type { Knex } from 'knex';
import type { Context, Middleware } from 'koa';
import type { Clock } from '../clock.js';
import { type Deadline, inTime } from '../db/deadline.js';
import { checkKnex } from '../db/given.js';
import { PoolShare } from '../db/pool_share.js';
import { ImproperlyConfigured, SchemaMismatch } from '../errors.js';
import { errorFields } from '../http/error_fields.js';
import type { Logger } from '../logger.js';
import { checkStore } from '../session/given.js';
import type { Session } from '../session/session.js';
import type { SessionStore } from '../session/store.js';
import { checkLogger, checkSettings } from '../settings/given.js';
import { isWellFormed } from '../signing/crypto.js';
import { addressNetwork } from './address_block.js';
import { checkCurrent, checkUser } from './given.js';
import { SESSION_KEY } from './session_keys.js';
import { sessionOf, stateOf } from './state.js';
import type { BaseUser } from './user.js';
import { idOf } from './user_sessions/sealed_key.js';
import {
  type Entry,
  SEEN_EVERY,
  type Sighting,
  type UserSessionsSettings,
  UserSessionsTable,
} from './user_sessions/table.js';
import { LONGEST_USER_AGENT } from './user_sessions/user_agent.js';

/** A session of a user, for display. */
export interface UserSession {
  /** Identifies the session for `revoke`: a hash of its key, which gives no access. */
  readonly id: string;
  /** The time of the login here, or of the first request here for a session that began in Django. */
  readonly begun: Date;
  /** May be up to five minutes old. Requests to Django are not counted. */
  readonly last_seen: Date;
  readonly expire_date: Date;
  /** As sent, at most 512 characters; `readUserAgent` parses it. */
  readonly user_agent: string;
  /** The network: `203.0.113.0/24`, `2001:db8:1::/48`. */
  readonly address: string;
  /** Whether it is the session given as the current one. */
  readonly isCurrent: boolean;
}

/** Options of `UserSessions`. */
export interface UserSessionsOptions {
  readonly settings: UserSessionsSettings;
  /** The store of `sessions`, of engine `db` or `cached_db`, on the same knex instance. */
  readonly store: SessionStore;
  /** For tests; without it the database's own clock. */
  readonly now?: Clock;
  /** Seconds, DATABASE_TIMEOUT. 1 when absent. */
  readonly timeout?: number;
  /** Logs failed writes; never gets a key. */
  readonly logger?: Pick<Logger, 'warn'>;
}

/** Seconds for which entries are collected before a write. */
const WRITE_AFTER = 0.25;
/** The maximum number of waiting entries, for an unavailable database, and of remembered keys. */
const MOST_WAITING = 10_000;
const MOST_REMEMBERED = 50_000;
/** Seconds between warnings, and between checks for a missing table. */
const WARN_EVERY = 60;
/** Expired rows are removed once per so many writes. */
const PRUNE_EVERY = 200;

type UserId = Pick<BaseUser, 'id'>;
type CurrentSession = Pick<Session, 'session_key'>;

/**
 * Records users' sessions at their requests. Needs the migration `0005_user_sessions`.
 *
 * ```ts
 * const userSessions = new UserSessions(knex, { settings, store });
 * app.use(authentication(app, { settings, backends }));
 * app.use(userSessions.middleware);
 * // in handlers of users who are logged in
 * if (!ctx.user.is_authenticated) throw new PermissionDenied('Log in first.');
 * const deadline = requestDeadline(ctx);
 * const all = await userSessions.sessionsOf(ctx.user, ctx.session, deadline);
 * await userSessions.revoke(ctx.user, id, deadline);
 * await userSessions.revokeOthers(ctx.user, ctx.session, deadline);
 * ```
 *
 * A session that began in Django is recorded at its first request here. Ending a session deletes its row in Django's
 * table, so it also ends in Django. `update_session_auth_hash` after a new password ends every other session, recorded
 * or not.
 */
export class UserSessions {
  readonly #store: SessionStore;
  readonly #table: UserSessionsTable;
  readonly #share: PoolShare;
  readonly #logger: UserSessionsOptions['logger'];
  /** The entries for the next write, by session key. */
  readonly #waiting = new Map<string, Sighting>();
  readonly #ended = new Set<string>();
  /** The user of each key recorded since `#since`; these are not written again within SEEN_EVERY. */
  #seen = new Map<string, string>();
  #since = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #writes = 0;
  #warnedAt = Number.NEGATIVE_INFINITY;
  #restUntil = Number.NEGATIVE_INFINITY;

  /** @throws ImproperlyConfigured for a store without rows on this knex instance */
  constructor(knex: Knex, options: UserSessionsOptions) {
    checkKnex('new UserSessions()', knex);
    checkSettings(
      'new UserSessions()',
      options?.settings,
      'SECRET_KEY',
      'SECRET_KEY_FALLBACKS',
      'SESSION_TABLE',
      'AUTH_USER_MODEL',
    );
    checkStore('new UserSessions()', options);
    const { settings, store, now, timeout, logger } = options;
    checkLogger('new UserSessions()', logger);
    if (store.database !== knex)
      throw new ImproperlyConfigured(store.database === undefined ? NO_ROWS : OTHER_DATABASE);
    this.#store = store;
    this.#table = new UserSessionsTable(knex, settings, now);
    this.#share = new PoolShare(knex, timeout);
    this.#logger = logger;
  }

  /**
   * Records the user of each session after the request. Mount it inside `authentication`. Requests neither wait for it
   * nor fail because of it.
   */
  readonly middleware: Middleware = async (ctx, next) => {
    const before = loginOf(ctx);
    if (before !== null) this.#see(ctx, before);
    try {
      await next();
    } finally {
      this.#compare(ctx, before);
    }
  };

  /**
   * The sessions of this user, the last seen first.
   *
   * @param current the session of the request, which is marked
   * @param deadline from `requestDeadline(ctx)`; one of its own when absent
   * @throws StoreUnavailable when the database does not answer; SchemaMismatch without the migration
   */
  async sessionsOf(user: UserId, current?: CurrentSession, deadline?: Deadline): Promise<readonly UserSession[]> {
    checkUser('sessionsOf()', user);
    checkCurrent('sessionsOf()', current);
    const entries = await this.#entries(user, deadline);
    return entries.map(({ session_key, ...entry }) => ({ ...entry, isCurrent: session_key === current?.session_key }));
  }

  /**
   * End one session of this user, here and in Django. A concurrent request of the session gets 400 when it saves.
   *
   * @param id of a UserSession
   * @param deadline from `requestDeadline(ctx)`; when absent, each statement has one of its own
   * @returns false if this user has no such session
   * @throws StoreUnavailable; the session may still exist
   */
  async revoke(user: UserId, id: string, deadline?: Deadline): Promise<boolean> {
    checkUser('revoke()', user);
    const ended = (await this.#entries(user, deadline)).filter((entry) => entry.id === id);
    await this.#end(ended, deadline);
    return ended.length > 0;
  }

  /**
   * End all sessions of this user except the current one; without `current`, all. Sessions without a request here are
   * not known.
   *
   * @param deadline from `requestDeadline(ctx)`; when absent, each statement has one of its own
   * @returns the number of ended sessions
   * @throws StoreUnavailable; some may still exist
   */
  async revokeOthers(user: UserId, current?: CurrentSession, deadline?: Deadline): Promise<number> {
    checkUser('revokeOthers()', user);
    checkCurrent('revokeOthers()', current);
    const others = (await this.#entries(user, deadline)).filter(
      ({ session_key }) => session_key !== current?.session_key,
    );
    await this.#end(others, deadline);
    return others.length;
  }

  /** Write waiting entries now. Never rejects. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size === 0 && this.#ended.size === 0) return;
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  /** Write waiting entries, before the database is closed. */
  close(): Promise<void> {
    return this.flush();
  }

  async #entries({ id }: UserId, ofRequest: Deadline | undefined): Promise<readonly Entry[]> {
    const deadline = this.#share.deadline(ofRequest);
    // Include the entries that this process has not written yet.
    await inTime(this.flush(), deadline);
    return this.#share.run(() => this.#table.entries(String(id)), deadline);
  }

  /** Sequentially: each may wait for a row's lock, and together they must not occupy the pool. */
  async #end(entries: readonly Entry[], deadline: Deadline | undefined): Promise<void> {
    for (const { session_key } of entries) {
      await this.#store.delete(session_key, deadline);
      this.#forget(session_key);
    }
  }

  /** The login after the request: unchanged, under another key, or none. */
  #compare(ctx: Context, before: Login | null): void {
    const session = sessionOf(ctx);
    if (before !== null && !session.modified && session.session_key === before.session_key) return;
    const after = holdsUser(session) ? loginOf(ctx) : null;
    if (before !== null && before.session_key !== after?.session_key) {
      const isSameUser = before.user_id === after?.user_id;
      if (after !== null && isSameUser) this.#waiting.delete(before.session_key);
      // Do not end a row that this request has left to others.
      else if (!session.isMissing()) this.#forget(before.session_key);
      if (after !== null) this.#see(ctx, after, isSameUser ? before.session_key : null);
    } else if (after !== null) this.#see(ctx, after);
  }

  #see(ctx: Context, { session_key, user_id }: Login, formerKey: string | null = null): void {
    const now = performance.now() / 1000;
    if (now - this.#since > SEEN_EVERY || this.#seen.size >= MOST_REMEMBERED) {
      // A new Map, because a cleared one keeps its large hash tables.
      this.#seen = new Map();
      this.#since = now;
    }
    if (this.#seen.get(session_key) === user_id || this.#waiting.size >= MOST_WAITING || now < this.#restUntil) return;
    this.#seen.set(session_key, user_id);
    const user_agent = ctx.get('User-Agent').slice(0, LONGEST_USER_AGENT);
    this.#waiting.set(session_key, { session_key, user_id, user_agent, address: addressNetwork(ctx.ip), formerKey });
    this.#schedule();
  }

  #forget(session_key: string): void {
    this.#seen.delete(session_key);
    this.#waiting.delete(session_key);
    if (this.#ended.size >= MOST_WAITING) return;
    this.#ended.add(idOf(session_key));
    this.#schedule();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_AFTER * 1000).unref();
  }

  async #write(): Promise<void> {
    const sightings = [...this.#waiting.values()];
    const ended = [...this.#ended];
    this.#waiting.clear();
    this.#ended.clear();
    try {
      await this.#table.remove(ended);
      await this.#table.note(sightings);
      this.#writes += 1;
      if (this.#writes % PRUNE_EVERY === 0) await this.#table.prune();
    } catch (error) {
      // Their next request records them again.
      for (const { session_key } of sightings) this.#seen.delete(session_key);
      this.#warn(error);
    }
  }

  #warn(error: unknown): void {
    const now = performance.now() / 1000;
    const isMissing = error instanceof SchemaMismatch;
    if (isMissing) this.#restUntil = now + WARN_EVERY;
    if (now - this.#warnedAt < WARN_EVERY) return;
    this.#warnedAt = now;
    const message = isMissing ? error.message : 'Sessions could not be noted, and lists of them may lack some.';
    this.#logger?.warn({ logger: 'koa-django-session', err: errorFields(error) }, message);
  }
}

const NO_ROWS =
  'UserSessions finds sessions by a table beside theirs, and ends them by deleting their rows: it needs SESSION_ENGINE db or cached_db. Sessions of cache, file, memory and signed_cookies cannot be listed.';
const OTHER_DATABASE = 'UserSessions and the store of sessions need the same knex instance.';

/** A user's session in a request. */
interface Login {
  readonly session_key: string;
  readonly user_id: string;
}

/** null for an anonymous request, and if the user was not looked up. Does not count as an access to the session. */
function loginOf(ctx: Context): Login | null {
  const { session_key } = sessionOf(ctx);
  const { user } = stateOf(ctx);
  if (session_key === null || user === undefined || !user.is_authenticated) return null;
  const user_id = String(user.id);
  // A value that PostgreSQL cannot store would fail its whole batch.
  return user_id.includes('\0') || !isWellFormed(user_id) ? null : { session_key, user_id };
}

/** Whether the session still has a login: `clear()` keeps key and row. Does not count as an access. */
function holdsUser(session: Session): boolean {
  const { accessed } = session;
  try {
    return session.has_key(SESSION_KEY);
  } catch {
    // The store was unavailable, and the page did not need it.
    return false;
  } finally {
    session.accessed = accessed;
  }
}
