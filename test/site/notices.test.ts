/** What the site says once: after a login and a logout, and what a Django left for its visitors. */
import { expect } from 'chai';
import { ALICE, siteOfSuite, Visitor } from './visitor.js';

const STATUS = /<div role="status">([\s\S]*?)<\/div>/;

describe('notices', () => {
  const site = siteOfSuite({ settings: { MESSAGE_STORAGE: 'session' } });
  let visitor: Visitor;
  beforeEach(() => {
    visitor = new Visitor(site);
  });

  /** What a page says in its notices, without tags; null where it has none. */
  const noticesOn = async (path: string): Promise<string | null> => {
    const found = STATUS.exec((await visitor.get(path)).text);
    return found === null ? null : (found[1] ?? '').replace(/<[^>]*>/g, '').trim();
  };

  it('say once that a login and a logout are done', async () => {
    await visitor.logIn(ALICE);
    expect(await noticesOn('/index2/')).to.equal('You are logged in as alice now.');
    expect(await noticesOn('/index1/')).to.equal(null);
    await visitor.post('/logout/');
    expect(await noticesOn('/goods/')).to.equal('You are logged out.');
    expect(await noticesOn('/goods/')).to.equal(null);
  });

  it('are in the language of the page that said it', async () => {
    visitor = new Visitor(site, { 'Accept-Language': 'zh-CN' });
    await visitor.logIn(ALICE);
    expect(await noticesOn('/index1/')).to.equal('您已登录为 alice。');
    await visitor.post('/logout/');
    expect(await noticesOn('/index1/')).to.equal('您已退出登录。');
  });

  it('send no cookie and take no session where there are none', async () => {
    const { set_cookie } = await visitor.get('/index1/');
    expect(set_cookie).to.deep.equal([]);
  });

  it('wait while the page of an error is shown', async () => {
    await visitor.logIn(ALICE);
    expect((await visitor.get('/nowhere/')).status).to.equal(404);
    expect(await noticesOn('/index1/')).to.equal('You are logged in as alice now.');
  });

  it('print as HTML only what a Django has marked as safe', async () => {
    await visitor.logIn(ALICE);
    await visitor.get('/index1/');
    await visitor.change((data) =>
      data.set(
        '_messages',
        '[["__json_message", 1, 25, "<em>Saved</em>"], ["__json_message", 0, 40, "<script>alert(1)</script>", "x"]]',
      ),
    );
    const { text } = await visitor.get('/index1/');
    expect(STATUS.exec(text)?.[1])
      .to.include('<p class="alert good-news"><em>Saved</em></p>')
      .and.include('<p class="alert">&lt;script&gt;alert(1)&lt;/script&gt;</p>');
  });
});
