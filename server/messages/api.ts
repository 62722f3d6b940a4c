/** `messages.success(ctx, …)` and the like (django.contrib.messages.api). */
import { MessageFailure, ValueError } from '../errors.js';
import { type AnyContext, checkContext } from '../http/application.js';
import { OwnState } from '../http/own_state.js';
import { checkOptions } from '../settings/given.js';
import { DEBUG, ERROR, INFO, SUCCESS, WARNING } from './constants.js';
import type { Message, SafeString } from './message.js';
import type { BaseStorage } from './storage/base.js';

/** The storage of a request, set by the middleware. */
export const STORAGE = new OwnState<BaseStorage>('messages');

export interface AddMessageOptions {
  /** CSS classes, besides the level's tag. */
  readonly extra_tags?: string | null;
  /** Do nothing if the middleware is not mounted, instead of throwing. */
  readonly fail_silently?: boolean;
}

/**
 * Add a message for the next page that shows messages: this response's page, or the target of its redirect. An empty
 * message, or one below MESSAGE_LEVEL, is ignored.
 *
 * ```ts
 * messages.add_message(ctx, 30, 'Your card expires soon.', { extra_tags: 'card' });
 * ```
 *
 * @throws MessageFailure if messages(app, …) is not mounted, unless `fail_silently`; as in Django, TypeError for what is no
 *   context, ValueError for a level that is no number; and for a promise as message, and options by position
 */
export function add_message(
  ctx: AnyContext,
  level: number,
  message: string | SafeString,
  options: AddMessageOptions = {},
): void {
  if (typeof ctx?.request !== 'object') {
    const given = ctx === null ? 'null' : typeof ctx;
    throw new TypeError(
      `add_message() argument must be a Koa context, not ${given === 'object' ? 'a request' : given}.`,
    );
  }
  checkOptions('The function of a message', options);
  if (message === undefined || message instanceof Promise) {
    throw new ValueError('A message is a text. A promise of one needs `await`.');
  }
  const { extra_tags = '', fail_silently = false } = options;
  const storage = STORAGE.of(ctx);
  if (storage !== undefined) storage.add(level, message, extra_tags);
  else if (!fail_silently) {
    const reason = 'You cannot add messages without mounting messages(app, { settings }).';
    throw new MessageFailure(STORAGE.absence(ctx, reason));
  }
}

/** The waiting messages. Iterating removes them; `length` does not. Empty if the middleware is not mounted. */
export type WaitingMessages = Iterable<Message> & { readonly length: number };

/**
 * The waiting messages of this visitor.
 *
 * ```ts
 * const shown = [...messages.get_messages(ctx)].map(({ message }) => String(message)); // uses them up
 * ```
 */
export function get_messages(ctx: AnyContext): WaitingMessages {
  checkContext('get_messages()', ctx);
  return STORAGE.of(ctx) ?? [];
}

/**
 * The lowest level that this request stores; default MESSAGE_LEVEL. INFO if the middleware is not mounted.
 *
 * ```ts
 * if (messages.get_level(ctx) <= 10) messages.debug(ctx, 'Rendered.');
 * ```
 */
export function get_level(ctx: AnyContext): number {
  return STORAGE.of(ctx)?.level ?? INFO;
}

/**
 * Set the lowest level that this request stores; null for MESSAGE_LEVEL.
 *
 * ```ts
 * messages.set_level(ctx, 10); // debug messages, too
 * ```
 *
 * @returns false if the middleware is not mounted
 */
export function set_level(ctx: AnyContext, level: number | null): boolean {
  const storage = STORAGE.of(ctx);
  if (storage === undefined) return false;
  storage.level = level;
  return true;
}

type Add = (ctx: AnyContext, message: string | SafeString, options?: AddMessageOptions) => void;

const at =
  (level: number): Add =>
  (ctx, message, options) =>
    add_message(ctx, level, message, options);

/**
 * `add_message` with the level of the name.
 *
 * ```ts
 * messages.debug(ctx, '3 statements.'); // shown where MESSAGE_LEVEL is 10
 * ```
 */
export const debug: Add = at(DEBUG);
/**
 * `add_message` with the level 20.
 *
 * ```ts
 * messages.info(ctx, 'Your cart is kept for two weeks.');
 * ```
 */
export const info: Add = at(INFO);
/**
 * `add_message` with the level 25.
 *
 * ```ts
 * messages.success(ctx, 'Saved.');
 * ```
 */
export const success: Add = at(SUCCESS);
/**
 * `add_message` with the level 30.
 *
 * ```ts
 * messages.warning(ctx, 'Your card expires soon.');
 * ```
 */
export const warning: Add = at(WARNING);
/**
 * `add_message` with the level 40.
 *
 * ```ts
 * messages.error(ctx, 'The card was refused.');
 * ```
 */
export const error: Add = at(ERROR);
