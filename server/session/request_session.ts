/** The session of a request: with the request's deadline, and waited for by the answer. */
import type { Context } from 'koa';
import type { Deadline } from '../db/deadline.js';
import { ValueError } from '../errors.js';
import { headSent } from '../http/head.js';
import { checkOptions } from '../settings/given.js';
import type { SavedExpiry } from './change.js';
import type { SessionDictionary } from './dictionary.js';
import { NEW_KEY, type NewKeyOptions } from './new_key.js';
import type { SessionOptions } from './options.js';
import { earlierDeadline } from './request_deadline.js';
import { Session } from './session.js';
import type { DeclaredData, SessionItems } from './session_data.js';
import { DEADLINE, type SessionStore } from './store.js';
import { Waiters } from './waiters.js';

const NO_NEW_KEY =
  'The answer has begun, so a new session key cannot reach the browser any more. Do this, or call `await commitSession(ctx)`, before the answer begins.';

/** The session of a request. It refuses a new key once the answer has begun, because its cookie could not be sent. */
export class RequestSession extends Session {
  readonly #ctx: Context;
  readonly #store: SessionStore;
  readonly #earlier: Deadline | undefined;
  #deadline: Deadline | undefined;
  /** How many writes are under way. */
  #writing = 0;
  readonly #written = new Waiters();
  #flushes = 0;

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

  /** @throws ValueError when the answer has begun and there is no row; nothing was changed then */
  override async save(must_create = false): Promise<SavedExpiry> {
    // As `#untilDone`, without a function and a promise more: most requests that write call it once.
    this.#writing += 1;
    try {
      return await super.save(must_create);
    } finally {
      this.#done();
    }
  }

  /** @throws ValueError when the answer has begun; nothing was changed then */
  override async create(): Promise<SavedExpiry> {
    return this.#untilDone(() => super.create());
  }

  /** @throws ValueError when the answer has begun; nothing was changed then */
  override async cycle_key(options: NewKeyOptions = {}): Promise<void> {
    this.#refuseWhenBegun();
    await this.#untilDone(() => super.cycle_key(options));
  }

  override async atomic<T>(
    change: (fresh: SessionDictionary<DeclaredData> & SessionItems) => T | Promise<T>,
  ): Promise<T> {
    return this.#untilDone(() => super.atomic(change));
  }

  override async flush(options: { readonly keepRow?: boolean } = {}): Promise<void> {
    checkOptions('flush()', options);
    if (options.keepRow !== true) this.#flushes += 1;
    await this.#untilDone(() => super.flush(options));
  }

  /** How often the session was flushed. */
  get flushes(): number {
    return this.#flushes;
  }

  /**
   * Resolves when the writes that the handler does not await are done: without the cookie of a new key the browser would have
   * no session. Undefined if there are none.
   */
  get unfinished(): Promise<void> | undefined {
    return this.#writing === 0 ? undefined : this.#written.wait();
  }

  async #untilDone<T>(write: () => Promise<T>): Promise<T> {
    this.#writing += 1;
    try {
      return await write();
    } finally {
      this.#done();
    }
  }

  #done(): void {
    this.#writing -= 1;
    if (this.#writing === 0) this.#written.wake();
  }

  protected override [NEW_KEY](): void {
    this.#refuseWhenBegun();
  }

  #refuseWhenBegun(): void {
    if (headSent(this.#ctx)) throw new ValueError(NO_NEW_KEY);
  }
}

function boundedBy(own: Deadline | undefined, earlier: Deadline | undefined): Deadline | undefined {
  return earlier === undefined || own === undefined ? (earlier ?? own) : earlier.boundBy(own.total);
}
