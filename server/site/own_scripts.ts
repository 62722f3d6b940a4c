/** Pages that work without a script and have one all the same. */
import type { Context } from 'koa';

/** For this answer only: scripts from our own static files, and what they fetch. Nothing inline, nothing from elsewhere. */
export function allowOwnScripts(ctx: Context): void {
  if (!ctx.res.hasHeader('Content-Security-Policy')) return;
  const policy = ctx.response.get('Content-Security-Policy');
  ctx.set('Content-Security-Policy', `${policy}; script-src 'self'; connect-src 'self'`);
}
