/** Sessions in this process's memory, for tests and experiments. */
import type { Clock } from '../../clock.js';
import { CreateError, UpdateError } from '../../errors.js';
import { checkedClock } from '../../settings/given.js';
import type { SessionChange, SessionRecord, SessionStore } from '../store.js';

/**
 * Stores sessions in this process's memory, for tests. They are lost when the process ends, and not shared with others.
 *
 * ```ts
 * app.use(sessions(app, { settings, store: new MemoryStore() }));
 * ```
 */
export class MemoryStore implements SessionStore {
  readonly #rows = new Map<string, SessionChange>();
  /** The last task in each row's queue. The next one waits for it. */
  readonly #locks = new Map<string, Promise<unknown>>();
  readonly #now: Clock;

  constructor({ now }: { readonly now?: Clock } = {}) {
    this.#now = checkedClock(now);
  }

  async load(session_key: string): Promise<string | null> {
    const row = this.#rows.get(session_key);
    return row !== undefined && row.expire_date.getTime() > this.#now() * 1000 ? row.session_data : null;
  }

  async stored(session_key: string): Promise<SessionChange | null> {
    const row = this.#rows.get(session_key);
    return row === undefined ? null : { session_data: row.session_data, expire_date: row.expire_date };
  }

  async exists(session_key: string): Promise<boolean> {
    return this.#rows.has(session_key);
  }

  async create(record: SessionRecord): Promise<void> {
    if (this.#rows.has(record.session_key)) throw new CreateError('The session key is taken.');
    this.#rows.set(record.session_key, record);
  }

  async replace(loaded: string, record: SessionRecord): Promise<boolean> {
    return this.#locked(record.session_key, async () => {
      if (this.#rows.get(record.session_key)?.session_data !== loaded) return false;
      this.#rows.set(record.session_key, record);
      return true;
    });
  }

  async modify(session_key: string, change: (session_data: string) => Promise<SessionChange>): Promise<void> {
    await this.#locked(session_key, async () => {
      const changed = await change(this.#row(session_key).session_data);
      // Throws if the row was deleted meanwhile: `delete` waits for no lock.
      this.#row(session_key);
      this.#rows.set(session_key, changed);
    });
  }

  async cycle(session_key: string, change: (session_data: string) => Promise<SessionRecord>): Promise<void> {
    await this.#locked(session_key, async () => {
      const record = await change(this.#row(session_key).session_data);
      this.#row(session_key);
      await this.create(record);
      this.#rows.delete(session_key);
    });
  }

  async delete(session_key: string): Promise<void> {
    this.#rows.delete(session_key);
  }

  async clear_expired(): Promise<number> {
    const now = this.#now() * 1000;
    const expired = [...this.#rows].filter(([, row]) => row.expire_date.getTime() < now);
    for (const [session_key] of expired) this.#rows.delete(session_key);
    return expired.length;
  }

  #row(session_key: string): SessionChange {
    const row = this.#rows.get(session_key);
    if (row === undefined) throw new UpdateError('The session was deleted meanwhile.');
    return row;
  }

  /** Runs after all earlier calls for this row have settled. */
  async #locked<T>(session_key: string, run: () => Promise<T>): Promise<T> {
    const before = this.#locks.get(session_key) ?? Promise.resolve();
    const mine = before.then(run, run);
    const settled = mine.catch(() => undefined);
    this.#locks.set(session_key, settled);
    try {
      return await mine;
    } finally {
      if (this.#locks.get(session_key) === settled) this.#locks.delete(session_key);
    }
  }
}
