/** Addresses: slashes, methods, static files, and what errors look like. */
import { expect } from 'chai';
import { connectKnex } from '../../server/db/knex.js';
import { closeServers, serve } from '../http/serve.js';
import { makeSite, siteOfSuite, Visitor } from './visitor.js';

describe('addresses', () => {
  const site = siteOfSuite();
  let visitor: Visitor;
  beforeEach(() => {
    visitor = new Visitor(site);
  });

  for (const [path, location] of [
    ['/login', '/login/'],
    ['/goods/1', '/goods/1/'],
    ['/login?next=/goods/', '/login/?next=/goods/'],
    ['/api/me', '/api/me/'],
  ] as const) {
    it(`${path} is sent on to ${location}`, async () => {
      const answer = await visitor.get(path);
      expect([answer.status, answer.headers.location]).to.deep.equal([301, location]);
    });
  }

  for (const path of [
    '/nowhere',
    '/nowhere/',
    '//evil.example',
    '/login//',
    '/Login/',
    '/goods',
    '//evil.example/login',
    '/lab/',
    '/static/',
    '/login/%zz',
    '/%00/',
    '/goods/%E0%A4%A/',
  ]) {
    it(`${path} is no address, and leads nowhere else`, async () => {
      const answer = await visitor.get(path);
      if (path === '/goods') expect(answer.headers.location).to.equal('/goods/');
      else expect(answer.status).to.be.within(400, 404);
    });
  }

  it('answer HEAD as GET, without making a row for the picture', async () => {
    for (const path of ['/index1/', '/captcha/', '/login/']) {
      const answer = await new Visitor(site).head(path);
      expect([answer.status, answer.text]).to.deep.equal([200, '']);
      expect(answer.set_cookie.join()).to.not.include('sessionid');
    }
  });

  it('refuse other methods and say which they take', async () => {
    const answer = await visitor.delete('/login/', undefined, { headers: { 'X-CSRFToken': await visitor.token() } });
    expect([answer.status, answer.headers.allow]).to.deep.equal([405, 'HEAD, GET, POST']);
  });

  describe('of static files', () => {
    afterEach(closeServers);

    it('name a version, may be kept for a year, and need no session', async () => {
      const page = await visitor.get('/index1/');
      const address = /href="(\/static\/style\.css\?v=\w+)"/.exec(page.text)?.[1] ?? '';
      const answer = await visitor.get(address, { headers: { Cookie: 'sessionid=aaaaaaaaaaaaaaaa' } });
      expect(answer.status).to.equal(200);
      expect(answer.headers['content-type']).to.match(/^text\/css/);
      expect(answer.headers['cache-control']).to.equal('public, max-age=31536000, immutable');
      expect(answer.set_cookie).to.deep.equal([]);
      expect(answer.headers.vary).to.equal(undefined);
    });

    it('answer 304 when nothing changed', async () => {
      const first = await visitor.get('/static/style.css');
      expect(first.headers['cache-control']).to.equal('no-cache');
      const headers = { 'If-Modified-Since': first.headers['last-modified'] ?? '' };
      const again = await visitor.get('/static/style.css', { headers });
      expect([again.status, again.text]).to.deep.equal([304, '']);
    });

    for (const path of [
      '/static/../layout.html',
      '/static/..%2flayout.html',
      '/static/%2e%2e/layout.html',
      '/static/..\\layout.html',
      '/static/nothing.css',
      '/static/.hidden',
      '/static/%00',
      '/static//etc/passwd',
    ]) {
      it(`do not lead out of their folder by ${path}`, async () => {
        const answer = await (await serve(site.app)).raw(
          `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        );
        expect(answer)
          .to.match(/^HTTP\/1\.1 4\d\d /)
          .and.not.include('csrfmiddlewaretoken');
      });
    }
  });

  describe('that fail', () => {
    it("have a page in the visitor's language, which says nothing of the inside", async () => {
      const english = await visitor.get('/nowhere/');
      const chinese = await visitor.get('/nowhere/', { headers: { 'Accept-Language': 'zh' } });
      expect(english.text).to.include('<h1>Page not found</h1>').and.include('/static/style.css');
      expect(chinese.text).to.include('<h1>找不到页面</h1>').and.include('lang="zh-Hans"');
    });

    it('for want of a CSRF token have one too', async () => {
      const answer = await visitor.postRaw('/login/', { username: 'alice' });
      expect(answer.status).to.equal(403);
      expect(answer.text).to.include('<h1>Not allowed</h1>');
    });

    it('for a body over the limit have one too', async () => {
      const answer = await visitor.post('/login/', { username: 'a'.repeat(3_000_000) });
      expect(answer.status).to.equal(413);
      expect(answer.text).to.include('<h1>Too large</h1>');
    });

    it('for want of a database have one that needs none, and keep the session cookie', async () => {
      const nowhere = connectKnex('postgres://nobody:x@127.0.0.1:1/none');
      const broken = makeSite(nowhere);
      const stranger = new Visitor(broken, { Cookie: 'sessionid=abcdefghijklmnopqrstuvwxyz012345' });
      const answer = await stranger.get('/index1/');
      expect(answer.status).to.equal(503);
      expect(answer.headers['retry-after']).to.match(/^\d+$/);
      expect(answer.text).to.include('Back in a moment').and.include('If you are logged in, you stay logged in');
      const nobody = await new Visitor(broken).get('/goods/');
      expect([nobody.status, nobody.text.includes('If you are logged in')]).to.deep.equal([503, false]);
      expect(answer.set_cookie).to.deep.equal([]);
      expect((await stranger.get('/static/style.css')).status).to.equal(200);
      await nowhere.destroy();
    });
  });
});
