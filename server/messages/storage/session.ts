/** Messages in the session, under `_messages` (django.contrib.messages.storage.session.SessionStorage). */
import { ImproperlyConfigured } from '../../errors.js';
import type { Session } from '../../session/session.js';
import { type Message, parseMessages, printMessages } from '../message.js';
import { BaseStorage, type Retrieved, type StorageOptions } from './base.js';

const SESSION_KEY = '_messages';

export class SessionStorage extends BaseStorage {
  readonly #session: Session;

  /** @throws ImproperlyConfigured without a session */
  constructor(options: StorageOptions) {
    super(options);
    const { session } = options.ctx.request as { readonly session?: Session };
    if (session === undefined) {
      throw new ImproperlyConfigured(
        'MESSAGE_STORAGE keeps messages in the session: mount sessions(app, …) before messages(app, …), or set it to "cookie".',
      );
    }
    this.#session = session;
  }

  retrieve(): Retrieved {
    const text = this.#session.get(SESSION_KEY);
    const decoded = typeof text === 'string' && text !== '' ? parseMessages(text, this.options.level_tags) : null;
    return { messages: decoded?.messages ?? null, all: true };
  }

  store(messages: readonly Message[]): readonly Message[] {
    if (messages.length > 0) this.#session.set(SESSION_KEY, printMessages(messages));
    else this.#session.pop(SESSION_KEY, null);
    return [];
  }
}
