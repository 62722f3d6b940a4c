/** Security headers of every answer, including errors. */
import type { Context, Middleware } from 'koa';
import { keepHeaders } from './head.js';

/** The two headers that differ between sites. */
export interface SecurityHeaderOptions {
  /** Seconds for which browsers use only https (HSTS); sent over https. 0 sends no header. Default: a year. */
  readonly hsts_seconds?: number;
  /** Replaces the default policy. */
  readonly content_security_policy?: string;
}

/** Styles, images and forms of this site, and inline images; no scripts, no frames. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self' data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The headers that are the same for every answer. */
export const SECURITY_HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'same-origin'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['X-Frame-Options', 'DENY'],
  ['Content-Security-Policy', CONTENT_SECURITY_POLICY],
];

/**
 * Mount it outermost. A handler may replace a header for its answer. Koa's own error handler removes all headers; these
 * are set again when the head is written.
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
