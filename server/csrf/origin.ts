/** The Origin and Referer checks of django.middleware.csrf (6.0). */
import type { Context } from 'koa';
import { rawHost, split_domain_port } from '../http/allowed_hosts.js';
import { tryUrlsplit, urlsplit, urlunsplit } from '../http/python_url.js';
import { is_same_domain } from '../http/safe_url.js';

export interface OriginRules {
  /** Django's reason for refusing the request, or null. */
  refusal(ctx: Context): string | null;
}

interface OriginSettings {
  /** CSRF_TRUSTED_ORIGINS */
  readonly trusted: readonly string[];
  /** CSRF_COOKIE_DOMAIN, with CSRF_USE_SESSIONS SESSION_COOKIE_DOMAIN */
  readonly cookieDomain: string | null;
}

/** The checks for one application; trusted origins are parsed once. */
export function originRules({ trusted, cookieDomain }: OriginSettings): OriginRules {
  const exact = new Set(trusted.filter((origin) => !origin.includes('*')));
  const wild = trusted.filter((origin) => origin.includes('*')).map(urlsplit);
  const netlocs = trusted.map((origin) => withoutStar(urlsplit(origin).netloc));

  function originVerified(ctx: Context, origin: string): boolean {
    const host = goodHost(ctx);
    if (host !== null && origin === `${ctx.secure ? 'https' : 'http'}://${host}`) return true;
    if (exact.has(origin)) return true;
    const parts = tryUrlsplit(origin);
    if (parts === null) return false;
    return wild.some(
      (allowed) => allowed.scheme === parts.scheme && is_same_domain(parts.netloc, withoutStar(allowed.netloc)),
    );
  }

  function refererRefusal(ctx: Context): string | null {
    const { referer } = ctx.req.headers;
    if (referer === undefined) return 'Referer checking failed - no Referer.';
    const parts = tryUrlsplit(referer);
    if (parts === null || parts.scheme === '' || parts.netloc === '') {
      return 'Referer checking failed - Referer is malformed.';
    }
    if (parts.scheme !== 'https') return 'Referer checking failed - Referer is insecure while host is secure.';
    if (netlocs.some((netloc) => is_same_domain(parts.netloc, netloc))) return null;
    const good = cookieDomain === null ? goodHost(ctx) : withPort(ctx, cookieDomain);
    if (good !== null && is_same_domain(parts.netloc, good)) return null;
    return `Referer checking failed - ${urlunsplit(parts)} does not match any trusted origins.`;
  }

  return {
    refusal(ctx) {
      const { origin } = ctx.req.headers;
      if (origin !== undefined) {
        return originVerified(ctx, origin)
          ? null
          : `Origin checking failed - ${origin} does not match any trusted origins.`;
      }
      // Not in Django: all browsers send this header since 2023 (the first since 2020), and pages cannot change it.
      if (ctx.req.headers['sec-fetch-site'] === 'cross-site') {
        return 'Sec-Fetch-Site checking failed - the request comes from another site and has no Origin.';
      }
      return ctx.secure ? refererRefusal(ctx) : null;
    },
  };
}

/** request.get_host(): the host with its port, null if invalid. allowed_hosts has checked it before. */
function goodHost(ctx: Context): string | null {
  const host = rawHost(ctx);
  return split_domain_port(host)[0] === '' ? null : host;
}

/** The cookie's domain with the port of this request unless it is a default one. */
function withPort(ctx: Context, domain: string): string {
  const [, port] = split_domain_port(rawHost(ctx));
  return port === '' || port === '443' || port === '80' ? domain : `${domain}:${port}`;
}

function withoutStar(netloc: string): string {
  return netloc.replace(/^\*+/, '');
}
