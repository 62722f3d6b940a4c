import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateSync } from 'node:zlib';
import { expect } from 'chai';
import Koa from 'koa';
import { SessionCodec } from '../../server/session/codec.js';
import { sessions } from '../../server/session/middleware.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { FileStore } from '../../server/session/stores/file.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import { TimestampSigner } from '../../server/signing/signer.js';
import { portless, settings } from '../http/serve.js';
import { databaseOfSuite } from '../support/database.js';
import { keepsUnreadableRows, SMALL } from './stores/unreadable.js';

describe('engine memory', () => {
  keepsUnreadableRows(async () => new MemoryStore());
});

describe('engine db', () => {
  const database = databaseOfSuite();
  keepsUnreadableRows(async () => new DatabaseStore(database.knex));
});

describe('engine file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'sessions-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  keepsUnreadableRows(async (given) => new FileStore({ ...given, SESSION_FILE_PATH: folder }));

  it('leaves it to Django to remove a file whose end it cannot read', async () => {
    const store = new FileStore(settings({ ...SMALL, SESSION_FILE_PATH: folder }));
    const next_year = new Date(Date.now() + 365 * 86_400_000).toISOString().replace('Z', '+00:00');
    const text = new SessionCodec(settings()).encode(
      JSON.stringify({ cart: 'x'.repeat(40_000), _session_expiry: next_year }),
    );
    const names = ['unreadable', 'readable'].map((key) => path.join(folder, `sessionid${key}`)) as [string, string];
    writeFileSync(names[0], text);
    writeFileSync(names[1], new SessionCodec(settings()).encode('{}'));
    // Older than SESSION_COOKIE_AGE.
    for (const name of names) utimesSync(name, 1_000_000, 1_000_000);
    expect(await store.clear_expired()).to.equal(1);
    expect(readFileSync(names[0], 'utf8')).to.equal(text);
  });
});

describe('engine signed_cookies', () => {
  it('keeps a cookie that it cannot read until something is written, as the cookie is all there is', async () => {
    const given = settings(SMALL);
    const store = new SignedCookiesStore(given);
    const payload = `.${deflateSync(JSON.stringify({ cart: 'x'.repeat(40_000) })).toString('base64url')}`;
    const cookie = new TimestampSigner({ key: given.SECRET_KEY, salt: store.key_salt }).sign(payload);
    const app = new Koa();
    app.use(sessions(app, { settings: given, store }));
    app.use((ctx) => {
      if (ctx.path === '/write') ctx.session['a'] = 1;
      ctx.body = String(ctx.session.get('cart'));
    });
    const server = portless(app);
    const headers = { Cookie: `sessionid=${cookie}` };
    const looked = await server.ask({ headers });
    expect([looked.text, looked.set_cookie]).to.deep.equal(['null', []]);
    const [written = ''] = (await server.ask({ path: '/write', headers })).set_cookie;
    const text = /^sessionid=([^;]*)/.exec(written)?.[1] ?? '';
    expect(new SessionCodec({ ...given, SESSION_KEY_SALT: store.key_salt }).decode(text)).to.equal('{"a":1}');
  });
});
