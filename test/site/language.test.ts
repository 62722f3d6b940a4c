/** Which language a visitor gets. */
import { expect } from 'chai';
import { acceptedLanguage, messages } from '../../server/site/i18n.js';
import { siteOfSuite, Visitor } from './visitor.js';

describe('Accept-Language', () => {
  const cases: readonly (readonly [header: string, language: string])[] = [
    ['', 'en'],
    ['en', 'en'],
    ['en-GB,en;q=0.9', 'en'],
    ['zh', 'zh-hans'],
    ['zh-CN', 'zh-hans'],
    ['ZH-cn', 'zh-hans'],
    ['zh-Hans', 'zh-hans'],
    ['zh-Hans-CN', 'zh-hans'],
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh-hans'],
    ['en;q=0.8,zh-CN;q=0.9', 'zh-hans'],
    ['fr,de;q=0.9', 'en'],
    ['fr,zh;q=0.1', 'zh-hans'],
    ['zh;q=0,en', 'en'],
    ['zh;q=0', 'en'],
    ['*', 'en'],
    ['fr, *;q=0.5, zh;q=0.1', 'en'],
    ['zha', 'en'],
    ['zh;q=1.5', 'en'],
    [';;;,,,q=1', 'en'],
    ['zh;q=x', 'en'],
    [`${'a-'.repeat(100_000)},zh`, 'en'],
    [`${' '.repeat(100_000)}zh`, 'en'],
  ];
  for (const [header, language] of cases) {
    it(`${JSON.stringify(header.slice(0, 40))} is read as ${language}`, () => {
      expect(acceptedLanguage(header)).to.equal(language);
    });
  }
});

describe('messages', () => {
  it('are there in Chinese for every English one, and none is English by mistake', () => {
    const english = messages('en');
    const chinese: Readonly<Record<string, unknown>> = messages('zh-hans');
    expect(Object.keys(chinese)).to.deep.equal(Object.keys(english));
    for (const [key, text] of Object.entries(english)) {
      if (!['second_key', 'last_visit_cookie'].includes(key)) expect(chinese[key], key).to.not.equal(text);
    }
  });
});

describe('the language of a page', () => {
  const site = siteOfSuite();
  let visitor: Visitor;
  beforeEach(() => {
    visitor = new Visitor(site);
  });

  it('is in lang and Content-Language', async () => {
    const answer = await visitor.get('/index1/', { headers: { 'Accept-Language': 'zh-CN' } });
    expect(answer.text).to.include('<html lang="zh-Hans">');
    expect(answer.headers['content-language']).to.equal('zh-Hans');
  });

  it('is chosen by a link, with the cookie of Django, and then comes before Accept-Language', async () => {
    const answer = await visitor.get('/language/zh-hans/?next=/goods/');
    expect([answer.status, answer.headers.location]).to.deep.equal([302, '/goods/']);
    expect(answer.set_cookie).to.deep.equal(['django_language=zh-hans; Path=/']);
    expect((await visitor.get('/index1/', { headers: { 'Accept-Language': 'en' } })).text).to.include('您还没登录');
    await visitor.get('/language/en/');
    expect((await visitor.get('/index1/', { headers: { 'Accept-Language': 'zh' } })).text).to.include(
      'You are not logged in yet',
    );
  });

  it('is offered by a link back to the same page', async () => {
    expect((await visitor.get('/login/?next=/goods/')).text).to.include(
      'href="/language/zh-hans/?next=%2Flogin%2F%3Fnext%3D%2Fgoods%2F"',
    );
  });

  for (const code of ['de', 'EN', 'zh', '__proto__', '..%2f', '%0d%0aSet-Cookie:%20a=b', '%ff']) {
    it(`cannot be chosen as ${code}`, async () => {
      const answer = await visitor.get(`/language/${code}/`);
      expect(answer.status).to.be.within(400, 404);
      expect(answer.set_cookie).to.deep.equal([]);
    });
  }

  for (const next of [
    '//evil.example',
    'https://evil.example/',
    '/\\evil.example',
    'javascript:alert(1)',
    '%0d%0aX:%20y',
  ]) {
    it(`is not followed by a way to ${next}`, async () => {
      const answer = await visitor.get(`/language/en/?next=${next.includes('%') ? next : encodeURIComponent(next)}`);
      expect(new URL(answer.headers.location ?? '', 'http://site.example/').host).to.equal('site.example');
      expect(answer.headers['x']).to.equal(undefined);
    });
  }

  for (const value of ['zh-hans', 'zh-Hans-CN', 'zh']) {
    it(`follows a cookie that says ${value}`, async () => {
      const answer = await visitor.get('/index1/', { headers: { Cookie: `django_language=${value}` } });
      expect(answer.headers['content-language']).to.equal('zh-Hans');
    });
  }

  for (const value of ['', 'xx', '"', '__proto__', 'a'.repeat(5000)]) {
    it(`falls back from a cookie that says ${JSON.stringify(value.slice(0, 20))}`, async () => {
      const answer = await visitor.get('/index1/', {
        headers: { Cookie: `django_language=${value}`, 'Accept-Language': 'zh' },
      });
      expect(answer.headers['content-language']).to.equal('zh-Hans');
    });
  }
});
