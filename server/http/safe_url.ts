/** Decides whether a redirect target is safe, as django.utils.http. */
import { len, strip } from './python_text.js';
import { tryUrlsplit } from './python_url.js';

const MAX_URL_LENGTH = 2048;

/**
 * Whether a pattern such as `.example.com` (the domain and all below it) or `example.com` fits a host.
 * The host is expected in lower case.
 *
 * ```ts
 * is_same_domain('shop.example.com', '.example.com'); // true
 * ```
 */
export function is_same_domain(host: string, pattern: string): boolean {
  if (pattern === '') return false;
  const lower = pattern.toLowerCase();
  return (lower.startsWith('.') && (host.endsWith(lower) || host === lower.slice(1))) || lower === host;
}

/**
 * Whether a URL stays on an allowed host and uses http or https, so that a redirect to it is safe. false for an empty
 * one. The URL may still be badly quoted.
 *
 * ```ts
 * const next = String(ctx.query['next'] ?? '');
 * ctx.redirect(url_has_allowed_host_and_scheme(next, ctx.host, ctx.secure) ? next : '/');
 * ```
 *
 * @param allowed_hosts hosts with their ports, as in the Host header; without any only relative URLs are allowed
 */
export function url_has_allowed_host_and_scheme(
  url: string | null | undefined,
  allowed_hosts: string | Iterable<string> | null,
  require_https = false,
): boolean {
  const text = strip(url ?? '');
  if (text === '') return false;
  const hosts = new Set(typeof allowed_hosts === 'string' ? [allowed_hosts] : allowed_hosts);
  // Browsers treat \ as / in paths, but it may be part of user info: both interpretations must be safe.
  return isAllowed(text, hosts, require_https) && isAllowed(text.replaceAll('\\', '/'), hosts, require_https);
}

function isAllowed(url: string, hosts: ReadonlySet<string>, require_https: boolean): boolean {
  // Browsers treat more than two slashes as two.
  if (url.startsWith('///') || len(url) > MAX_URL_LENGTH) return false;
  const parts = tryUrlsplit(url);
  if (parts === null) return false;
  // http:///example.com: a path for this parser, a host for browsers.
  if (parts.netloc === '' && parts.scheme !== '') return false;
  // Browsers skip some control and format characters at the start, and the rest may be a scheme or a host.
  if (/^\p{C}/u.test(url)) return false;
  const scheme = parts.scheme === '' && parts.netloc !== '' ? 'http' : parts.scheme;
  return (
    (parts.netloc === '' || hosts.has(parts.netloc)) &&
    (scheme === '' || scheme === 'https' || (scheme === 'http' && !require_https))
  );
}
