/** `request.session`: a dictionary with a row behind it (django.contrib.sessions.backends.base and .db). */
import { type Clock, systemClock } from '../clock.js';
import { UpdateError, ValueError } from '../errors.js';
import { BAD_EXPIRY, type Change, changeOf, type SavedExpiry } from './change.js';
import { DOCUMENT, IS_GONE, pairsOf, type SessionDictionary } from './dictionary.js';
import { Document, type MemberTexts, sameTexts } from './document.js';
import { changed, changedInTime, type FreshChange } from './fresh_dictionary.js';
import { checkMustCreate } from './given.js';
import { reserveNames } from './item_access.js';
import { isStorable, newSessionKey, validSessionKey } from './key.js';
import { KnownRow } from './known_row.js';
import { mergeMembers, mergeTexts } from './merge.js';
import { mergeIntoRow } from './merge_row.js';
import { modifyRow, moveRow, replaceOrModifyRow } from './modify_row.js';
import { companionOf, NEW_KEY, type NewKeyOptions, tryNewKeys } from './new_key.js';
import type { SessionOptions } from './options.js';
import { type Baseline, isSavedWithin, readRow, theirsOf } from './row.js';
import { SessionBase } from './session_base.js';
import type { DeclaredData, SessionItems } from './session_data.js';
import { type Companion, DEADLINE } from './store.js';
import { TAKE_OUT } from './take_out.js';
import { type Write, WritesUnderway } from './underway.js';
import { CHANGED_INSIDE } from './unsaved.js';
import { EXPECT_OUTSIDE, WriteLock } from './write_lock.js';

/** Item access, where item_access.ts wraps the session as the middleware does. */
export interface Session extends SessionItems {}

/**
 * One visitor's session. Once `load` has resolved, the dictionary's methods are synchronous; methods that touch the store
 * return a promise. A save never overwrites what another request wrote in the meantime, and never creates a deleted row again.
 *
 * ```ts
 * ctx.session.set('visits', Number(ctx.session.get('visits', 0)) + 1);
 * ctx.session.set_expiry({ days: 30 });
 * const left = await ctx.session.atomic((fresh) => {
 *   const tickets = Number(fresh.get('tickets', 5)) - 1;
 *   fresh.set('tickets', tickets);
 *   return tickets;
 * });
 * ```
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class alone cannot have the members that an application declares
export class Session extends SessionBase {
  readonly #options: SessionOptions;
  readonly #now: Clock;
  #row: KnownRow;
  /** Absent until the first access. Until then the session keeps the cookie's key, even if no row has it. */
  #document: Document | undefined;
  /** Whether this request generated the key, so that the browser does not have it yet. */
  #hasNewKey = false;
  /** The writes that run now. What a write brings is dropped if the session was flushed, or took a new key, meanwhile. */
  readonly #underway = new WritesUnderway();
  /** Held by save, create and cycle_key, so that the next call sees the row and the key of the one before. */
  readonly #writing = new WriteLock();
  /** Held by an `atomic` without a row, which creates one: others wait, to see it. */
  readonly #creating = new WriteLock();

  /** @param session_key the cookie's value, where many sessions share one options object */
  constructor(options: SessionOptions, session_key: string | null | undefined = options.session_key) {
    super(options);
    this.#options = options;
    this.#now = options.now ?? systemClock;
    this.#row = new KnownRow(validSessionKey(session_key));
  }

  /** The key in cookie and row; null while there is none. Shows the cookie's value until the first access. */
  override get session_key(): string | null {
    return this.#row.session_key;
  }

  /**
   * Whether the row has a good signature and is unreadable here: too large, too deep, or no dictionary. The session is then
   * empty, and a save creates another row under a new key.
   */
  get hasUnreadableRow(): boolean {
    this.#document ??= this.#row.open(this.#options);
    return this.#row.isUnreadable;
  }

  /** Whether the cookie's value is the session itself (engine signed_cookies), so that each save changes it. */
  get isInCookie(): boolean {
    return this.#row.isInCookie;
  }

  /** Whether there is neither a key nor a value. */
  is_empty(): boolean {
    return this.#row.session_key === null && (this.#document?.size ?? 0) === 0;
  }

  /**
   * Read the row, once; the middleware does so before the handler runs. Without a key there is no query. Never rejects: when
   * the store fails, the first access throws the StoreUnavailable, so that a page without access is served.
   */
  async load(): Promise<void> {
    const { session_key } = this.#row;
    if (session_key === null || this.#document !== undefined) return;
    this.#options.observe?.('load');
    await this.#row.load(this.#options.store, session_key, this[DEADLINE]);
  }

  protected override get [DOCUMENT](): Document {
    this.accessed = true;
    this.#document ??= this.#row.open(this.#options);
    return this.#document;
  }

  /** Whether no row has the cookie's key. Does not set `accessed`. */
  isMissing(): boolean {
    return this.#row.isMissing;
  }

  /** Whether the row is missing and nothing was set since. */
  protected override [IS_GONE](): boolean {
    return this.#document === undefined && this.isMissing();
  }

  /** Remove everything at once. The row stays; the empty dictionary is saved into it. */
  override clear(): void {
    // The access comes first, so that a save knows which text it replaces.
    this.#document = this[DOCUMENT].size > 0 ? Document.empty() : this[DOCUMENT];
    this.modified = true;
  }

  /** Take a new key and add a row with the dictionary's values, if there are any. A row under the old key stays. */
  async create(): Promise<SavedExpiry> {
    return this.#writing.hold(() => this.#create());
  }

  async #create(): Promise<SavedExpiry> {
    await this.#underway.over();
    const saved = await this.#createRow();
    this.#underway.forgetAll();
    return saved;
  }

  /** An `atomic` without a row may go on meanwhile: it changes what this creates. */
  async #createRow(): Promise<SavedExpiry> {
    this.#document ??= Document.empty();
    this.accessed = true;
    const saved = await this.#withNewKey((session_key) => this.#insert(session_key));
    this.modified = true;
    return saved;
  }

  /**
   * Write the row and return the expiry that was written. Without a key, and where the row cannot be read, it creates a row
   * under a new key. Calls at the same time run one after another.
   *
   * @param must_create add the row under this session's key, and fail if there is one
   * @throws UpdateError when the row is gone (a logout, an expiry): it is not created again. Also when another request has
   *   made the row unreadable here: it cannot be merged, and overwriting it could restore an ended login
   * @throws CreateError when `must_create` is set and the key is taken
   */
  async save(must_create = false): Promise<SavedExpiry> {
    checkMustCreate(must_create);
    return this.#writing.hold(() => this.#save(must_create));
  }

  async #save(must_create: boolean): Promise<SavedExpiry> {
    if (must_create) this.#document ??= Document.empty();
    const document = this[DOCUMENT];
    const session_key = this.#row.session_key;
    if (session_key === null || (this.#row.isUnreadable && !must_create)) return this.#createRow();
    const base = this.#row.baseline;
    if (must_create || base === undefined) return this.#insert(session_key);
    const mine = this.#change(document.texts());
    return this.#underway.run(base.texts, mine.texts, async (write) => {
      const { store } = this.#options;
      const replaced = await store.replace(base.session_data, { session_key, ...mine }, this[DEADLINE]);
      if (replaced !== false) return this.#wrote(replaced === true ? session_key : replaced, mine, write);
      // Another request wrote the row since it was read: merge both changes under the row's lock.
      this.#options.observe?.('merge');
      const joined = (session_data: string): Change =>
        this.#change(mergeMembers(base.texts, mine.texts, this.#theirs(session_data)));
      const { written, cookie } = await mergeIntoRow(this.#options, session_key, joined, this[DEADLINE]);
      return this.#wrote(cookie ?? session_key, written, write);
    });
  }

  /**
   * Whether the row holds the same dictionary and was written less than `seconds` ago, so that a save would only move its end
   * by less than that. The time of the write is in the signed text. `seconds` count up to half of the session's life or of
   * SESSION_COOKIE_AGE, whichever is shorter. False for a row that this request wrote, because its cookie has to be sent.
   */
  wasSavedWithin(seconds: number): boolean {
    const texts = this[DOCUMENT].texts();
    const within = Math.min(seconds, this.get_expiry_age() / 2, this.get_session_cookie_age() / 2);
    return isSavedWithin(this.#row.baseline, texts, within, this.#options.codec, this.#now());
  }

  /**
   * The expiry that this request has written, where the cookie can be sent without another save; otherwise null.
   * @param saves true: if nothing was changed since. False, for an answer that saves nothing: if the key is new, because the
   *   browser would not learn it otherwise
   */
  alreadyWritten(saves: boolean): SavedExpiry | null {
    const base = this.#row.baseline;
    if (base?.written === undefined) return null;
    const isEnough = saves ? sameTexts(this[DOCUMENT].texts(), base.texts) : this.#hasNewKey;
    return isEnough ? base.written : null;
  }

  /**
   * Apply `change` to the row's present values under the row's lock, and save: for counters and answers that count once.
   * Changes that this request made before stay in the dictionary, unsaved. Without a row, one is created.
   *
   * @param change gets a dictionary of the present values. It must not use this session's own methods. Other requests wait for
   *   the row while it runs
   * @throws UpdateError when the row is gone. What `change` throws is passed on, and nothing is written
   * @throws StoreUnavailable when `change` takes more than 4 seconds
   */
  async atomic<T>(change: (fresh: SessionDictionary<DeclaredData> & SessionItems) => T | Promise<T>): Promise<T> {
    if (typeof change !== 'function') throw new ValueError('atomic() needs the function that changes the session.');
    this.#writing.expectOutside();
    // The write lock is not taken: the row's own lock holds other saves back while `change` runs.
    for (let taken = this.#taken; taken !== undefined; taken = this.#taken) await taken.left();
    this.#document = this[DOCUMENT];
    const [session_key, base] = [this.#row.session_key, this.#row.baseline];
    const hasRow = session_key !== null && base !== undefined && !this.isInCookie;
    if (hasRow) return this.#changeRow(session_key, base, change, modifyRow);
    return this.#creating.hold(() => this.#changeWithoutRow(change));
  }

  /** What others hold: asked again and again until it is nothing, and then without a wait before the lock is taken. */
  get #taken(): WriteLock | undefined {
    if (this.#creating.isTaken) return this.#creating;
    return this.#writing.isTaken ? this.#writing : undefined;
  }

  async #changeWithoutRow<T>(change: FreshChange<T>): Promise<T> {
    const [before, wasModified] = [this[DOCUMENT].texts(), this.modified];
    const { fresh, result } = await this.#underway.run(before, before, async (write) => {
      const made = await changedInTime(before, change, this.#options, this.#writing, this[DEADLINE]);
      // A flush ends what this has changed, too.
      return this.#underway.has(write) ? made : { ...made, fresh: undefined };
    });
    if (fresh === undefined) return result;
    this.modified = true;
    this.#document = this[DOCUMENT].withTexts(mergeMembers(before, this[DOCUMENT].texts(), fresh));
    try {
      await this.save();
    } catch (error) {
      const left = mergeTexts(fresh, this[DOCUMENT].texts(), before);
      this.#document = this[DOCUMENT].withTexts(left);
      this.modified = wasModified || !sameTexts(left, before);
      throw error;
    }
    return result;
  }

  /**
   * The same for one `pop` of a value that counts once; null without a value. Where no other request has written the row
   * since it was read, it is one statement, without the row's lock.
   */
  async [TAKE_OUT](key: string): Promise<unknown> {
    return this.#writing.hold(async () => {
      const [own, base] = [this.#row.session_key, this.#row.baseline];
      if (own === null || base === undefined) return null;
      return this.#changeRow(own, base, (fresh) => fresh.pop(key, null), replaceOrModifyRow);
    });
  }

  async #changeRow<T>(key: string, base: Baseline, change: FreshChange<T>, modify: typeof modifyRow): Promise<T> {
    const results: T[] = [];
    const applied = async (session_data: string): Promise<Change> => {
      const { fresh, result } = await changed(this.#theirs(session_data), change, this.#options, this.#writing);
      results.push(result);
      // Throws, before anything is written, where both have changed who is logged in.
      mergeMembers(base.texts, this[DOCUMENT].texts(), fresh);
      return this.#change(fresh);
    };
    await this.#underway.run(base.texts, base.texts, async (write) => {
      const { written, cookie = key } = await modify(this.#options, key, base, applied, this[DEADLINE]);
      if (!this.#underway.has(write)) return;
      this.#wrote(cookie, written, write);
      // The browser has to get the new cookie.
      if (this.isInCookie) this.modified = true;
    });
    return results.at(-1) as T;
  }

  /**
   * Take a new key for the same data, as at a login. The new row is created and the old one deleted in one step.
   * @param options what else belongs into the same commit
   * @throws UpdateError when the old row is gone: a logout by another request is final
   */
  async cycle_key({ values = [], forget = false, joined }: NewKeyOptions = {}): Promise<void> {
    const added = Document.fromPairs(pairsOf(values));
    this.#writing.expectOutside();
    for (let taken = this.#taken; taken !== undefined; taken = this.#taken) await taken.left();
    return this.#writing.hold(() => this.#cycleKey(added, forget, joined));
  }

  async #cycleKey(added: Document, forget: boolean, joined: NewKeyOptions['joined']): Promise<void> {
    const held = this[DOCUMENT].texts();
    const move = async (write: Write): Promise<void> => {
      const companion = await companionOf(joined, this.#options.store);
      await this.#withNewKey((to) => this.#moveRow(to, added.texts(), forget ? undefined : write, companion));
      // After the write: if it fails, the dictionary has no login that a later save would write under the old key.
      if (forget) this.#document = this.#underway.joined(write, this[DOCUMENT], added.texts());
      this.#underway.forgetAll();
      this.modified = true;
    };
    await this.#underway.run(this.#row.baseline?.texts ?? held, held, move);
  }

  /**
   * Add a row that holds `added` too, and remove the one that there was.
   * @param write absent if what the dictionary held is to be forgotten
   */
  async #moveRow(to: string, added: MemberTexts, write?: Write, companion?: Companion): Promise<void> {
    const [oldKey, base] = [this.#row.session_key, this.#row.baseline];
    // Not what the session held at first: an `atomic` may have written the row since.
    const mine = new Map([...(write?.sent ?? []), ...added]);
    if (oldKey !== null && base !== undefined) {
      const change = (session_data: string): Change => {
        const isMine = write === undefined || session_data === base.session_data;
        return this.#change(isMine ? mine : mergeMembers(base.texts, mine, this.#theirs(session_data)));
      };
      const options = write === undefined ? { store: this.#options.store } : this.#options;
      try {
        const { written, cookie = to } = await moveRow(options, [oldKey, to], change, companion, this[DEADLINE]);
        return void this.#wrote(cookie, written, write);
      } catch (error) {
        if (write !== undefined || !(error instanceof UpdateError)) throw error;
      }
    }
    await this.#insert(to, mine, companion);
    if (write !== undefined) this.#document = this.#underway.joined(write, this[DOCUMENT], mine);
  }

  /**
   * Remove data, row and key, as at a logout. An unreadable row is removed too, because a copy of the cookie would still be
   * logged in at Django. Data and key are gone at once (the key after a save that is under way), the row when this resolves.
   * When it rejects, the session has its key again. What is set meanwhile belongs to the next session.
   * @param keepRow treat the row as missing: it stays, and the answer to a page's own request does not delete the cookie
   */
  async flush({ keepRow = false }: { readonly keepRow?: boolean } = {}): Promise<void> {
    this.#writing.expectOutside();
    this.#underway.forgetAll();
    try {
      // Should the row stay, a save has to know what it replaces.
      this.#document ??= this.#row.open(this.#options);
    } catch {}
    this.#document = Document.empty();
    this.accessed = true;
    return this.#writing.hold(() => this.#flush(keepRow));
  }

  async #flush(keepRow: boolean): Promise<void> {
    // An `atomic` that waited too has begun: what it brings is not the next session's.
    this.#underway.forgetAll();
    const row = this.#row;
    this.modified = true;
    this.#row = new KnownRow(null);
    if (keepRow) this.#row.setMissing();
    if (row.session_key === null || keepRow) return;
    try {
      await this.#options.store.delete(row.session_key, this[DEADLINE]);
    } catch (error) {
      this.#row = row;
      // Where the row could not be read, a save must not create it.
      if (row.baseline === undefined && !row.isUnreadable) this.#document = undefined;
      throw error;
    }
  }

  /** Remove a row, by default this session's own. The dictionary stays as it is. */
  async delete(session_key: string | null = null): Promise<void> {
    const key = session_key ?? this.#row.session_key;
    if (key === this.#row.session_key) this.#writing.expectOutside();
    if (typeof key !== 'string' || !isStorable(key)) return;
    await this.#options.store.delete(key, this[DEADLINE]);
    if (key !== this.#row.session_key) return;
    if (this.#document === undefined) this.#row.setMissing();
    // A save at the end then throws UpdateError, as in Django.
    else if (this.#row.baseline !== undefined) this.#row.baseline = { ...this.#row.baseline, written: undefined };
  }

  #theirs(session_data: string): MemberTexts {
    return theirsOf(readRow(session_data, this.#row.session_key, this.#options));
  }

  /** The keys of lists and dictionaries that were changed in place since the row was last read or written. */
  [CHANGED_INSIDE](): string[] {
    return this.#row.baseline === undefined ? [] : (this.#document?.changedInside(this.#row.baseline.texts) ?? []);
  }

  async #insert(session_key: string, texts = this[DOCUMENT].texts(), companion?: Companion): Promise<SavedExpiry> {
    const change = this.#change(texts);
    const cookie = await this.#options.store.create({ session_key, ...change }, companion, this[DEADLINE]);
    return this.#wrote(cookie ?? session_key, change);
  }

  /** @throws ValueError inside the function of this session's own `atomic` */
  [EXPECT_OUTSIDE](): void {
    this.#writing.expectOutside();
  }

  /** Called before a new key is made. */
  protected [NEW_KEY](): void {}

  async #withNewKey<T>(write: (session_key: string) => Promise<T>): Promise<T> {
    this[NEW_KEY]();
    const written = await tryNewKeys(this.#options.newSessionKey ?? newSessionKey, write);
    this.#hasNewKey = !this.isInCookie;
    return written;
  }

  #change(texts: MemberTexts): Change {
    return changeOf(texts, this.#options.codec, this.#options.settings, this.#now);
  }

  #wrote(session_key: string, change: Change, write?: Write): SavedExpiry {
    const { session_data, texts, expire_date, max_age, hasBadExpiry } = change;
    if (write !== undefined) this.#document = this.#underway.joined(write, this[DOCUMENT], texts);
    if (hasBadExpiry) this.#options.codec.report(BAD_EXPIRY, session_key);
    this.#row.session_key = session_key;
    const written = { expire_date, max_age };
    this.#row.baseline = { session_data, texts, written };
    this.#row.isUnreadable = false;
    this.#options.observe?.('save');
    return written;
  }
}
reserveNames(SessionBase, Session);
