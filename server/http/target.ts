/** The path of a request whose target may be no URL. */
import type { Context } from 'koa';

/** `ctx.path`, or null for a target such as `http://[`, for which Koa's getter throws. */
export function pathOf(ctx: Context): string | null {
  try {
    return ctx.path;
  } catch {
    return null;
  }
}

/** The log's placeholder for an unreadable path. */
export const MALFORMED = '(malformed)';
