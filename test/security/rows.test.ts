/** Rows that others wrote, read by the whole server from real PostgreSQL: anonymous at worst, and cheap to refuse. */
import { syncBuiltinESMExports } from 'node:module';
import zlib, { deflateSync } from 'node:zlib';
import { expect } from 'chai';
import { SessionCodec } from '../../server/session/codec.js';
import { newSessionKey } from '../../server/session/key.js';
import { defineSettings } from '../../server/settings.js';
import { b64url_encode } from '../../server/signing/base64url.js';
import { Signer, TimestampSigner } from '../../server/signing/signer.js';
import { Planted } from '../fire/planted.js';
import { SECRET_KEY } from '../fire/processes.js';
import { type Answer, hangUp, Visitor } from '../fire/visitor.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { startServer, type TestServer } from './server.js';

const SALT = 'django.contrib.sessions.SessionStore';
const MEGABYTE = 1 << 20;

/** session_data of any bytes, with a good signature unless told otherwise. */
function signed(payload: Buffer | string, { compress = false, key = SECRET_KEY, salt = SALT } = {}): string {
  const bytes = Buffer.from(payload);
  const text = compress ? `.${b64url_encode(deflateSync(bytes))}` : b64url_encode(bytes);
  return new TimestampSigner({ key, salt }).sign(text);
}

/** So many megabytes of JSON's blanks, in a thousandth of that. */
function bomb(megabytes: number): string {
  const zeros = Buffer.alloc(megabytes * MEGABYTE, ' ');
  zeros.write('{"a":"');
  return signed(zeros, { compress: true });
}

/** These take seconds to make. */
const made = new Map<string, string>();
function once(name: string, make: () => string): string {
  const text = made.get(name) ?? make();
  made.set(name, text);
  return text;
}
const large = (): string => once('bomb', () => bomb(200));
const million = (): string => once('million', () => signed(keys(1_000_000), { compress: true }));
const keys = (count: number): string => `{${Array.from({ length: count }, (_, i) => `"k${i}":0`).join(',')}}`;
/** As many keys as SESSION_MAX_BYTES lets in. */
const many = (): string => `{${Array.from({ length: 400_000 }, (_, i) => `"${i.toString(36)}":1`).join(',')}}`;
const deep = (open: string, close: string): string => open.repeat(100_000) + close.repeat(100_000);

describe('security: hostile rows', function () {
  this.timeout(180_000);
  let database: TestDatabase;
  let planted: Planted;
  let server: TestServer;
  let good: string;
  let user_id: number | string;

  before(async () => {
    // Made before the server runs: while the process is busy with it, connections that are kept would time out.
    large();
    million();
    database = await testDatabase();
    planted = new Planted(database);
    server = await startServer({ DATABASE_URL: database.url, SESSION_COOKIE_AGE: '3600' });
    const user = await planted.user();
    user_id = user.id;
    good = new SessionCodec(defineSettings({ SECRET_KEY })).encode(JSON.stringify(planted.login(user)));
  });
  after(async () => {
    hangUp();
    await server?.stop();
    await database?.drop();
  });

  async function row(session_data: string): Promise<string> {
    const session_key = newSessionKey();
    const expire_date = new Date(Date.now() + 3_600_000);
    await database.knex('django_session').insert({ session_key, session_data, expire_date });
    return session_key;
  }
  async function me(session_key: string): Promise<{ answer: Answer; user: unknown }> {
    const answer = await new Visitor(session_key, { accept: 'application/json' }).get(`${server.url}/api/me/`);
    return { answer, user: answer.status === 200 ? (JSON.parse(answer.text) as { user: unknown }).user : undefined };
  }

  it('and a good one is a login', async () => {
    expect((await me(await row(good))).user).to.include({ id: user_id });
  });

  const texts: Readonly<Record<string, () => string>> = {
    'an empty text': () => '',
    'blanks and colons': () => ' : : ',
    'one flipped character': () => good.replace(/^./, (first) => (first === 'e' ? 'f' : 'e')),
    'a flipped signature': () => good.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A')),
    'another time': () =>
      good.replace(/:(.)(.*):/, (_, first: string, rest: string) => `:${first === '1' ? '2' : '1'}${rest}:`),
    'half of it': () => good.slice(0, good.length / 2),
    'no signature': () => good.split(':').slice(0, 2).join(':'),
    'no time': () =>
      good
        .split(':')
        .filter((_, i) => i !== 1)
        .join(':'),
    'an empty signature': () => `${good.split(':').slice(0, 2).join(':')}:`,
    'another salt': () => signed('{"_auth_user_id":"1"}', { salt: 'django.core.signing' }),
    'another key': () => signed('{"_auth_user_id":"1"}', { key: `${SECRET_KEY}!` }),
    'no time, but a good signature': () => new Signer({ key: SECRET_KEY, salt: SALT }).sign('e30'),
    'a list': () => signed('[1,2]'),
    null: () => signed('null'),
    NaN: () => signed('NaN'),
    'a text': () => signed('"_auth_user_id"'),
    nothing: () => signed(''),
    'no JSON': () => signed('{"a":'),
    'bytes that are no UTF-8': () => signed(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])),
    'no base64': () => new TimestampSigner({ key: SECRET_KEY, salt: SALT }).sign('!!!!'),
    'no zlib': () => new TimestampSigner({ key: SECRET_KEY, salt: SALT }).sign('.AAAA'),
    'a cut zlib stream': () =>
      new TimestampSigner({ key: SECRET_KEY, salt: SALT }).sign(
        `.${b64url_encode(deflateSync('{"a":1}'.repeat(99)).subarray(0, 20))}`,
      ),
    '100,000 lists in each other': () => signed(`{"a":${deep('[', ']')}}`, { compress: true }),
    '100,000 objects in each other': () => signed(deep('{"a":', '}').replace('}', '1}'), { compress: true }),
    '100,000 open brackets': () => signed('['.repeat(100_000)),
    '5,000 lists in each other': () => signed(`{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`, { compress: true }),
    'a million keys': million,
    'a 200 MB bomb': large,
    'wrong types where a login stands': () =>
      signed(
        '{"_auth_user_id":{"a":[1]},"_auth_user_backend":[],"_auth_user_hash":1e999,"_session_expiry":[[]],"captcha":[],"viewed_goods":{},"second_login":5}',
      ),
    prototypes: () => signed('{"__proto__":{"_auth_user_id":"1"},"constructor":1,"_session_expiry":{"__proto__":1}}'),
    'a number of a million digits': () => signed(`{"_auth_user_id":${'9'.repeat(1_000_000)}}`),
    'an id that is no number': () =>
      signed(
        JSON.stringify({
          _auth_user_id: "1' OR 1=1 --",
          _auth_user_backend: 'django.contrib.auth.backends.ModelBackend',
          _auth_user_hash: 'x',
        }),
      ),
    'an id with a NUL': () =>
      signed(JSON.stringify({ _auth_user_id: '1\0', _auth_user_backend: 'django.contrib.auth.backends.ModelBackend' })),
    'the hash of nobody': () =>
      signed(JSON.stringify({ _auth_user_id: '1', _auth_user_backend: 'django.contrib.auth.backends.ModelBackend' })),
    'an expiry of nonsense': () => signed('{"_session_expiry":"0000-99-99T99:99:99","a":1}'),
    'an endless expiry': () => signed('{"_session_expiry":1e308,"a":1}'),
  };
  const ALL = ['/index1/', '/index2/', '/goods/', '/goods/1/', '/second-login/', '/lab/', '/captcha/', '/login/'];
  for (const [name, text] of Object.entries(texts)) {
    it(`with ${name} are nobody's, on every page, and no fault`, async () => {
      const session_data = text();
      const session_key = await row(session_data);
      // What is large is asked for less often: these suites are to take seconds.
      const pages = session_data.length > 20_000 ? ['/second-login/', '/captcha/'] : ALL;
      const { answer, user } = await me(session_key);
      expect([answer.status, user]).to.deep.equal([200, null]);
      for (const path of pages) {
        expect((await new Visitor(session_key).get(server.url + path)).status, path).to.equal(200);
      }
      expect(
        (await new Visitor(session_key).post(`${server.url}/login/`, { username: 'a', password: '' })).status,
      ).to.equal(200);
      expect(server.lines.filter((line) => /"level":[56]0/.test(line))).to.deep.equal([]);
    });
  }

  it('with as many keys as are let in can be read and changed', async () => {
    const visitor = new Visitor(await row(signed(many(), { compress: true })));
    const { status, results } = await visitor.ops(server.url, ['get', 'a'], ['set', 'a', 2], ['get', 'a']);
    expect(status).to.equal(200);
    expect([results[0], results[2]]).to.deep.equal([1, 2]);
  });

  it('take a bounded memory, and leave nothing of it behind', async () => {
    const keys = await Promise.all([large(), large(), million()].map(row));
    const before = process.memoryUsage().rss;
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss);
    }, 5);
    try {
      for (let round = 0; round < 3; round += 1) await Promise.all(keys.flatMap((key) => [me(key), me(key), me(key)]));
    } finally {
      clearInterval(watch);
    }
    // 27 readings of 200 MB; PostgreSQL's texts, inflated up to SESSION_MAX_BYTES, are all there is.
    expect((most - before) / MEGABYTE).to.be.below(150);
  });

  it('are inflated only after their signature was found good', async () => {
    const { inflateSync } = zlib;
    let inflated = 0;
    const counting: typeof inflateSync = (...given) => {
      inflated += 1;
      return inflateSync(...given);
    };
    Object.assign(zlib, { inflateSync: counting });
    syncBuiltinESMExports();
    try {
      const text = bomb(50);
      for (const bad of [
        text.replace(/.{5}$/, 'AAAAA'),
        text.slice(0, -1),
        `${text}A`,
        signed(many(), { compress: true, salt: 'other' }),
      ]) {
        expect((await me(await row(bad))).user).to.equal(null);
      }
      expect(inflated).to.equal(0);
      await me(await row(text));
      expect(inflated).to.equal(1);
    } finally {
      Object.assign(zlib, { inflateSync });
      syncBuiltinESMExports();
    }
  });

  it('are reported by a hash of their key, once a reading, and by nothing else', async () => {
    const session_key = await row(texts['another key']?.() ?? '');
    const before = server.lines.length;
    await me(session_key);
    await me(session_key);
    const lines = server.lines.slice(before).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).to.have.lengthOf(2);
    expect(lines[0]).to.include({ logger: 'django.security.SuspiciousSession', msg: 'Session data corrupted' });
    expect(lines[0]?.['session'])
      .to.match(/^[0-9a-f]{12}$/)
      .and.equal(lines[1]?.['session']);
    expect(JSON.stringify(lines)).to.not.include(session_key).and.not.include(session_key.slice(0, 8));
  });
});
