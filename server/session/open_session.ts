/** Opens a session outside of Koa: in a job, the upgrade of a WebSocket, a handshake of socket.io. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../clock.js';
import { ValueError } from '../errors.js';
import { parse_cookie } from '../http/cookie_header.js';
import { decodeHeader } from '../http/header_bytes.js';
import { checkedClock } from '../settings/given.js';
import type { Settings } from '../settings.js';
import { SessionCodec } from './codec.js';
import { checkGiven } from './given.js';
import { withItemAccess } from './item_access.js';
import { Session } from './session.js';
import type { SessionStore } from './store.js';

/** The settings, the store and the clock of the pages. */
export interface OpenSessionOptions {
  readonly settings: Settings;
  readonly store: SessionStore;
  readonly now?: Clock;
}

/** A request of Node's, or of fetch's API as Bun and Deno have it. */
export interface AnyRequest {
  readonly headers:
    | IncomingHttpHeaders
    | {
        /** The header's value, null when there is none. */
        get(name: string): string | null;
      };
}

/**
 * Reads a session by its key, or by the cookie of a request that Koa does not answer. If it does not exist, it is empty and
 * its `session_key` is null, as for a visitor without a cookie.
 *
 * Nothing is saved automatically: `await session.save()` writes the changes, merged with those that pages have saved since.
 * It rejects with UpdateError if the session has ended since. No cookie is sent, so the browser does not get a new key (by
 * `flush`, `cycle_key`, or the first save of an empty session).
 *
 * ```ts
 * const session = await openSession(session_key, { settings, store }); // or openSession(request, …)
 * session['report'] = 'ready';
 * await session.save();
 * ```
 *
 * @param from a session key, or the request of a handshake or upgrade, Node's or fetch's, whose Cookie header is read as
 *   Django does
 * @throws StoreUnavailable when the store does not answer, ValueError if it is neither a key nor a request
 */
export async function openSession(from: string | AnyRequest, options: OpenSessionOptions): Promise<Session> {
  checkGiven('openSession', options);
  const { settings, store } = options;
  const now = checkedClock(options.now);
  const key_salt = store.key_salt === undefined ? {} : { SESSION_KEY_SALT: store.key_salt };
  const codec = new SessionCodec({ ...settings, ...key_salt }, { now });
  if (typeof from === 'string' && (from.includes(`${settings.SESSION_COOKIE_NAME}=`) || from.includes(';'))) {
    throw new ValueError('openSession needs a session key, not a Cookie header: give it the request instead.');
  }
  const session_key =
    typeof from === 'string' ? from : parse_cookie(decodeHeader(cookieHeader(from))).get(settings.SESSION_COOKIE_NAME);
  const session = new Session({ store, codec, settings, now }, session_key);
  await session.load();
  // The first access: drops the key if there is no row, and throws if the store did not answer.
  session.keys();
  session.accessed = false;
  return withItemAccess(session);
}

/** A character for each byte; empty for none. */
function cookieHeader(request: AnyRequest | null | undefined): string {
  const headers = request?.headers;
  if (headers === undefined) throw new ValueError('openSession needs a session key, or a request with its headers.');
  if (typeof headers.get === 'function') return headers.get('cookie') ?? '';
  return (headers as IncomingHttpHeaders).cookie ?? '';
}
