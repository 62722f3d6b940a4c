/** The session's cookie: when it ends, and with which attributes it is sent or deleted. */
import type { Response } from 'koa';
import { type Clock, systemClock } from '../clock.js';
import { http_date } from '../http/http_date.js';
import type { Settings } from '../settings.js';

/** What the session's Set-Cookie says. A deletion has no key. */
export interface SessionCookie {
  readonly session_key: string | null;
  readonly max_age: number | null;
  readonly expires: string | null;
}

export const DELETION: SessionCookie = { session_key: null, max_age: null, expires: null };

/** @param max_age seconds; null for a cookie that ends with the browser */
export function sessionCookie(session_key: string, max_age: number | null, now: Clock = systemClock): SessionCookie {
  return { session_key, max_age, expires: max_age === null ? null : http_date(now() + max_age) };
}

export function setSessionCookie(
  response: Response,
  settings: Settings,
  { session_key, max_age, expires }: SessionCookie,
): void {
  if (session_key === null) {
    response.delete_cookie(settings.SESSION_COOKIE_NAME, {
      path: settings.SESSION_COOKIE_PATH,
      domain: settings.SESSION_COOKIE_DOMAIN,
      samesite: settings.SESSION_COOKIE_SAMESITE,
    });
    return;
  }
  // No spread: V8 then promotes these objects, and what they reference, to old space (DECISIONS.md, decision 15).
  response.set_cookie(settings.SESSION_COOKIE_NAME, session_key, {
    path: settings.SESSION_COOKIE_PATH,
    domain: settings.SESSION_COOKIE_DOMAIN,
    samesite: settings.SESSION_COOKIE_SAMESITE,
    max_age,
    expires,
    secure: settings.SESSION_COOKIE_SECURE,
    httponly: settings.SESSION_COOKIE_HTTPONLY,
  });
}
