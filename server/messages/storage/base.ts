/** What the three storages of messages share (django.contrib.messages.storage.base.BaseStorage). */
import type { Context } from 'koa';
import type { Clock } from '../../clock.js';
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

/** What a storage knows of the request that it serves. */
export interface StorageOptions {
  readonly ctx: Context;
  readonly settings: MessageSettings;
  /** DEFAULT_TAGS with MESSAGE_TAGS. */
  readonly level_tags: Readonly<Record<number, string>>;
  readonly now: Clock;
}

/** What a storage has kept. `messages` is null where it was not used at all. */
export interface Retrieved {
  readonly messages: Message[] | null;
  /** Whether that is all there was, so that no further storage has to be asked. */
  readonly all: boolean;
}

/**
 * The messages of one request: those that wait from before, read when first asked for, and those added since. To go
 * through them uses them up; those added later wait for the next page.
 */
export abstract class BaseStorage implements Iterable<Message> {
  /** Whether somebody went through the messages. */
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
   * Keep messages until the next request, in place of those kept before.
   * @param remove_oldest which to leave out when there is no room for all: the oldest, or else the newest
   * @returns those that were left out
   */
  abstract store(messages: readonly Message[], remove_oldest?: boolean): readonly Message[];

  /** How many wait, without using them up. */
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

  /** Queue a message. One without a text, or below `level`, is left out. */
  add(level: number, message: string | SafeString, extra_tags: string | null = ''): void {
    const text = message instanceof SafeString ? message : String(message);
    if (String(text) === '') return;
    const whole = Math.trunc(level);
    if (whole < this.level) return;
    this.added_new = true;
    this.#queued.push(new Message(whole, text, extra_tags, this.options.level_tags));
  }

  /** The least level that is kept; MESSAGE_LEVEL unless set. null sets it back. */
  get level(): number {
    return this.#level ?? this.options.settings.MESSAGE_LEVEL;
  }

  set level(value: number | null) {
    this.#level = value === null ? undefined : Math.trunc(value);
  }

  /** Keep what was not read, when the response is made. @returns messages for which there was no room */
  update(): readonly Message[] {
    if (this.used) return this.store(this.#queued);
    return this.added_new ? this.store([...this.#waiting(), ...this.#queued]) : [];
  }

  #waiting(): Message[] {
    this.#loaded ??= this.retrieve().messages ?? [];
    return this.#loaded;
  }
}
