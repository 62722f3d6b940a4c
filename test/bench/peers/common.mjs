/** What the peers' servers share: their port, a pg pool, and Django's session_data by hand (for the floors only). */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { deflateSync, inflateSync } from 'node:zlib';
import pg from 'pg';
import { createClient } from 'redis';

export const PORT = Number(process.env.PORT);
export const SECRET_KEY = process.env.SECRET_KEY;
/** Two weeks, Django's SESSION_COOKIE_AGE, for everybody. */
export const MAX_AGE = 1_209_600;

export const pool = () => new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });

const SALT = 'django.contrib.sessions.SessionStore';
const KEY = createHash('sha256').update(`${SALT}signer${SECRET_KEY}`).digest();
const sign = (value) => createHmac('sha256', KEY).update(value).digest('base64url');

/** verify + inflate + parse, without any of the guards that a library needs. */
export function decode(session_data) {
  const end = session_data.lastIndexOf(':');
  const value = session_data.slice(0, end);
  if (!timingSafeEqual(Buffer.from(sign(value)), Buffer.from(session_data.slice(end + 1)))) throw new Error('forged');
  const payload = value.slice(0, value.lastIndexOf(':'));
  const bytes = Buffer.from(payload, 'base64url');
  return JSON.parse(payload.startsWith('.') ? inflateSync(Buffer.from(payload.slice(1), 'base64url')) : bytes);
}

export function encode(document) {
  const payload = `.${deflateSync(JSON.stringify(document)).toString('base64url')}`;
  const value = `${payload}:${base62(Math.floor(Date.now() / 1000))}`;
  return `${value}:${sign(value)}`;
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
function base62(number) {
  let text = '';
  for (let n = number; n > 0; n = Math.floor(n / 62)) text = DIGITS[n % 62] + text;
  return text;
}

/** A user by one named prepared SELECT; with USERS=0, what the session says is believed. */
export function userLookup() {
  if (process.env.USERS !== '1') return async (id) => id;
  const db = pool();
  return async (id) => {
    const { rows } = await db.query({ name: 'user', text: 'SELECT * FROM auth_user WHERE id = $1', values: [id] });
    return String(rows[0].id);
  };
}

/** The table that connect-pg-simple ships, and a store on it with named statements, as fast as plain pg gets. */
export class SessionTable {
  #pool = pool();

  async get(sid) {
    const { rows } = await this.#pool.query({
      name: 'get',
      text: 'SELECT sess FROM session WHERE sid = $1 AND expire > now()',
      values: [sid],
    });
    return rows[0]?.sess;
  }

  async set(sid, sess, milliseconds = MAX_AGE * 1000) {
    await this.#pool.query({
      name: 'set',
      text: 'INSERT INTO session (sid, sess, expire) VALUES ($1, $2, $3) ON CONFLICT (sid) DO UPDATE SET sess = $2, expire = $3',
      values: [sid, JSON.stringify(sess), new Date(Date.now() + milliseconds)],
    });
  }

  async destroy(sid) {
    await this.#pool.query({ name: 'destroy', text: 'DELETE FROM session WHERE sid = $1', values: [sid] });
  }
}

/** The same in Redis, by the package `redis`, which sends the commands of one tick together. */
export class RedisSessions {
  #client = createClient({ url: process.env.REDIS_URL });

  static async open() {
    const sessions = new RedisSessions();
    await sessions.#client.connect();
    return sessions;
  }

  async get(sid) {
    const text = await this.#client.get(`koa:${sid}`);
    return text === null ? undefined : JSON.parse(text);
  }

  async set(sid, sess, milliseconds = MAX_AGE * 1000) {
    await this.#client.set(`koa:${sid}`, JSON.stringify(sess), { expiration: { type: 'PX', value: milliseconds } });
  }

  async destroy(sid) {
    await this.#client.del(`koa:${sid}`);
  }
}
