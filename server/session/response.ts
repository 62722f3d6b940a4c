/** Saves a session and sends its cookie (SessionMiddleware.process_response), also for answers that begin early. */
import type { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { Clock } from '../clock.js';
import { ImproperlyConfigured, SessionInterrupted, UpdateError } from '../errors.js';
import { type AnyContext, checkContext } from '../http/application.js';
import { type Failure, isStream, watchBody } from '../http/body_stream.js';
import { resendCookies, startCookieAnew } from '../http/cookies.js';
import { beforeHead, type HeadWork, headSent } from '../http/head.js';
import { OwnState } from '../http/own_state.js';
import { patch_vary_headers } from '../http/vary.js';
import type { Settings } from '../settings.js';
import type { SavedExpiry } from './change.js';
import { mayDeleteDeadCookie } from './dead_cookie.js';
import type { RequestSession } from './request_session.js';
import type { Session } from './session.js';
import { DELETION, type SessionCookie, sessionCookie, setSessionCookie } from './session_cookie.js';
import type { SessionStore } from './store.js';
import { untilOver } from './waiters.js';
import { EXPECT_OUTSIDE } from './write_lock.js';

const NOT_KEPT =
  'The answer began before the cookie of a new session was set, so the session was not kept. Call `await commitSession(ctx)` before the answer begins.';

export interface SessionResponseOptions {
  readonly settings: Settings;
  readonly store: SessionStore;
  readonly now?: Clock;
  /** Called when a new session is lost because the answer began before its cookie was set. */
  readonly warn: (message: string) => void;
}

/**
 * Saves one request's session and sets its cookie. Four states:
 *
 * - open: the handlers run. If the head of the answer is written now, it gets Vary and the cookie of an existing row; a
 *   save is asynchronous, and the head cannot wait for it.
 * - finished: the handlers have returned; row, cookie and Vary are done.
 * - handed over: the handlers have returned, and other code writes the answer to `ctx.res` (`ctx.respond` is false; a proxy
 *   that is not awaited). It may overwrite every header, so cookies and Vary are set again when the head is written. Changes
 *   until the end of the answer are saved then.
 * - failed: an error was thrown. Koa's error handler removes the headers, and so does `exceptions` outside, so they are set
 *   again when the head is written. They are never added to the error, because two requests may share one error object.
 */
export class SessionResponse implements HeadWork {
  readonly session: RequestSession;
  readonly options: SessionResponseOptions;
  readonly #ctx: Context;
  #state: 'open' | 'finished' | 'handed over' | 'failed' = 'open';
  #cookie: SessionCookie | undefined;
  /** The one whose header was set. */
  #set: SessionCookie | undefined;
  /** How often the session had been flushed when its cookie was set. */
  #flushes = 0;
  #varies = false;
  #committed = false;
  /** Whether a save of this response has written the row. */
  #saved = false;
  #committing: Promise<void> | undefined;

  constructor(ctx: Context, session: RequestSession, options: SessionResponseOptions) {
    this.#ctx = ctx;
    this.session = session;
    this.options = options;
    beforeHead(ctx, this);
  }

  /**
   * Waits for what the handlers have begun and do not await; undefined if there is nothing, as for most requests. Rejects
   * with a failure that nobody has asked for, because an answer that says nothing of it would be wrong.
   */
  settle(): Promise<void> | undefined {
    if (this.#unfinished() !== undefined) return untilOver(() => this.#unfinished()).then(() => this.settle());
    const { failure } = this;
    return failure === undefined ? undefined : Promise.reject(failure.error);
  }

  /** What has failed and nobody has asked for. */
  get failure(): Failure {
    const failure = this.session.unheardFailure();
    return failure === undefined ? undefined : { error: interrupted(failure.error) };
  }

  #unfinished(): Promise<unknown> | undefined {
    return this.session.unfinished ?? this.#committing?.catch(() => {});
  }

  /** The handlers have returned. Undefined if there is nothing to save, as for most pages. */
  finish(): Promise<void> | undefined {
    this.session.release();
    const { res, respond } = this.#ctx;
    if (respond === false && res !== undefined && !res.writableEnded) return this.#handOver();
    this.#state = 'finished';
    return this.#isTouched() ? this.#keep(statusOf(this.#ctx)) : undefined;
  }

  async #handOver(): Promise<void> {
    this.#state = 'handed over';
    const over = new Promise((resolve) => this.#ctx.res.once('close', resolve));
    if (this.#isTouched()) await this.#keep(statusOf(this.#ctx));
    // Not awaited: the answer may never end.
    void over.then(() => this.#saveRest()).catch((error: unknown) => this.#ctx.app.emit('error', error, this.#ctx));
  }

  /** Saves what was changed after the handlers returned, while other code wrote the answer. */
  async #saveRest(): Promise<void> {
    const { session } = this;
    if (!session.modified || !this.#wantsSave() || statusOf(this.#ctx) >= 500) return;
    if (session.alreadyWritten(true) !== null) return;
    if (this.#hasRow()) await save(session);
    else this.options.warn(NOT_KEPT);
  }

  /** An error was thrown, which will be answered with `status`. */
  async fail(status: number): Promise<void> {
    await untilOver(() => this.#unfinished());
    this.session.release();
    this.#state = 'failed';
    if (this.#isTouched()) await this.#keep(status);
  }

  /** See `commitSession`. Concurrent calls run one after the other, so that a new session gets one row. */
  commit(): Promise<void> {
    this.session[EXPECT_OUTSIDE]();
    // Not what is begun later, which may wait for this.
    const committing = this.#commitAfter(this.#committing, this.session.unfinished);
    this.#committing = committing;
    const over = (): void => {
      if (this.#committing === committing) this.#committing = undefined;
    };
    committing.then(over, over);
    return this.session.unheard.give(committing);
  }

  async #commitAfter(before: Promise<void> | undefined, unfinished: Promise<unknown> | undefined): Promise<void> {
    await before?.catch(() => {});
    await unfinished;
    const { session } = this;
    if (this.#isTouched()) await this.#keep(statusOf(this.#ctx));
    // What the request changed while the save ran is saved by the next commit, or after the handlers. So is the cookie of what
    // an `atomic` has written into it meanwhile (engine signed_cookies).
    const isTold = this.#cookie?.session_key === session.session_key;
    if (this.#saved) session.modified = !isTold || session.alreadyWritten(true) === null;
    this.#committed = true;
  }

  /** Whether the answer depends on the session or the session is to be saved. */
  #isTouched(): boolean {
    const { session } = this;
    return session.accessed || session.modified || this.options.settings.SESSION_SAVE_EVERY_REQUEST || this.#isDead();
  }

  /** Whether the browser sent a cookie and the session is empty: the cookie is to be deleted. */
  #isDead(): boolean {
    return this.session.is_empty() && this.#hasCookie();
  }

  /** Whether to save the row and to send the cookie. */
  #wantsSave(): boolean {
    const { session } = this;
    const { SESSION_SAVE_EVERY_REQUEST, SESSION_SAVE_UNCHANGED_AFTER } = this.options.settings;
    const wanted = session.modified || (SESSION_SAVE_EVERY_REQUEST && !this.#committed);
    if (!wanted || session.is_empty()) return false;
    if (!session.modified && session.hasUnreadableRow) return false;
    return SESSION_SAVE_UNCHANGED_AFTER === 0 || !session.wasSavedWithin(SESSION_SAVE_UNCHANGED_AFTER);
  }

  /** Delete the browser's cookie, unless the answer may arrive after a login's (dead_cookie.ts). */
  #forget(): void {
    if (!this.session.isMissing() || mayDeleteDeadCookie(this.#ctx)) this.#cookie = DELETION;
    else this.#varies = true;
  }

  /** Whether a save would change a row whose key the browser already has. */
  #hasRow(): boolean {
    // The first access drops the key of a missing row.
    this.session.has_key('');
    const { session_key, hasUnreadableRow, isInCookie } = this.session;
    return session_key !== null && !hasUnreadableRow && !isInCookie;
  }

  /**
   * The cookie of what was flushed since is deleted, until another one is set: that which `commitSession` has set, and the
   * browser's own, also by an answer that saves nothing. With engine signed_cookies it would still be logged in.
   */
  #withdrawFlushed(): void {
    if (this.#flushes === this.session.flushes) return;
    this.#flushes = this.session.flushes;
    if (this.#cookie !== undefined || this.#hasCookie()) this.#cookie = DELETION;
  }

  #hasCookie(): boolean {
    return this.#ctx.request.COOKIES.has(this.options.settings.SESSION_COOKIE_NAME);
  }

  async #keep(status: number): Promise<void> {
    const { session } = this;
    this.#withdrawFlushed();
    if (this.#isDead()) {
      this.#forget();
      this.#setHeaders();
      return;
    }
    // Before saving, because a save sets `accessed`, which must not add Vary to the answer.
    this.#varies ||= session.accessed;
    this.#setHeaders();
    if (!this.#wantsSave()) return;
    // A login has already written the row under a new key. Also an answer of 5xx sends it, or the session would be lost.
    const written = session.alreadyWritten(status < 500);
    if (written !== null && !headSent(this.#ctx)) this.#tell(session.session_key, written);
    if (written !== null || status >= 500) return;
    const { res, body } = this.#ctx;
    if (headSent(this.#ctx) && !this.#hasRow()) {
      // Without other changes, only the renewal by SESSION_SAVE_EVERY_REQUEST is lost.
      if (session.modified) this.options.warn(NOT_KEPT);
    } else await (res !== undefined && isStream(body) ? this.#saveBeside(body) : this.#save());
  }

  async #save(): Promise<void> {
    const { session } = this;
    const before = session.session_key;
    let saved: SavedExpiry;
    try {
      saved = await save(session);
    } catch (error) {
      this.#tellLogin(error);
      if (this.#cookie === DELETION) this.#state = 'failed';
      throw error;
    }
    this.#saved = true;
    if (!headSent(this.#ctx)) this.#tell(session.session_key, saved);
    else if (session.session_key !== before) {
      // The answer began while the row was created.
      if (!session.isInCookie) await session.flush();
      this.options.warn(NOT_KEPT);
    }
  }

  /** The answer to a failed save has the cookie of a key that was written before, as by a login: its old row is gone. */
  #tellLogin(error: unknown): void {
    const { session } = this;
    const written = error instanceof SessionInterrupted ? null : session.alreadyWritten(false);
    if (written === null || headSent(this.#ctx)) return;
    this.#tell(session.session_key, written);
    this.#state = 'failed';
  }

  #tell(session_key: string | null, { max_age }: SavedExpiry): void {
    if (session_key === null) return;
    this.#cookie = sessionCookie(session_key, max_age, this.options.now);
    this.#flushes = this.session.flushes;
    this.#setHeaders();
  }

  async #saveBeside(body: Readable): Promise<void> {
    const end = watchBody(body);
    let failure: Failure;
    try {
      await this.#save();
    } finally {
      failure = end();
    }
    // Koa 2 has its own listener, and has answered already.
    if (failure === undefined || headSent(this.#ctx)) return;
    this.#state = 'failed';
    throw failure.error;
  }

  /** The head of the answer is about to be written. */
  atHead(): void {
    if (this.#state === 'failed') this.#setHeaders();
    else if (this.#state !== 'finished') this.#begin();
    if (this.#state === 'handed over') resendCookies(this.#ctx);
  }

  /** The answer begins before the handlers have returned. */
  #begin(): void {
    const { session } = this;
    if (!this.#isTouched()) return;
    this.#withdrawFlushed();
    this.#varies ||= session.accessed;
    if (this.#isDead()) this.#forget();
    else if (this.#wantsSave()) this.#cookie = this.#cookieBeforeSave() ?? this.#cookie;
    this.#setHeaders();
  }

  /** The cookie of an existing row, with the expiry that the save at the end will write. */
  #cookieBeforeSave(): SessionCookie | undefined {
    const { session } = this;
    try {
      if (!this.#hasRow() || session.session_key === null) return undefined;
      if (statusOf(this.#ctx) >= 500 && session.alreadyWritten(false) === null) return undefined;
      const max_age = session.get_expire_at_browser_close() ? null : session.get_expiry_age();
      return sessionCookie(session.session_key, max_age, this.options.now);
    } catch {
      // The store was unavailable. The save at the end reports that; an error here would break the head.
      return undefined;
    }
  }

  /** Set the answer's cookie and Vary, unless it has begun. */
  #setHeaders(): void {
    if (headSent(this.#ctx)) return;
    const cookie = this.#cookie;
    const { response } = this.#ctx;
    // Django sets it once. Here the Max-Age of a deletion, or of a first commit, would stay with the next one.
    if (this.#set !== undefined && this.#set !== cookie) {
      startCookieAnew(response, this.options.settings.SESSION_COOKIE_NAME);
    }
    this.#set = cookie;
    if (cookie !== undefined) setSessionCookie(response, this.options.settings, cookie);
    if (this.#varies || cookie !== undefined) patch_vary_headers(this.#ctx, 'Cookie');
  }
}

/** A WebSocket's context has no response (koa-websocket), so no status and no headers. */
const statusOf = (ctx: Context): number => (ctx.res === undefined ? 200 : ctx.res.statusCode);

async function save(session: Session): Promise<SavedExpiry> {
  try {
    return await session.save();
  } catch (error) {
    throw interrupted(error);
  }
}

/** A row that is gone was deleted by another request. Other errors are returned as they are. */
function interrupted(error: unknown): unknown {
  if (!(error instanceof UpdateError)) return error;
  return new SessionInterrupted(
    "The request's session was deleted before the request completed. The user may have logged out in a concurrent request, for example.",
    { cause: error },
  );
}

const RESPONSE = new OwnState<SessionResponse>('session');

/** The innermost session at this point of the request; undefined outside of `sessions`. */
export function sessionResponseOf(ctx: Context): SessionResponse | undefined {
  return RESPONSE.of(ctx);
}

export function setSessionResponse(ctx: Context, response: SessionResponse): void {
  RESPONSE.set(ctx, response);
}

/**
 * Saves the session now and sets its cookie, for a handler that writes the answer itself (`ctx.res`, an event stream,
 * `ctx.flushHeaders()`, a renderer or proxy with `ctx.res`). Call it before the answer begins:
 *
 * ```ts
 * ctx.session['cart'] = cart;
 * await commitSession(ctx);
 * ctx.respond = false;
 * ctx.res.writeHead(200, { 'Content-Type': 'text/event-stream' });
 * ```
 *
 * Later changes are saved after the handler. Only a new key (a login, a first session) needs this call, because its cookie
 * cannot be sent after the answer has begun.
 *
 * @throws ImproperlyConfigured outside of `sessions`; SessionInterrupted and StoreUnavailable as a save at the end
 */
export function commitSession(ctx: AnyContext): Promise<void> {
  try {
    checkContext('commitSession()', ctx);
    const response = sessionResponseOf(ctx);
    if (response === undefined) {
      const message = 'commitSession(ctx) needs sessions: app.use(sessions(app, …)) comes first.';
      throw new ImproperlyConfigured(RESPONSE.absence(ctx, message));
    }
    return response.commit();
  } catch (error) {
    return Promise.reject(error);
  }
}
