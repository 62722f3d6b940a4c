/** A session for a test to read and change; its client's cookie follows its key. */
import type { SavedExpiry } from '../session/change.js';
import type { SessionDictionary } from '../session/dictionary.js';
import type { NewKeyOptions } from '../session/new_key.js';
import type { SessionOptions } from '../session/options.js';
import { Session } from '../session/session.js';
import type { DeclaredData, SessionItems } from '../session/session_data.js';

export class ClientSession extends Session {
  readonly #follow: (session_key: string | null) => void;

  /** @param follow called with the key after each method that may change it; null for none */
  constructor(options: SessionOptions, follow: (session_key: string | null) => void) {
    super(options);
    this.#follow = follow;
  }

  override async create(): Promise<SavedExpiry> {
    const saved = await super.create();
    this.#follow(this.session_key);
    return saved;
  }

  override async save(must_create = false): Promise<SavedExpiry> {
    const saved = await super.save(must_create);
    this.#follow(this.session_key);
    return saved;
  }

  override async cycle_key(options: NewKeyOptions = {}): Promise<void> {
    await super.cycle_key(options);
    this.#follow(this.session_key);
  }

  override async flush(options: { readonly keepRow?: boolean } = {}): Promise<void> {
    await super.flush(options);
    this.#follow(this.session_key);
  }

  override async atomic<T>(
    change: (fresh: SessionDictionary<DeclaredData> & SessionItems) => T | Promise<T>,
  ): Promise<T> {
    const result = await super.atomic(change);
    this.#follow(this.session_key);
    return result;
  }
}
