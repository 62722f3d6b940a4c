/** The messages at the top of a page, ours and Django's, each shown once. */
import type { Context } from 'koa';
import { messages } from '../index.js';

export interface Notice {
  readonly text: string;
  /** HTML that was marked as safe, protected by the signature. */
  readonly safe: boolean;
  /** A warning or an error. */
  readonly bad: boolean;
}

/** Add a success message to the visitor's next page. */
export function notice(ctx: Context, text: string): void {
  messages.success(ctx, text);
}

/** Returns and removes the waiting messages. Checks their number first: iterating an empty list would send a cookie. */
export function takeNotices(ctx: Context): readonly Notice[] {
  const waiting = messages.get_messages(ctx);
  if (waiting.length === 0) return [];
  return [...waiting].map(({ message, safe, level }) => ({ text: String(message), safe, bad: level >= 30 }));
}
