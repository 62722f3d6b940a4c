/** Django's MessageMiddleware: loads messages before the handler, and stores those that were not shown after it. */
import type { Middleware } from 'koa';
import type { Clock } from '../clock.js';
import { ValueError } from '../errors.js';
import { type Application, checkApplication } from '../http/application.js';
import { cookieScope, enterCookieScope, installCookies } from '../http/cookies.js';
import { afterErrorPage } from '../http/exceptions.js';
import { beforeHead, headSent } from '../http/head.js';
import { checkedClock, checkSettings } from '../settings/given.js';
import { messageStorage } from '../settings.js';
import * as api from './api.js';
import { DEFAULT_TAGS } from './constants.js';
import type { BaseStorage, MessageSettings, StorageOptions } from './storage/base.js';
import { CookieStorage } from './storage/cookie.js';
import { FallbackStorage } from './storage/fallback.js';
import { SessionStorage } from './storage/session.js';

/** The storage and the level of messages. */
export interface MessagesOptions {
  readonly settings: MessageSettings;
  readonly now?: Clock;
  /** Throw if not all messages could be stored, as Django does with DEBUG. */
  readonly debug?: boolean;
}

const STORAGES = {
  cookie: CookieStorage,
  session: SessionStorage,
  fallback: FallbackStorage,
} as const satisfies Record<string, new (options: StorageOptions) => BaseStorage>;

/**
 * Give every request its messages (django.contrib.messages.middleware.MessageMiddleware). Mount it inside sessions,
 * unless MESSAGE_STORAGE is `cookie`, and inside exceptions, so that messages survive an error page as in Django.
 *
 * @throws ImproperlyConfigured without the application or settings
 */
function middleware(app: Application, options: MessagesOptions): Middleware {
  checkApplication(app, 'messages(app, { settings })');
  checkSettings('messages()', options?.settings, 'MESSAGE_STORAGE', 'MESSAGE_LEVEL');
  const { settings, debug = false } = options;
  const now = checkedClock(options.now);
  const cookies = { settings, now };
  installCookies(app, cookies);
  const Storage = STORAGES[messageStorage(settings)];
  const level_tags = { ...DEFAULT_TAGS, ...settings.MESSAGE_TAGS };

  return async function messages(ctx, next) {
    enterCookieScope(ctx, cookieScope(ctx) ?? cookies);
    const storage = new Storage({ ctx, settings, level_tags, now });
    api.STORAGE.set(ctx, storage);
    let kept = false;
    const keep = (): void => {
      if (kept || headSent(ctx)) return;
      kept = true;
      const leftOut = storage.update();
      if (debug && leftOut.length > 0) throw new ValueError('Not all temporary messages could be stored.');
    };
    afterErrorPage(ctx, keep);
    // For answers that begin before this middleware returns.
    beforeHead(ctx, { atHead: keep });
    await next();
    keep();
  };
}

const { add_message, get_messages, get_level, set_level, debug, info, success, warning, error } = api;

/**
 * The middleware, and the namespace of `from django.contrib import messages`: `messages.success(ctx, 'Saved.')`.
 *
 * ```ts
 * app.use(messages(app, { settings })); // inside sessions
 * app.use((ctx) => {
 *   messages.success(ctx, 'Saved.');
 *   ctx.redirect('/');
 * });
 * ```
 */
export const messages = Object.assign(middleware, {
  /** See `add_message`. */
  add_message,
  /** See `get_messages`. */
  get_messages,
  /** See `get_level`. */
  get_level,
  /** See `set_level`. */
  set_level,
  debug,
  info,
  success,
  warning,
  error,
});
