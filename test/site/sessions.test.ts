/** `/sessions/`: where a user is logged in, and the buttons that end it. */
import { expect } from 'chai';
import { ALICE, BOB, countSessions, siteOfSuite, Visitor } from './visitor.js';

const FIREFOX = { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' };
const CURL = { 'User-Agent': 'curl/8.5.0' };

describe('your sessions', () => {
  const site = siteOfSuite();
  beforeEach(async () => {
    await site.knex('django_session').delete();
    await site.knex('koa_user_sessions').delete();
  });

  async function loggedIn(user: typeof ALICE, headers: Readonly<Record<string, string>>): Promise<Visitor> {
    const visitor = new Visitor(site, headers);
    await visitor.logIn(user);
    return visitor;
  }

  const titles = (text: string): string[] => Array.from(text.matchAll(/<h2>(.*?)<\/h2>/g), ([, title = '']) => title);
  const ids = (text: string): string[] => Array.from(text.matchAll(/name="end" value="(\w+)"/g), ([, id = '']) => id);

  it('are for users: others log in first, and come back', async () => {
    for (const path of ['/sessions/', '/password/']) {
      const answer = await new Visitor(site).get(path);
      expect([answer.status, answer.headers.location]).to.deep.equal([302, `/login/?next=${encodeURIComponent(path)}`]);
      expect((await new Visitor(site).post(path)).headers.location).to.equal(answer.headers.location);
    }
  });

  it('are listed, this one first, in both languages', async () => {
    const mine = await loggedIn(ALICE, FIREFOX);
    await loggedIn(ALICE, CURL);
    await loggedIn(BOB, CURL);
    const { text } = await mine.get('/sessions/');
    expect(titles(text).slice(0, 3)).to.deep.equal(['Firefox 128 on Linux', 'curl', 'What the server knows']);
    expect(text.match(/This browser/g)).to.have.lengthOf(1);
    expect(text).to.include('End the other session').and.include('127.0.0.0/24');
    expect(text).to.not.include(mine.cookies.get('sessionid'));
    const chinese = await mine.get('/sessions/', { headers: { 'Accept-Language': 'zh' } });
    expect(chinese.text).to.include('Linux 上的 Firefox 128').and.include('结束另一个会话');
  });

  it('end one by one: its browser is nobody’s, this one stays', async () => {
    const [mine, other] = [await loggedIn(ALICE, FIREFOX), await loggedIn(ALICE, CURL)];
    const [, end = ''] = ids((await mine.get('/sessions/')).text);
    expect((await mine.post('/sessions/', { end })).headers.location).to.equal('/sessions/');
    expect((await mine.get('/sessions/')).text)
      .to.include('One session has ended.')
      .and.not.include('curl');
    expect([(await mine.me()).user?.username, (await other.me()).user]).to.deep.equal(['alice', null]);
  });

  it('end all but this one', async () => {
    const mine = await loggedIn(ALICE, FIREFOX);
    const others = [await loggedIn(ALICE, CURL), await loggedIn(ALICE, CURL)];
    const bob = await loggedIn(BOB, CURL);
    await mine.post('/sessions/');
    expect((await mine.get('/sessions/')).text).to.include('2 sessions have ended.');
    for (const other of others) expect((await other.me()).user).to.equal(null);
    expect((await bob.me()).user?.username).to.equal('bob');
    await mine.post('/sessions/');
    expect((await mine.get('/sessions/')).text).to.include('No other session was left.');
  });

  it('end with this one by a logout', async () => {
    const mine = await loggedIn(ALICE, FIREFOX);
    const [end = ''] = ids((await mine.get('/sessions/')).text);
    expect((await mine.post('/sessions/', { end })).headers.location).to.equal('/index1/');
    expect((await mine.me()).user).to.equal(null);
    expect(await countSessions(site.knex)).to.equal(0);
  });

  it('are not ended by another user, without a token, or by a name that nobody has', async () => {
    const [mine, bob] = [await loggedIn(ALICE, FIREFOX), await loggedIn(BOB, CURL)];
    const [end = ''] = ids((await mine.get('/sessions/')).text);
    await bob.post('/sessions/', { end });
    for (const other of ['', 'x', '\u0000', '%', end.toUpperCase()]) await bob.post('/sessions/', { end: other });
    expect((await mine.postRaw('/sessions/', { end })).status).to.equal(403);
    expect((await mine.me()).user?.username).to.equal('alice');
  });

  it('print what a browser calls itself as text', async () => {
    const mine = await loggedIn(ALICE, { 'User-Agent': '<img src=x onerror=alert(1)>' });
    const { text } = await mine.get('/sessions/');
    expect(text).to.include('Unknown browser').and.not.include('<img');
  });
});
