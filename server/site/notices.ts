/** What a page says once at its top: Django's messages, ours and those that a Django left. */
import type { Context } from 'koa';
import { messages } from '../index.js';

export interface Notice {
  readonly text: string;
  /** HTML that whoever left it vouches for, under a signature. */
  readonly safe: boolean;
  /** A warning or an error. */
  readonly bad: boolean;
}

/** Say that something is done, on the next page that this visitor sees. */
export function notice(ctx: Context, text: string): void {
  messages.success(ctx, text);
}

/** The notices that wait, which uses them up. Asked first how many there are: to go through none would send a cookie. */
export function takeNotices(ctx: Context): readonly Notice[] {
  const waiting = messages.get_messages(ctx);
  if (waiting.length === 0) return [];
  return [...waiting].map(({ message, safe, level }) => ({ text: String(message), safe, bad: level >= 30 }));
}
