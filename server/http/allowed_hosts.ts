/** Django's ALLOWED_HOSTS, and the refusal of TRACE. */
import type { Context, Middleware } from 'koa';
import { ImproperlyConfigured, SuspiciousOperation } from '../errors.js';
import { repr } from './python_text.js';
import { is_same_domain } from './safe_url.js';
import { pathOf } from './target.js';

const HOST = /^([a-z0-9.-]+|\[[a-f0-9]*:[a-f0-9.:]+\])(?::([0-9]+))?$/;

/**
 * `Example.COM.:8000` → `['example.com', '8000']`; the domain is '' when it cannot be one (RFC 1034, RFC 1035).
 *
 * ```ts
 * split_domain_port('Example.COM.:8000'); // ['example.com', '8000']
 * ```
 */
export function split_domain_port(host: string): readonly [domain: string, port: string] {
  const match = HOST.exec(host.toLowerCase());
  if (match === null) return ['', ''];
  return [(match[1] ?? '').replace(/\.$/, ''), match[2] ?? ''];
}

/**
 * Whether a domain in lower case without port fits one of the patterns: `*`, `.example.com` or `example.com`.
 *
 * ```ts
 * validate_host('shop.example.com', ['.example.com']); // true
 * ```
 */
export function validate_host(domain: string, allowed_hosts: readonly string[]): boolean {
  return allowed_hosts.some((pattern) => pattern === '*' || is_same_domain(domain, pattern));
}

/**
 * The host as sent, as Django's _get_raw_host; '' without one. Koa's `ctx.host` is not used because it normalises: it
 * takes the first element of a list and the last part of `a:b@c`, so that an invalid host passes as an allowed one (RFC
 * 9112, 3.2). With `app.proxy` the host comes from X-Forwarded-Host, as in Koa.
 */
export function rawHost(ctx: Context): string {
  const forwarded = ctx.app.proxy ? ctx.get('X-Forwarded-Host') : '';
  if (forwarded !== '') return forwarded;
  const authority = ctx.req.httpVersionMajor >= 2 ? ctx.req.headers[':authority'] : undefined;
  return typeof authority === 'string' ? authority : (ctx.req.headers.host ?? '');
}

/**
 * RFC 9112 section 3.2: two Host headers are refused, because a proxy may have routed by the other one. Node takes the
 * first.
 */
function hostLines(ctx: Context): number {
  const { rawHeaders } = ctx.req;
  let lines = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === 4 && name.toLowerCase() === 'host') lines += 1;
  }
  return lines;
}

/** RFC 9113 section 8.3.1: `:authority` and Host must be equal. */
function hostDiffers({ req }: Context): boolean {
  const { host, [':authority']: authority } = req.headers;
  return req.httpVersionMajor >= 2 && host !== undefined && authority !== undefined && host !== authority;
}

/** Longer texts are not domain names (RFC 1035), and are not cached. */
const LONGEST_HOST = 255;

export interface AllowedHostsOptions {
  /** Patterns without ports. An empty list allows nothing, with `debug` this machine's names. */
  readonly ALLOWED_HOSTS: readonly string[];
  readonly debug?: boolean;
}

const LOCAL = ['.localhost', '127.0.0.1', '[::1]'] as const;

/**
 * Middleware that answers 400 to a Host that is not ours (DisallowedHost), so that no link contains a forged host, and
 * to a request target that is not a URL.
 *
 * ```ts
 * app.use(allowed_hosts({ ALLOWED_HOSTS: ['www.example.com', '.example.org'] }));
 * ```
 */
export function allowed_hosts({ ALLOWED_HOSTS, debug = false }: AllowedHostsOptions): Middleware {
  if (!Array.isArray(ALLOWED_HOSTS)) {
    throw new ImproperlyConfigured("ALLOWED_HOSTS is a list of hosts, such as ['shop.example'].");
  }
  const allowed = debug && ALLOWED_HOSTS.length === 0 ? LOCAL : ALLOWED_HOSTS;
  // Clients repeat the same Host. The cache holds only allowed hosts, and is bounded.
  const good = new Set<string>();
  return async function allowed_hosts(ctx, next) {
    const host = rawHost(ctx);
    if (hostLines(ctx) > 1 || hostDiffers(ctx)) throw new SuspiciousOperation('More than one Host header.');
    if (pathOf(ctx) === null) throw new SuspiciousOperation('Invalid request target.');
    if (!good.has(host)) {
      const [domain] = split_domain_port(host);
      if (domain === '' || !validate_host(domain, allowed)) {
        throw new SuspiciousOperation(`Invalid Host header: ${repr(host.slice(0, LONGEST_HOST))}.`);
      }
      if (good.size < 1000 && host.length <= LONGEST_HOST) good.add(host);
    }
    await next();
  };
}

const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/**
 * Middleware that answers 405 to TRACE, which echoes a request with its cookies, and similar methods. Koa answers 200
 * if a handler does not check the method.
 *
 * ```ts
 * app.use(refuseTrace());
 * ```
 */
export function refuseTrace(): Middleware {
  return async function refuseTrace(ctx, next) {
    if (ctx.method === 'TRACE' || ctx.method === 'TRACK' || ctx.method === 'CONNECT') {
      ctx.throw(405, { headers: { Allow: ALLOWED_METHODS } });
    }
    await next();
  };
}
