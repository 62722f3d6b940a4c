/** The request's target, where it may be no URL at all. */
import type { Context } from 'koa';

/** `ctx.path`, or null for a target such as `http://[`, for which Koa's getter throws. */
export function pathOf(ctx: Context): string | null {
  try {
    return ctx.path;
  } catch {
    return null;
  }
}

/** What stands in a log for a path that cannot be read. */
export const MALFORMED = '(malformed)';
