/**
 * The cookies set by one response: Django's `response.cookies`, one morsel per name, written to Set-Cookie immediately.
 */
import type { ServerResponse } from 'node:http';
import { ValueError } from '../errors.js';
import { nearestName } from '../spelling.js';
import { encodeHeader } from './header_bytes.js';
import { http_date, type TimeDelta, total_seconds } from './http_date.js';
import { type Morsel, printSetCookie } from './set_cookie_header.js';
import { cookieNameOf, setCookieLines } from './set_cookie_lines.js';

/** Attributes of a cookie, with the names of Django's `HttpResponse.set_cookie`. null or '' omits one. */
export interface CookieOptions {
  /** Seconds; a fraction is cut. Sets `expires` too. */
  readonly max_age?: number | TimeDelta | null;
  /** A Date, which sets Max-Age too and excludes `max_age`, or text that is sent unchanged. */
  readonly expires?: Date | string | null;
  /** '/' unless given. */
  readonly path?: string | null;
  readonly domain?: string | null;
  readonly secure?: boolean | null;
  readonly httponly?: boolean | null;
  /** 'Lax', 'Strict' or 'None' in any case, sent as given. */
  readonly samesite?: string | false | null;
}

interface Entry {
  readonly morsel: Morsel;
  /** The header's text, which identifies this cookie among the Set-Cookie headers of others. */
  readonly line: string;
}

/** All cookies of a response. Setting a name again keeps its position and the attributes that are not given. */
export class CookieJar {
  readonly #res: ServerResponse;
  readonly #entries: Map<string, Entry>;
  #sendsBytes = false;

  constructor(res: ServerResponse, entries: Iterable<readonly [string, Entry]> = []) {
    this.#res = res;
    this.#entries = new Map(entries);
  }

  /** A copy, independent of later changes. */
  copy(): CookieJar {
    return new CookieJar(this.#res, this.#entries);
  }

  /**
   * Set a cookie as Django's `HttpResponse.set_cookie` does. Nothing changes when it throws.
   *
   * @throws CookieError see printSetCookie; ValueError for another samesite, a misspelt option, `expires` as Date together with
   *   `max_age`, or a date outside the years 1 to 9999; Error when the headers are sent already
   */
  set(key: string, value: string, options: CookieOptions, now: number): void {
    const before = this.#entries.get(key);
    const morsel = merge(before?.morsel, key, value, options, now);
    const line = encodeHeader(printSetCookie(morsel));
    const lines = setCookieLines(this.#res);
    const place = before === undefined ? -1 : lines.indexOf(before.line);
    if (place < 0) lines.push(line);
    else lines[place] = line;
    this.#res.setHeader('Set-Cookie', lines);
    this.#entries.set(key, { morsel, line });
    if (/[\x80-\xff]/.test(line)) this.#sendBytes();
  }

  /** Let the next `set` of this cookie take over nothing from the one before, such as its Max-Age. */
  startAnew(key: string): void {
    const before = this.#entries.get(key);
    if (before !== undefined) this.#entries.set(key, { ...before, morsel: { ...before.morsel, ...EMPTY } });
  }

  /** Restore cookies whose headers were overwritten, unless another cookie of that name was set. */
  resend(): void {
    const lines = setCookieLines(this.#res);
    const names = new Set(lines.map(cookieNameOf));
    const missing = [...this.#entries].filter(([name]) => !names.has(name)).map(([, { line }]) => line);
    if (missing.length > 0) this.#res.setHeader('Set-Cookie', [...lines, ...missing]);
  }

  /**
   * Node concatenates the head with a string body and sends both as UTF-8, which corrupts Latin-1 headers
   * (lib/_http_outgoing.js, _send). It does not with a Buffer.
   */
  #sendBytes(): void {
    if (this.#sendsBytes) return;
    this.#sendsBytes = true;
    const res = this.#res;
    const bytes = (chunk: unknown, encoding: unknown): unknown =>
      typeof chunk === 'string' && chunk !== ''
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : chunk;
    for (const method of ['write', 'end'] as const) {
      const send = res[method] as (...args: unknown[]) => unknown;
      const wrapped = (chunk: unknown, ...rest: unknown[]): unknown =>
        send.call(res, bytes(chunk, rest[0]), ...(typeof rest[0] === 'string' ? rest.slice(1) : rest));
      Object.defineProperty(res, method, { value: wrapped, configurable: true, writable: true });
    }
  }
}

const EMPTY = { expires: '', path: '', domain: '', max_age: '', secure: false, httponly: false, samesite: '' } as const;

const NAMES: readonly (keyof CookieOptions)[] = [
  'max_age',
  'expires',
  'path',
  'domain',
  'secure',
  'httponly',
  'samesite',
];

/**
 * Without this check Koa's spelling `httpOnly` would be ignored, and scripts could read the cookie. @throws ValueError
 */
function refuseMisspelt(options: CookieOptions): void {
  for (const name of Object.keys(options)) {
    if (NAMES.includes(name as keyof CookieOptions)) continue;
    const right = nearestName(name, NAMES);
    if (right !== undefined) throw new ValueError(`A cookie has no option ${name}. Write ${right}.`);
  }
}

function merge(before: Morsel | undefined, key: string, value: string, options: CookieOptions, now: number): Morsel {
  refuseMisspelt(options);
  const { path = '/', domain, secure, httponly, samesite } = options;
  const base: Morsel = before ?? { key, value, ...EMPTY };
  if (samesite && !['lax', 'none', 'strict'].includes(samesite.toLowerCase())) {
    throw new ValueError('samesite must be "lax", "none", or "strict".');
  }
  return {
    key,
    value,
    ...lifetime(base, options, now),
    path: path ?? base.path,
    domain: domain ?? base.domain,
    // As in Django, a flag set by an earlier call remains.
    secure: secure === true || base.secure,
    httponly: httponly === true || base.httponly,
    samesite: samesite || base.samesite,
  };
}

/** Max-Age and expires. Django sends both because old browsers support only expires. */
function lifetime(base: Morsel, options: CookieOptions, now: number): Pick<Morsel, 'expires' | 'max_age'> {
  const { expires = null, max_age = null } = options;
  if (expires instanceof Date) {
    if (max_age !== null) throw new ValueError("'expires' and 'max_age' can't be used together.");
    // Django adds a second to compensate for the truncated fraction.
    const left = Math.floor(Math.round((expires.getTime() / 1000 - now) * 1e6) / 1e6 + 1);
    const seconds = Math.max(0, left);
    return { expires: http_date(now + seconds), max_age: seconds };
  }
  const text = expires ?? '';
  if (max_age === null) return { expires: text, max_age: base.max_age };
  const seconds = total_seconds(max_age);
  // `+ 0` makes of -0 a 0.
  return { expires: text === '' ? http_date(now + seconds) : text, max_age: Math.trunc(seconds) + 0 };
}
