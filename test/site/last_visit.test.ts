/** The last-visit page: two cookies, one of which cannot be changed unnoticed. */
import { expect } from 'chai';
import { siteOfSuite, Visitor } from './visitor.js';

describe('the last-visit page', () => {
  const site = siteOfSuite();
  let visitor: Visitor;
  beforeEach(() => {
    site.clock.now = 1_767_225_600; // 2026-01-01T00:00:00Z
    visitor = new Visitor(site);
  });

  it('knows a first visit, and sets a plain and a signed cookie for a year', async () => {
    const answer = await visitor.get('/last-visit/');
    expect(answer.text).to.include('This is the first visit of this browser');
    expect(answer.set_cookie[0]).to.equal(
      'last_visit=2026-01-01T00:00:00Z; expires=Fri, 01 Jan 2027 00:00:00 GMT; HttpOnly; Max-Age=31536000; Path=/; SameSite=Lax',
    );
    expect(answer.set_cookie[1]).to.match(/^last_visit_signed="?2026-01-01T00:00:00Z:\w+:[\w-]{43}"?; expires=/);
  });

  it('shows the time of the visit before this one', async () => {
    await visitor.get('/last-visit/');
    site.clock.now += 90_061;
    const second = await visitor.get('/last-visit/');
    expect(second.text).to.include('datetime="2026-01-01T00:00:00.000Z"').and.include('January 1, 2026');
    expect(second.text).to.include('Yes: the signature is right').and.not.include('role="alert"');
    expect((await visitor.get('/last-visit/')).text).to.include('datetime="2026-01-02T01:01:01.000Z"');
  });

  it('says it in Chinese', async () => {
    await visitor.get('/last-visit/');
    expect((await visitor.get('/last-visit/', { headers: { 'Accept-Language': 'zh' } })).text).to.include(
      '2026年1月1日',
    );
  });

  it('believes a changed plain cookie, says that the two disagree, and shows the signed time first', async () => {
    await visitor.get('/last-visit/');
    visitor.cookies.set('last_visit', '2020-02-02T00:00:00Z');
    const { text } = await visitor.get('/last-visit/');
    expect(text).to.include('February 2, 2020').and.include('The two cookies disagree').and.include('role="alert"');
    expect(/class="lead"><time datetime="([^"]*)"/.exec(text)?.[1]).to.equal('2026-01-01T00:00:00.000Z');
  });

  it('finds a changed signed cookie out', async () => {
    await visitor.get('/last-visit/');
    visitor.cookies.set('last_visit_signed', (visitor.cookies.get('last_visit_signed') ?? '').replace('2026', '2020'));
    const { text } = await visitor.get('/last-visit/');
    expect(text).to.include('No: the signature does not match').and.not.include('January 1, 2020');
  });

  for (const value of [
    '',
    'x',
    '2026-13-45T99:99:99Z',
    '"quo\\"ted"',
    'a'.repeat(4000),
    '%00%ff',
    '__proto__',
    '2026-01-01T00:00:00Z:a:b:c',
  ]) {
    it(`survives ${JSON.stringify(value.slice(0, 30))} in both cookies`, async () => {
      const answer = await visitor.get('/last-visit/', {
        headers: { Cookie: `last_visit=${value}; last_visit_signed=${value}` },
      });
      expect(answer.status).to.equal(200);
      expect(answer.set_cookie).to.have.lengthOf(2);
    });
  }
});
