/** Allows scripts on a page. */
import type { Context } from 'koa';

/**
 * Sets a policy for this answer that allows our static scripts and their requests to this site. No inline scripts, no
 * other sites.
 */
export function allowOwnScripts(ctx: Context): void {
  if (!ctx.res.hasHeader('Content-Security-Policy')) return;
  const policy = ctx.response.get('Content-Security-Policy');
  ctx.set('Content-Security-Policy', `${policy}; script-src 'self'; connect-src 'self'`);
}
