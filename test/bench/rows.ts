/** The sessions that the benchmark reads: made from their number alone, so that no process has to tell another. */
import { createHash, createHmac } from 'node:crypto';
import { deflateSync } from 'node:zlib';

/** Only for the benchmark's own database. The reference server wants 50 characters at least, in production. */
export const SECRET_KEY = 'benchmark-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz-9876543210';
const MAX_AGE = 1_209_600;

const hex = (text: string): string => createHash('md5').update(text).digest('hex');

/** 32 characters of [a-z0-9], spread over the whole index. */
export const session_key = (id: number): string => hex(`session ${id}`);

/** What every user's row has for a password; nobody logs in with it. */
export const PASSWORD = 'pbkdf2_sha256$1200000$benchmarksalt$q0ScW0rSs1XbM9Qy3tVz2hN5kPfLdEaGuJiOyTcRwKs=';

/** What their sessions hold of it (AbstractBaseUser.get_session_auth_hash). */
const PASSWORD_HASH = createHmac(
  'sha256',
  createHash('sha256')
    .update(`django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash${SECRET_KEY}`)
    .digest(),
)
  .update(PASSWORD)
  .digest('hex');

const GOODS = ['teapot', 'lantern', 'notebook', 'umbrella', 'fountain pen', 'wool scarf', 'desk lamp', 'tea towel'];
const CITIES = ['Lisbon', 'Chengdu', 'Nairobi', 'Bergen', 'Valparaiso', 'Kyoto', 'Izmir', 'Leeds'];

/** A logged-in shop visitor, about 2,000 bytes of JSON, different for every id. */
export function sessionDocument(id: number): Record<string, unknown> {
  const entropy = createHash('sha512').update(String(id)).digest();
  const at = (index: number): number => entropy[index % 64] ?? 0;
  const pick = (list: readonly string[], index: number): string => list[at(index) % list.length] ?? '';
  const text = entropy.toString('hex');
  return {
    _auth_user_id: String(id),
    _auth_user_backend: 'django.contrib.auth.backends.ModelBackend',
    _auth_user_hash: PASSWORD_HASH,
    n: 0,
    username: `visitor${id}`,
    city: pick(CITIES, 1),
    language: at(2) % 2 === 0 ? 'en' : 'zh-hans',
    last_visit: new Date(1.6e12 + id * 977_000).toISOString(),
    cart: Array.from({ length: 16 }, (_, line) => ({
      sku: `${text.slice(line * 4, line * 4 + 8)}-${at(line + 9)}`,
      name: pick(GOODS, line + 20),
      quantity: 1 + (at(line + 30) % 4),
      price: (at(line + 40) * 37 + line) / 100,
      added: 1_700_000_000 + id + line * 61 + at(line),
    })),
    recently_viewed: Array.from({ length: 24 }, (_, n) => at(n) * 256 + at(n + 1)),
    trace: text.slice(64),
    preferences: {
      theme: at(50) % 2 === 0 ? 'dark' : 'light',
      page_size: 20 + (at(51) % 5) * 10,
      newsletter: at(52) > 99,
    },
  };
}

const SALT = 'django.contrib.sessions.SessionStore';
const KEY = createHash('sha256').update(`${SALT}signer${SECRET_KEY}`).digest();

/** Signed by the harness itself, so that the library is not measured on rows that it made. */
export function session_data(json: string, timestamp: string): string {
  const value = `.${deflateSync(json).toString('base64url')}:${timestamp}`;
  return `${value}:${createHmac('sha256', KEY).update(value).digest('base64url')}`;
}

/**
 * One row for the peers, with the members that each of them wants to find in it. koa-session does not save members
 * whose names begin with `_`, so Django's are called auth_user_id and so on here.
 */
export function peerJson(json: string, expires: number): string {
  const cookie = {
    originalMaxAge: MAX_AGE * 1000,
    expires: new Date(expires).toISOString(),
    httpOnly: true,
    path: '/',
  };
  const members = JSON.stringify({ cookie, _expire: expires, _maxAge: MAX_AGE * 1000 });
  return `${members.slice(0, -1)},${json.slice(1).replaceAll('"_auth_', '"auth_')}`;
}

const sha = (algorithm: string, value: string): string =>
  createHmac(algorithm, SECRET_KEY).update(value).digest('base64');
const unpadded = (base64: string): string => base64.replace(/=+$/, '');

/** The Cookie header by which each server knows the session of an id. */
export const COOKIES = {
  none: () => '',
  django: (id: number) => `sessionid=${session_key(id)}`,
  // keygrip: HMAC-SHA1 over name=value, URL-safe base64.
  koa_session: (id: number) => {
    const pair = `koa.sess=${session_key(id)}`;
    const signature = unpadded(sha('sha1', pair)).replaceAll('/', '_').replaceAll('+', '-');
    return `${pair}; koa.sess.sig=${signature}`;
  },
  // cookie-signature: s:value.HMAC-SHA256, percent-encoded.
  express_session: (id: number) => {
    const key = session_key(id);
    return `connect.sid=${encodeURIComponent(`s:${key}.${unpadded(sha('sha256', key))}`)}`;
  },
  fastify_session: (id: number) => {
    const key = session_key(id);
    return `sessionId=${encodeURIComponent(`${key}.${unpadded(sha('sha256', key))}`)}`;
  },
} as const satisfies Record<string, (id: number) => string>;

export type CookieKind = keyof typeof COOKIES;
