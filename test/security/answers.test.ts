/** What the whole server gives back to whoever tries: headers, redirects, escaped text, no rows, no state by GET. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { Planted } from '../fire/planted.js';
import { type Answer, hangUp, Visitor } from '../fire/visitor.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { headOf, raw, startServer, type TestServer } from './server.js';

const PAGES = [
  '/',
  '/index1/',
  '/index2/',
  '/login/',
  '/login/?next=/goods/',
  '/last-visit/',
  '/goods/',
  '/goods/1/',
  '/second-login/',
  '/language/zh-hans/?next=/goods/',
  '/api/me/',
  '/lab/',
  '/lab/explained/',
  '/livez',
  '/readyz',
  '/static/style.css',
  '/nowhere/',
  '/login',
  '/logout/',
  '/goods/0/',
  '/goods/__proto__/',
] as const;
const EVIL = `'"><script>canary()</script><img src=x onerror=canary()>{{7777*7777}}\${7777*7777}`;
const PROTOTYPE = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '__defineGetter__',
];

describe('security: answers', function () {
  this.timeout(180_000);
  let database: TestDatabase;
  let planted: Planted;
  let server: TestServer;
  let visitor: Visitor;

  before(async () => {
    database = await testDatabase();
    planted = new Planted(database);
    server = await startServer({ DATABASE_URL: database.url, TRUSTED_PROXIES: '127.0.0.1' });
  });
  after(async () => {
    hangUp();
    await server?.stop();
    await database?.drop();
  });
  beforeEach(async () => {
    await database.knex('django_session').delete();
    await database.knex('koa_login_attempts').delete();
    visitor = new Visitor();
  });

  const rows = async (): Promise<{ session_key: string; session_data: string; expire_date: Date }[]> =>
    database.knex('django_session').select();
  const get = (path: string): Promise<Answer> => visitor.get(server.url + path);

  describe('to nobody in particular', () => {
    it('are tried of every page that the routes name', () => {
      const source = readFileSync(new URL('../../server/site/routes.ts', import.meta.url), 'utf8');
      const pages = [...source.matchAll(/\bget\('([^':]+)'/g)].map(([, page = '']) => page);
      // The solution of a picture has to be kept.
      expect(PAGES).to.include.members(pages.filter((page) => page !== '/captcha/'));
      expect(pages).to.include('/goods/');
    });

    it('make no row by a GET of any page, with no cookie, an unknown key or a bent one', async () => {
      for (const cookie of [
        undefined,
        'a'.repeat(32),
        '12345678',
        '../../etc/passwd',
        '%00%00%00%00%00',
        "' OR 1=1 --",
      ]) {
        for (const page of PAGES) await new Visitor(cookie).get(server.url + page);
      }
      expect(await rows()).to.deep.equal([]);
    });

    it('make one row a browser by any number of pictures, for an hour at most', async () => {
      for (let i = 0; i < 5; i += 1) expect((await get('/captcha/')).status).to.equal(200);
      const [row, ...others] = await rows();
      expect(others).to.deep.equal([]);
      expect(row?.expire_date.getTime()).to.be.within(Date.now() + 3_500_000, Date.now() + 3_600_000);
    });

    it('never adopt a key that a stranger planted', async () => {
      const key = 'planted0planted0planted0planted0';
      visitor = new Visitor(key);
      await get('/captcha/');
      expect(visitor.session_key).to.not.equal(key);
      expect((await rows()).map(({ session_key }) => session_key)).to.deep.equal([visitor.session_key]);
    });

    it('change nothing by a GET, whatever the query says', async () => {
      const user = await planted.user();
      const session_key = await planted.session({ cart: [1] }, user);
      const before = await rows();
      const query = 'username=a&password=b&captcha=c&next=/&ops=[["flush"]]&refresh=1&csrfmiddlewaretoken=x';
      for (const page of PAGES.filter((path) => !path.startsWith('/goods/'))) {
        await new Visitor(session_key).get(`${server.url}${page}${page.includes('?') ? '&' : '?'}${query}`);
      }
      expect(await rows()).to.deep.equal(before);
    });
  });

  describe('carry their headers', () => {
    const ALWAYS = {
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'x-frame-options': 'DENY',
    };

    it('on every page and every error, with HSTS over https alone', async () => {
      const https = new Visitor(undefined, { 'x-forwarded-proto': 'https' });
      for (const path of [...PAGES, '/%E0', '/captcha/']) {
        const answer = await get(path);
        expect(answer.headers, path).to.include(ALWAYS);
        expect(answer.headers['content-security-policy'], path)
          .to.include("frame-ancestors 'none'")
          .and.include("default-src 'none'")
          .and.not.include('unsafe-inline');
        expect(answer.headers, path).to.not.have.property('strict-transport-security');
        expect((await https.get(server.url + path)).headers, path).to.have.property('strict-transport-security');
      }
    });

    it('keep what shows a user or a cookie out of every cache', async () => {
      const user = await planted.user();
      const session_key = await planted.session({}, user);
      for (const path of PAGES.filter((page) => !page.startsWith('/static/'))) {
        const answer = await new Visitor(session_key).get(server.url + path);
        const shows = answer.headers['set-cookie'] !== undefined || answer.text.includes(user.username);
        if (!shows) continue;
        expect(answer.headers['cache-control'], path).to.include('no-store');
        expect(answer.headers.vary, path).to.include('Cookie');
      }
      for (const path of ['/login/', '/logout/', '/lab/api/']) {
        const answer = await new Visitor(session_key).post(server.url + path, { username: 'a', password: '' });
        expect(answer.headers['cache-control'], path).to.include('no-store');
        expect(answer.headers.vary, path).to.include('Cookie');
      }
    });
  });

  describe('are redirects within the site', () => {
    // Beside those of Django's own tests of url_has_allowed_host_and_scheme.
    const BAD = [
      'http://example.com',
      'http:///example.com',
      'https://example.com',
      'ftp://example.com',
      '\\\\example.com',
      '\\\\\\example.com',
      '/\\\\/example.com',
      '\\\\\\example.com',
      '\\\\//example.com',
      '/\\/example.com',
      '\\/example.com',
      '/\\example.com',
      'http:///example.com',
      'http:/\\//example.com',
      'http:\\/example.com',
      'http:/\\example.com',
      'javascript:alert("XSS")',
      '\njavascript:alert(x)',
      'java\nscript:alert(x)',
      '\x08//example.com',
      'http://otherserver\\@example.com',
      'http:\\\\testserver\\@example.com',
      'http://testserver\\me:pass@example.com',
      'http://testserver\\@example.com',
      'http:\\\\testserver\\confirm\\me@example.com',
      'http:999999999',
      'ftp:9999999999',
      '\n',
      '//2001:cdba:0000:0000:0000:0000:3257:9652/',
      'http://[2001:cdba:0000:0000:0000:0000:3257:9652]/',
      'data:text/html,x',
      '////example.com',
      '/%09/example.com',
      '\u2028//example.com',
      '\ufeff//example.com',
      `/${'a'.repeat(3000)}`,
    ];

    it('for every bad `next`, at the login form, the language link and the logout', async () => {
      const user = await planted.user();
      for (const next of BAD) {
        const asked = await get(`/language/en/?next=${encodeURIComponent(next)}`);
        expect([asked.status, leaves(asked.headers.location)], JSON.stringify(next)).to.deep.equal([302, false]);
        const out = new Visitor(await planted.session({}, user));
        const answer = await out.post(`${server.url}/logout/`, { next });
        expect([answer.status, leaves(answer.headers.location)], JSON.stringify(next)).to.deep.equal([302, false]);
      }
    });

    it('and where an address lacks its slash', async () => {
      for (const path of [
        '//evil.example/login',
        '/%2F%2Fevil.example',
        '/\\evil.example/login',
        '//evil.example/goods/1',
      ]) {
        const text = await raw(server.url, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
        expect(leaves(headOf(text).headers.get('location')), path).to.equal(false);
      }
    });

    it('never let CR, LF or NUL into a header', async () => {
      for (const next of [
        '/a\r\nX-Evil: 1',
        '/a\nSet-Cookie: sessionid=evil',
        '/a\0b',
        '/a\u010d\u010aX-Evil: 1',
        '/\u560d\u560aX: 1',
      ]) {
        const answer = await get(`/language/en/?next=${encodeURIComponent(next)}`);
        expect(answer.status).to.equal(302);
        expect(answer.headers).to.not.have.property('x-evil');
        expect(String(answer.headers['set-cookie'])).to.not.include('evil');
        expect(answer.headers.location).to.match(/^[\x21-\x7e]+$/);
      }
      for (const path of [
        '/login/%0d%0aX-Evil:%201',
        '/goods/1%0d%0a',
        '/language/en%0d%0a/',
        '/static/%00',
        '/%0d%0a',
      ]) {
        const answer = await get(path);
        expect(answer.status, path).to.be.oneOf([301, 302, 400, 404]);
        expect(answer.headers, path).to.not.have.property('x-evil');
      }
    });
  });

  describe('escape what they repeat', () => {
    const isSafe = (answer: Answer, what: string): void => {
      expect(answer.status, what).to.be.below(500);
      if (!/html/.test(answer.headers['content-type'] ?? '')) return;
      // Scripts of our own files are the only ones.
      const text = answer.text.replace(
        /<script src="\/static\/(?:login_task|lab\/lab)\.js\?v=\w+" defer><\/script>/,
        '',
      );
      expect(text, what)
        .to.not.match(/<script|<img src=x|onerror=canary\(\)>/)
        .and.not.include('60481729');
    };

    it('in every field of every form', async () => {
      const user = await planted.user();
      visitor = new Visitor(await planted.session({}, user));
      for (const name of [
        'username',
        'password',
        'captcha',
        'proof_of_work',
        'next',
        'refresh',
        'ops',
        'csrfmiddlewaretoken',
        EVIL,
      ]) {
        for (const path of ['/login/', '/lab/', '/nowhere/', '/login/?next=x']) {
          isSafe(
            await visitor.post(server.url + path, { username: 'u', password: '', [name]: EVIL }),
            `${path} ${name}`,
          );
        }
      }
    });

    it('in every header and cookie, path and query', async () => {
      for (const name of [
        'user-agent',
        'accept-language',
        'referer',
        'origin',
        'x-forwarded-for',
        'x-forwarded-host',
        'accept',
        'x-csrftoken',
        'sec-fetch-site',
      ]) {
        for (const path of ['/lab/', '/login/', '/nowhere/']) {
          isSafe(await new Visitor(undefined, { [name]: EVIL }).get(server.url + path), `${path} ${name}`);
          isSafe(await new Visitor(undefined, { [name]: EVIL }).post(server.url + path), `POST ${path} ${name}`);
        }
      }
      for (const name of [
        'sessionid',
        'csrftoken',
        'last_visit',
        'last_visit_signed',
        'viewed_goods',
        'django_language',
        'other',
      ]) {
        for (const path of ['/lab/', '/last-visit/', '/goods/', '/login/']) {
          visitor = new Visitor();
          visitor.cookies.set(name, EVIL.replaceAll(';', ''));
          isSafe(await get(path), `${path} ${name}`);
        }
      }
      for (const path of [
        `/${encodeURIComponent(EVIL)}/`,
        `/login/?next=${encodeURIComponent(EVIL)}`,
        `/lab/?${encodeURIComponent(EVIL)}`,
      ]) {
        isSafe(await get(path), path);
      }
    });

    it('of a user name and of a session that others wrote', async () => {
      const user = await planted.user(EVIL);
      visitor = new Visitor(
        await planted.session({ [EVIL]: EVIL, viewed_goods: [EVIL], second_login: { kind: EVIL } }, user),
      );
      for (const path of PAGES) isSafe(await get(path), path);
    });
  });

  describe('take names of prototypes for plain data', () => {
    it('in forms, cookies and queries', async () => {
      for (const name of PROTOTYPE) {
        visitor.cookies.set(name, 'x');
        expect((await get(`/login/?${name}=x&${name}[${name}]=y&next=${name}`)).status).to.equal(200);
        expect(
          (await visitor.post(`${server.url}/login/`, { [name]: 'x', username: name, password: '' })).status,
        ).to.equal(200);
        expect((await new Visitor(name.padEnd(8, '_')).get(`${server.url}/index1/`)).status).to.equal(200);
        expect((await get(`/language/${name}/`)).status).to.equal(404);
      }
      expect(Object.hasOwn(Object.prototype, 'x')).to.equal(false);
    });

    it('in JSON and as session keys, which keep their values', async () => {
      visitor = new Visitor(await planted.session({ a: 1 }));
      for (const name of PROTOTYPE) {
        const { status, results } = await visitor.ops(server.url, ['set', name, { [name]: name }], ['get', name]);
        expect(status).to.equal(200);
        expect(JSON.stringify(results.at(-1))).to.include(name);
      }
      const kept = await planted.read(visitor.session_key ?? '');
      expect(Object.keys(kept ?? {})).to.have.members(['a', ...PROTOTYPE]);
      expect(({} as Record<string, unknown>)['__proto__x']).to.equal(undefined);
    });
  });

  describe('to a forged request', () => {
    const cases: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ['without a token', { 'x-csrftoken': '' }],
      ['from another origin', { origin: 'https://evil.example' }],
      ['from a null origin', { origin: 'null' }],
      ['of another port', { origin: 'http://127.0.0.1:1' }],
      ['marked as cross-site', { 'sec-fetch-site': 'cross-site' }],
      ['over https from another page', { 'x-forwarded-proto': 'https', referer: 'https://evil.example/' }],
      ['over https without a Referer', { 'x-forwarded-proto': 'https' }],
      ['over https with a Referer over http', { 'x-forwarded-proto': 'https', referer: 'http://127.0.0.1/' }],
    ];
    for (const [name, headers] of cases) {
      it(`${name} are 403, at login and at logout, and change nothing`, async () => {
        const user = await planted.user();
        const session_key = await planted.session({}, user);
        const before = await rows();
        for (const path of ['/login/', '/logout/']) {
          const forged = new Visitor(session_key, headers);
          const fields = name === 'without a token' ? { csrfmiddlewaretoken: '' } : {};
          expect((await forged.post(server.url + path, fields)).status, path).to.equal(403);
        }
        expect(await rows()).to.deep.equal(before);
        expect(await database.knex('koa_login_attempts').select()).to.deep.equal([]);
      });
    }
  });

  it('name no host that is not ours', async () => {
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      'localhost@evil.example',
      'localhost:80:80',
      '[::1',
      '"><script>',
    ]) {
      const text = await raw(server.url, `GET /login HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(headOf(text).status, host).to.equal(400);
      expect(text).to.not.include('<script>');
    }
    const forwarded = await new Visitor(undefined, { 'x-forwarded-host': 'evil.example' }).get(`${server.url}/login`);
    expect(forwarded.headers.location).to.not.include('evil');
  });
});

/** Whether a browser that is sent there leaves this site; both ways of reading a backslash count. */
function leaves(location: string | undefined): boolean {
  if (location === undefined) return false;
  const { origin } = new URL(location, 'http://site.example/');
  return origin !== 'http://site.example';
}
