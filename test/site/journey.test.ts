/** A visitor's way through the site: first visit, captcha, login, home pages, last visit, goods, second user, logout. */
import { expect } from 'chai';
import { ALICE, BOB, countSessions, makeSite, siteOfSuite, type TestSite, Visitor } from './visitor.js';

describe('the site', () => {
  const site = siteOfSuite();
  let visitor: Visitor;
  let lab: TestSite;
  beforeEach(async () => {
    await site.knex('django_session').delete();
    visitor = new Visitor(site);
  });

  describe('to an anonymous visitor', () => {
    it('sends / on to the first home page', async () => {
      const answer = await visitor.get('/');
      expect([answer.status, answer.headers.location]).to.deep.equal([302, '/index1/']);
    });

    for (const path of ['/index1/', '/index2/']) {
      it(`says on ${path} that nobody is logged in yet`, async () => {
        const english = await visitor.get(path);
        const chinese = await visitor.get(path, { headers: { 'Accept-Language': 'zh-CN,zh;q=0.9' } });
        expect(english.status).to.equal(200);
        expect(english.text).to.include('You are not logged in yet');
        expect(chinese.text).to.include('您还没登录');
      });
    }

    it('makes no row and no session cookie by any page', async () => {
      const pages = [
        '/',
        '/index1/',
        '/index2/',
        '/login/',
        '/last-visit/',
        '/goods/',
        '/goods/1/',
        '/goods/2/',
        '/api/me/',
        '/nowhere/',
        '/language/en/',
      ];
      for (const path of pages) expect((await visitor.get(path)).status, path).to.be.below(500);
      expect(visitor.cookies.has('sessionid')).to.equal(false);
      expect(await countSessions(site.knex)).to.equal(0);
    });

    it('makes one row a browser by any number of pictures, for an hour', async () => {
      for (let i = 0; i < 3; i += 1) await visitor.get('/captcha/');
      expect(await countSessions(site.knex)).to.equal(1);
      const row = await site.knex('django_session').first();
      expect(row.expire_date.getTime() / 1000).to.equal(site.clock.now + 3599);
    });

    it('makes it for an hour also where the cookie names a row that is gone', async () => {
      visitor.cookies.set('sessionid', 'g'.repeat(32));
      await visitor.get('/captcha/');
      const row = await site.knex('django_session').first();
      expect(row.expire_date.getTime() / 1000).to.equal(site.clock.now + 3599);
    });

    it('keeps every page from caches, and says on what it depends', async () => {
      for (const path of ['/index1/', '/login/', '/goods/', '/last-visit/']) {
        const { headers } = await visitor.get(path);
        expect(headers['cache-control'], path).to.equal('no-store');
        expect(headers.vary?.split(', '), path).to.include.members(['Cookie', 'Accept-Language']);
        expect(headers['content-language'], path).to.equal('en');
      }
    });
  });

  describe('after a login', () => {
    beforeEach(async () => {
      const answer = await visitor.logIn(ALICE);
      expect([answer.status, answer.headers.location]).to.deep.equal([302, '/index1/']);
    });

    for (const path of ['/index1/', '/index2/']) {
      it(`shows the name on ${path}`, async () => {
        const page = await visitor.get(path);
        expect(page.text).to.include('alice').and.not.include('You are not logged in yet');
      });
    }

    it('tells machines who it is, with a shortened key', async () => {
      const me = await visitor.me();
      expect(me.user?.username).to.equal('alice');
      expect(me.session_key).to.equal(`${visitor.cookies.get('sessionid')?.slice(0, 4)}…`);
    });

    it('has a session of the usual age again, without what only served the form', async () => {
      const row = await site.knex('django_session').first();
      expect(row.expire_date.getTime() / 1000).to.equal(site.clock.now + site.settings.SESSION_COOKIE_AGE);
      expect((await visitor.row())?.keys()).to.deep.equal(['_auth_user_id', '_auth_user_backend', '_auth_user_hash']);
    });

    it('ends with a POST to /logout/, and the row with it', async () => {
      const answer = await visitor.post('/logout/');
      expect([answer.status, answer.headers.location]).to.deep.equal([302, '/index1/']);
      expect(await countSessions(site.knex)).to.equal(0);
      expect(visitor.cookies.has('sessionid')).to.equal(false);
      expect((await visitor.me()).user).to.equal(null);
    });

    it('is not ended by a GET, nor by a POST without a token', async () => {
      const get = await visitor.get('/logout/');
      expect([get.status, get.headers.allow]).to.deep.equal([405, 'POST']);
      expect((await visitor.postRaw('/logout/', {})).status).to.equal(403);
      expect((await visitor.me()).user?.username).to.equal('alice');
    });
  });

  describe('shows what a second login does', () => {
    before(async () => {
      lab = makeSite(site.knex, { lab: true });
    });
    beforeEach(() => {
      visitor = new Visitor(lab);
    });

    it('from nobody to somebody: the data stays, the key changes', async () => {
      await visitor.get('/captcha/');
      await visitor.get('/goods/3/');
      const before = visitor.cookies.get('sessionid')?.slice(0, 4) ?? '';
      const answer = await visitor.logIn(ALICE, '/second-login/');
      expect(answer.headers.location).to.equal('/second-login/');
      const page = await visitor.get('/second-login/');
      const after = visitor.cookies.get('sessionid')?.slice(0, 4) ?? '';
      expect(after).to.not.equal(before);
      expect(page.text).to.include(`<code>${before}…</code>`).and.include(`<code>${after}…</code>`);
      expect(page.text).to.include('Nobody was logged in before').and.include('no, deleted');
      expect((await visitor.row())?.get('viewed_goods')).to.deep.equal([3]);
    });

    it('to another user: the first row is deleted with its data', async () => {
      await visitor.logIn(ALICE);
      await visitor.get('/goods/3/');
      const before = visitor.cookies.get('sessionid') ?? '';
      await visitor.logIn(BOB, '/second-login/');
      const page = await visitor.get('/second-login/');
      expect(page.text)
        .to.include('Another person logged in')
        .and.include(`<code>${before.slice(0, 4)}…</code>`);
      expect(page.text).to.match(/somebody else[\s\S]*one value[\s\S]*no, deleted[\s\S]*<bdi>bob<\/bdi>/);
      expect(await site.knex('django_session').where({ session_key: before })).to.deep.equal([]);
      expect((await visitor.row())?.has('viewed_goods')).to.equal(false);
      expect(await countSessions(site.knex)).to.equal(1);
    });

    it('without a word of what the former person kept, on the page or in the row', async () => {
      await visitor.logIn(ALICE);
      await visitor.change((data) => data.set('diagnosis_of_alice', ['flu']));
      const before = visitor.cookies.get('sessionid') ?? '';
      await visitor.logIn(BOB, '/second-login/');
      const page = await visitor.get('/second-login/');
      const row = JSON.stringify((await visitor.row())?.items());
      for (const text of [page.text, row]) {
        expect(text).to.not.include('alice').and.not.include('diagnosis').and.not.include(before);
      }
    });

    it('and shows no names from a report of an earlier release', async () => {
      await visitor.logIn(BOB);
      const before = { key: 'abcd', user: 'alice', members: ['diagnosis_of_alice'] };
      await visitor.change((data) => data.set('second_login', { kind: 'other', before, oldRowExists: false }));
      expect((await visitor.get('/second-login/')).text).to.not.include('alice');
    });

    it('in development alone: elsewhere there is no such page, no link to it, and no report', async () => {
      visitor = new Visitor(site);
      await visitor.logIn(ALICE);
      await visitor.logIn(BOB, '/second-login/');
      expect((await visitor.row())?.has('second_login')).to.equal(false);
      expect((await visitor.get('/second-login/')).status).to.equal(404);
      expect((await visitor.get('/index1/')).text).to.not.include('/second-login/');
    });

    it('to the same user again: the data stays, the key changes', async () => {
      await visitor.logIn(ALICE);
      await visitor.get('/goods/3/');
      const before = visitor.cookies.get('sessionid');
      await visitor.logIn(ALICE, '/second-login/');
      expect(visitor.cookies.get('sessionid')).to.not.equal(before);
      expect((await visitor.get('/second-login/')).text).to.include('The same person logged in again');
      expect((await visitor.row())?.get('viewed_goods')).to.deep.equal([3]);
    });

    it('and is not confused by a report that others wrote', async () => {
      await visitor.logIn(ALICE);
      for (const report of [
        1,
        'x',
        [],
        {},
        { kind: 'other' },
        { kind: 'other', before: { key: [], user: {}, count: 1 }, oldRowExists: true },
      ]) {
        await visitor.change((data) => data.set('second_login', report));
        const page = await visitor.get('/second-login/');
        expect(page.status).to.equal(200);
        expect(page.text).to.not.include('What just happened');
      }
    });
  });
});
