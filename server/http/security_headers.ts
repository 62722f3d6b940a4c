/** Headers that every answer carries, errors included. */
import type { Context, Middleware } from 'koa';
import { keepHeaders } from './head.js';

/** The two headers whose values sites differ in. */
export interface SecurityHeaderOptions {
  /** Seconds for which browsers use https only, sent over https; 0 sends nothing. A year unless given. */
  readonly hsts_seconds?: number;
  /** In place of the default policy. */
  readonly content_security_policy?: string;
}

/** Own styles, own and inline pictures, forms to this site; no script, no frame. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self' data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** What is the same for every answer. */
export const SECURITY_HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'same-origin'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['X-Frame-Options', 'DENY'],
  ['Content-Security-Policy', CONTENT_SECURITY_POLICY],
];

/**
 * Middleware for the outermost place. A handler may replace a header for its own answer. Where nobody below turns an
 * error into a response, Koa's own error answer drops all headers: these are put back when its head is written.
 *
 * ```ts
 * app.use(securityHeaders({ hsts_seconds: 3600 }));
 * ```
 */
export function securityHeaders(options: SecurityHeaderOptions = {}): Middleware {
  const { hsts_seconds = 31_536_000, content_security_policy = CONTENT_SECURITY_POLICY } = options;
  const always = SECURITY_HEADERS.map(
    ([name, value]) => [name, name === 'Content-Security-Policy' ? content_security_policy : value] as const,
  );
  const secure = [...always, ['Strict-Transport-Security', `max-age=${hsts_seconds}`] as const];
  const headersFor = (ctx: Context): typeof always => (ctx.secure && hsts_seconds > 0 ? secure : always);

  return async function securityHeaders(ctx, next) {
    const headers = headersFor(ctx);
    for (const [name, value] of headers) ctx.res.setHeader(name, value);
    try {
      await next();
    } catch (error) {
      keepHeaders(ctx, headers);
      throw error;
    }
  };
}
