/** The base class of the three message storages (django.contrib.messages.storage.base.BaseStorage). */
import type { Context } from 'koa';
import type { Clock } from '../../clock.js';
import { ValueError } from '../../errors.js';
import type { CookieSettings } from '../../http/cookies.js';
import type { Settings } from '../../settings.js';
import { Message, SafeString } from '../message.js';

/** The settings that messages depend on. */
export type MessageSettings = CookieSettings &
  Pick<
    Settings,
    | 'MESSAGE_STORAGE'
    | 'MESSAGE_LEVEL'
    | 'MESSAGE_TAGS'
    | 'SESSION_COOKIE_DOMAIN'
    | 'SESSION_COOKIE_SECURE'
    | 'SESSION_COOKIE_HTTPONLY'
    | 'SESSION_COOKIE_SAMESITE'
  >;

/** The request's data for a storage. */
export interface StorageOptions {
  readonly ctx: Context;
  readonly settings: MessageSettings;
  /** DEFAULT_TAGS with MESSAGE_TAGS. */
  readonly level_tags: Readonly<Record<number, string>>;
  readonly now: Clock;
}

/** The stored messages. `messages` is null if the storage was not used. */
export interface Retrieved {
  readonly messages: Message[] | null;
  /** Whether these are all, so that no other storage must be read. */
  readonly all: boolean;
}

/** Python's int(level). */
function wholeLevel(level: number): number {
  const whole = Math.trunc(level);
  if (Number.isNaN(whole)) throw new ValueError(`A level is a number, such as 40 for an error, not ${String(level)}.`);
  return whole;
}

/**
 * The messages of one request: stored ones, loaded on first access, and added ones. Iterating removes them; messages
 * added afterwards are stored for the next page.
 */
export abstract class BaseStorage implements Iterable<Message> {
  /** Whether the messages were iterated. */
  used = false;
  added_new = false;
  protected readonly options: StorageOptions;
  #loaded: Message[] | undefined;
  #queued: Message[] = [];
  #level: number | undefined;

  constructor(options: StorageOptions) {
    this.options = options;
  }

  /** Read what was stored. */
  abstract retrieve(): Retrieved;

  /**
   * Store messages for the next request, replacing the stored ones.
   * @param remove_oldest which to drop if not all fit: true the oldest, false the newest
   * @returns the dropped messages
   */
  abstract store(messages: readonly Message[], remove_oldest?: boolean): readonly Message[];

  /** The number of messages; does not remove them. */
  get length(): number {
    return this.#waiting().length + this.#queued.length;
  }

  [Symbol.iterator](): Iterator<Message> {
    this.used = true;
    const loaded = this.#waiting();
    loaded.push(...this.#queued);
    this.#queued = [];
    return loaded[Symbol.iterator]();
  }

  /** Queue a message. An empty one, or one below `level`, is ignored. */
  add(level: number, message: string | SafeString, extra_tags: string | null = ''): void {
    const text = message instanceof SafeString ? message : String(message);
    if (String(text) === '') return;
    const whole = wholeLevel(level);
    if (whole < this.level) return;
    this.added_new = true;
    this.#queued.push(new Message(whole, text, extra_tags, this.options.level_tags));
  }

  /** The lowest stored level; default MESSAGE_LEVEL. null resets it. */
  get level(): number {
    return this.#level ?? this.options.settings.MESSAGE_LEVEL;
  }

  set level(value: number | null) {
    this.#level = value === null ? undefined : wholeLevel(value);
  }

  /** Store unread messages with the response. @returns messages that did not fit */
  update(): readonly Message[] {
    if (this.used) return this.store(this.#queued);
    return this.added_new ? this.store([...this.#waiting(), ...this.#queued]) : [];
  }

  #waiting(): Message[] {
    this.#loaded ??= this.retrieve().messages ?? [];
    return this.#loaded;
  }
}
