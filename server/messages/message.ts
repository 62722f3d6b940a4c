/** One message, and its JSON in Django's format: `["__json_message",0,25,"Saved",""]`. */
import { markClasses } from '../errors/copies.js';
import { parseJson, printJson } from '../signing/python_json.js';
import { DEFAULT_TAGS } from './constants.js';

/**
 * HTML that a template may print as it is (django.utils.safestring.SafeString).
 *
 * ```ts
 * messages.info(ctx, new SafeString('Saved. <a href="/undo/">Undo</a>'));
 * ```
 */
export class SafeString {
  readonly #html: string;

  constructor(html: string) {
    this.#html = html;
  }

  /** The HTML. */
  toString(): string {
    return this.#html;
  }
}

markClasses({ SafeString });

/**
 * Mark a text as HTML that needs no escaping. Never use it for a visitor's input.
 *
 * ```ts
 * messages.success(ctx, mark_safe('Saved. <a href="/undo/">Undo</a>'));
 * ```
 */
export const mark_safe = (html: string): SafeString => new SafeString(html);

/**
 * django.contrib.messages.storage.base.Message.
 *
 * ```ts
 * for (const { level, message, tags, safe } of messages.get_messages(ctx)) console.log(level, String(message), tags, safe);
 * ```
 */
export class Message {
  readonly level: number;
  readonly message: string | SafeString;
  /** CSS classes, besides the level's tag; null if Django has None. */
  readonly extra_tags: string | null;
  /** The level's tag, by MESSAGE_TAGS; '' for a level without one. */
  readonly level_tag: string;

  constructor(
    level: number,
    message: string | SafeString,
    extra_tags: string | null = null,
    level_tags: Readonly<Record<number, string>> = DEFAULT_TAGS,
  ) {
    this.level = level;
    this.message = message;
    this.extra_tags = extra_tags;
    this.level_tag = level_tags[level] ?? '';
  }

  /** `extra_tags` and the level's tag, separated by a space. */
  get tags(): string {
    return [this.extra_tags, this.level_tag].filter((tag) => tag !== null && tag !== '').join(' ');
  }

  /** Whether the text is HTML to be printed as it is. */
  get safe(): boolean {
    return this.message instanceof SafeString;
  }

  /** The text; HTML where `safe` is true. */
  toString(): string {
    return String(this.message);
  }
}

const MESSAGE_KEY = '__json_message';
/** The last element in a cookie that did not fit all messages. */
export const NOT_FINISHED = '__messagesnotfinished__';

/** A message as the list that Django's MessageEncoder makes of it. */
export function encodeMessage({ level, message, safe, extra_tags }: Message): unknown[] {
  const list: unknown[] = [MESSAGE_KEY, safe ? 1 : 0, level, String(message)];
  return extra_tags === null ? list : [...list, extra_tags];
}

/** Encodes messages like Python's `json.dumps` with its default separators, as Django stores them in the session. */
export function printMessages(messages: readonly Message[]): string {
  const lists = messages.map((message) => `[${encodeMessage(message).map(printJson).join(', ')}]`);
  return `[${lists.join(', ')}]`;
}

/** The stored messages, and whether they were complete. */
export interface Decoded {
  readonly messages: Message[];
  readonly finished: boolean;
}

/**
 * Decodes a list of messages. Invalid entries are skipped; Django would pass them to the template, or fail.
 */
export function decodeMessages(list: unknown, level_tags: Readonly<Record<number, string>>): Decoded {
  const items: unknown[] = Array.isArray(list) ? list : [];
  return {
    messages: items.flatMap((item) => decodeMessage(item, level_tags) ?? []),
    finished: items.at(-1) !== NOT_FINISHED,
  };
}

/** Parses JSON and decodes its messages, as `decodeMessages`; null for invalid JSON. */
export function parseMessages(text: string, level_tags: Readonly<Record<number, string>>): Decoded | null {
  try {
    return decodeMessages(parseJson(text), level_tags);
  } catch {
    return null;
  }
}

function decodeMessage(item: unknown, level_tags: Readonly<Record<number, string>>): Message | null {
  if (!Array.isArray(item) || item[0] !== MESSAGE_KEY) return null;
  const [, safe, level, text, extra_tags = null] = item as unknown[];
  if (typeof level !== 'number' || !Number.isFinite(level) || typeof text !== 'string') return null;
  if (extra_tags !== null && typeof extra_tags !== 'string') return null;
  return new Message(Math.trunc(level), safe ? mark_safe(text) : text, extra_tags, level_tags);
}
