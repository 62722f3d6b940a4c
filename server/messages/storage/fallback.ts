/** Messages in the cookie, and in the session those that do not fit (django.contrib.messages.storage.fallback). */
import type { Message } from '../message.js';
import { BaseStorage, type Retrieved, type StorageOptions } from './base.js';
import { CookieStorage } from './cookie.js';
import { SessionStorage } from './session.js';

export class FallbackStorage extends BaseStorage {
  readonly #storages: readonly BaseStorage[];
  /** The storages that had messages and must be emptied. */
  readonly #held = new Set<BaseStorage>();

  constructor(options: StorageOptions) {
    super(options);
    this.#storages = [new CookieStorage(options), new SessionStorage(options)];
  }

  retrieve(): Retrieved {
    const messages: Message[] = [];
    for (const storage of this.#storages) {
      const found = storage.retrieve();
      if (found.messages === null) return { messages, all: found.all };
      if (found.messages.length > 0) this.#held.add(storage);
      messages.push(...found.messages);
      if (found.all) return { messages, all: true };
    }
    return { messages, all: false };
  }

  /** The cookie holds the oldest messages, to preserve the order. */
  store(messages: readonly Message[]): readonly Message[] {
    let rest = messages;
    for (const storage of this.#storages) {
      if (rest.length > 0) rest = storage.store(rest, false);
      else if (this.#held.delete(storage)) storage.store([]);
    }
    return rest;
  }
}
