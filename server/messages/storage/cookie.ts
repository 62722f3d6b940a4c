/** Messages in the cookie `messages`, signed (django.contrib.messages.storage.cookie.CookieStorage). */
import { BadSignature, ValueError } from '../../errors.js';
import { TimestampSigner } from '../../signing/signer.js';
import { decodeMessages, encodeMessage, type Message, NOT_FINISHED } from '../message.js';
import { BaseStorage, type Retrieved, type StorageOptions } from './base.js';

const COOKIE_NAME = 'messages';
const KEY_SALT = 'django.contrib.messages';
/** The limit on the cookie's value, in characters: half of the usual limit for all headers. */
const MAX_COOKIE_SIZE = 2048;

const cookieKey = (key: string): Buffer => Buffer.concat([Buffer.from('django.http.cookies'), Buffer.from(key)]);

export class CookieStorage extends BaseStorage {
  readonly #signer: TimestampSigner;

  constructor(options: StorageOptions) {
    super(options);
    const { SECRET_KEY, SECRET_KEY_FALLBACKS } = options.settings;
    this.#signer = new TimestampSigner({
      key: cookieKey(SECRET_KEY),
      fallback_keys: SECRET_KEY_FALLBACKS.map(cookieKey),
      salt: KEY_SALT,
      now: options.now,
    });
  }

  retrieve(): Retrieved {
    const data = this.options.ctx.request.COOKIES.get(COOKIE_NAME) ?? '';
    if (data === '') return { messages: null, all: true };
    try {
      const { messages, finished } = decodeMessages(this.#signer.unsign_object(data), this.options.level_tags);
      return { messages, all: finished };
    } catch (error) {
      if (!(error instanceof BadSignature) && !(error instanceof ValueError)) throw error;
      // Marks the cookie as used, so that it is deleted.
      this.used = true;
      return { messages: null, all: true };
    }
  }

  store(messages: readonly Message[], remove_oldest = true): readonly Message[] {
    const { response } = this.options.ctx;
    const { SESSION_COOKIE_DOMAIN: domain, SESSION_COOKIE_SAMESITE: samesite, ...settings } = this.options.settings;
    if (messages.length === 0) {
      response.delete_cookie(COOKIE_NAME, { domain, samesite });
      return [];
    }
    const { data, leftOut } = this.#fit(messages, remove_oldest);
    response.set_cookie(COOKIE_NAME, data, {
      domain,
      samesite,
      secure: settings.SESSION_COOKIE_SECURE,
      httponly: settings.SESSION_COOKIE_HTTPONLY,
    });
    return leftOut;
  }

  /** The cookie's value, and the messages that do not fit. */
  #fit(
    messages: readonly Message[],
    remove_oldest: boolean,
  ): { readonly data: string; readonly leftOut: readonly Message[] } {
    const lists = messages.map(encodeMessage);
    const whole = this.#signer.sign_object(lists, { compress: true });
    if (whole.length <= MAX_COOKIE_SIZE) return { data: whole, leftOut: [] };
    const unfinished = (kept: readonly unknown[]): string =>
      this.#signer.sign_object([...kept, NOT_FINISHED], { compress: true });
    const fits = (kept: readonly unknown[]): boolean => unfinished(kept).length <= MAX_COOKIE_SIZE;
    if (remove_oldest) {
      const start = firstIndex(lists.length, (index) => fits(lists.slice(index)));
      return { data: unfinished(lists.slice(start)), leftOut: messages.slice(0, start) };
    }
    const end = firstIndex(lists.length, (index) => !fits(lists.slice(0, index + 1)));
    return { data: unfinished(lists.slice(0, end)), leftOut: messages.slice(end) };
  }
}

/**
 * The first index for which `holds` is true, or `length`. A binary search like Django's bisect_keep_left and
 * bisect_keep_right: compression can make a text shorter with one more message, so another search could give another
 * result.
 */
function firstIndex(length: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
