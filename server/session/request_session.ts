/** The session of a request: with the request's deadline, and waited for by the answer. */
import type { Context } from 'koa';
import type { Deadline } from '../db/deadline.js';
import { ValueError } from '../errors.js';
import type { Failure } from '../http/body_stream.js';
import { headSent } from '../http/head.js';
import { checkOptions } from '../settings/given.js';
import type { SavedExpiry } from './change.js';
import type { SessionDictionary } from './dictionary.js';
import { checkMustCreate } from './given.js';
import { NEW_KEY, type NewKeyOptions } from './new_key.js';
import type { SessionOptions } from './options.js';
import { earlierDeadline } from './request_deadline.js';
import { Session } from './session.js';
import type { DeclaredData, SessionItems } from './session_data.js';
import { DEADLINE, type SessionStore } from './store.js';
import { TAKE_OUT } from './take_out.js';
import { Unheard } from './unheard.js';
import { EXPECT_OUTSIDE } from './write_lock.js';

const NO_NEW_KEY =
  'The answer has begun, so a new session key cannot reach the browser any more. Do this, or call `await commitSession(ctx)`, before the answer begins.';

const NO_COOKIE =
  'The answer has begun, so the cookie that holds the session cannot be changed any more. Do this, and call `await commitSession(ctx)`, before the answer begins.';

/** The session of a request. It refuses a new key once the answer has begun, because its cookie could not be sent. */
export class RequestSession extends Session {
  readonly #ctx: Context;
  readonly #store: SessionStore;
  readonly #earlier: Deadline | undefined;
  #deadline: Deadline | undefined;
  /** The handler's writes that are under way; absent until there is one. */
  #writes: Set<Promise<unknown>> | undefined;
  #flushes = 0;
  #isReleased = false;
  /** Absent until the handler writes. */
  #unheard: Unheard | undefined;

  /** @param outer the session outside of this one, of another cookie */
  constructor(ctx: Context, options: SessionOptions, session_key: string | undefined, outer?: Session) {
    super(options, session_key);
    this.#ctx = ctx;
    this.#store = options.store;
    this.#earlier = outer?.[DEADLINE] ?? earlierDeadline(ctx);
  }

  /** One request has one deadline, with the bound of the engine that is asked first. */
  override get [DEADLINE](): Deadline | undefined {
    this.#deadline ??= boundedBy(this.#store.deadline?.(), this.#earlier);
    return this.#deadline;
  }

  /**
   * @throws ValueError when the answer has begun and there is no row; nothing was changed then. At once, without a promise, for
   *   a callback, which other code may wait for
   */
  override save(must_create = false): Promise<SavedExpiry> {
    checkMustCreate(must_create);
    return this.#untilDone(() => super.save(must_create));
  }

  /** @throws ValueError when the answer has begun; nothing was changed then */
  override create(): Promise<SavedExpiry> {
    return this.#untilDone(() => super.create());
  }

  /** @throws ValueError when the answer has begun; nothing was changed then */
  override cycle_key(options: NewKeyOptions = {}): Promise<void> {
    return this.#untilDone(() => {
      this.#refuseWhenBegun();
      return super.cycle_key(options);
    });
  }

  override atomic<T>(change: (fresh: SessionDictionary<DeclaredData> & SessionItems) => T | Promise<T>): Promise<T> {
    return this.#untilDone(() => super.atomic(change));
  }

  override [TAKE_OUT](key: string): Promise<unknown> {
    return this.#untilDone(() => super[TAKE_OUT](key));
  }

  override flush(options: { readonly keepRow?: boolean } = {}): Promise<void> {
    return this.#untilDone(() => {
      checkOptions('flush()', options);
      return this.#flush(options);
    }, options?.keepRow !== true);
  }

  async #flush(options: { readonly keepRow?: boolean }): Promise<void> {
    await super.flush(options);
    if (options.keepRow !== true) this.#flushes += 1;
  }

  /** How often the session was flushed, so that its cookie has to go. */
  get flushes(): number {
    return this.#flushes;
  }

  /**
   * Resolves when the writes that are under way now are done. The handler may not await them, and without the cookie of a new
   * key the browser would have no session. Undefined if there are none.
   */
  get unfinished(): Promise<unknown> | undefined {
    return this.#writes === undefined || this.#writes.size === 0 ? undefined : Promise.allSettled(this.#writes);
  }

  /** What is given to the handler, which may neither await nor catch it. */
  get unheard(): Unheard {
    this.#unheard ??= new Unheard();
    return this.#unheard;
  }

  /** The first failure of that which the handler has not asked for. */
  unheardFailure(): Failure {
    return this.#unheard?.first();
  }

  /** The answer waits for no more writes. From now on one that fails and is not awaited ends the process, as any promise does. */
  release(): void {
    this.#isReleased = true;
  }

  /** Has the answer wait for the write. What is refused at once is the programmer's fault, and is not left to the answer. */
  #untilDone<T>(write: () => Promise<T>, needsCookie = true): Promise<T> {
    let work: Promise<T>;
    try {
      this[EXPECT_OUTSIDE]();
      if (needsCookie) this.#refuseLateCookie();
      work = write();
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#isReleased) return work;
    this.#writes ??= new Set();
    const writes = this.#writes.add(work);
    const done = (): unknown => writes.delete(work);
    work.then(done, done);
    return this.unheard.give(work);
  }

  protected override [NEW_KEY](): void {
    this.#refuseWhenBegun();
  }

  /** Where the cookie is the session itself, each write needs a new one. */
  #refuseLateCookie(): void {
    if (!headSent(this.#ctx)) return;
    try {
      // The access that reads the cookie.
      this.has_key('');
    } catch {
      // The store's error is the write's own.
    }
    if (this.isInCookie) throw new ValueError(NO_COOKIE);
  }

  #refuseWhenBegun(): void {
    if (headSent(this.#ctx)) throw new ValueError(NO_NEW_KEY);
  }
}

function boundedBy(own: Deadline | undefined, earlier: Deadline | undefined): Deadline | undefined {
  return earlier === undefined || own === undefined ? (earlier ?? own) : earlier.boundBy(own.total);
}
