/** One login for two servers: whoever logs in, logs out or changes a password at one side did so at both. */
import { expect } from 'chai';
import { Browser } from '../browser.js';
import { since } from '../environments.js';
import {
  account,
  changeUser,
  eachSite,
  formToken,
  keyOf,
  login,
  logout,
  makeUser,
  me,
  ops,
  other,
  row,
  SIDES,
} from '../pairs.js';

/** What Python's JSON makes of a key: a number, which may be more than a double holds, or text. */
const keyType = (id: string): string => {
  if (!/^\d+$/.test(id)) return 'string';
  return Number.isSafeInteger(Number(id)) ? 'number' : 'bigint';
};

await eachSite((django, pair) => {
  for (const side of SIDES) {
    describe(`a login at ${side}`, () => {
      it(`is a login at ${other(side)}`, async () => {
        const both = await pair();
        const user = await makeUser(both);
        const browser = new Browser();
        const answer = await login(both, side, browser, user.username, user.password);
        expect(answer.status).to.equal(302);
        expect(await me(both, side, browser)).to.equal(user.username);
        expect(await me(both, other(side), browser)).to.equal(user.username);
        for (const at of SIDES) {
          const seen = await account(both, at, browser);
          expect([String(seen?.id), typeof seen?.id], at).to.deep.equal([user.id, keyType(user.id)]);
        }
      });

      it('keeps what the visitor had and gives a new key, at both sides', async () => {
        const both = await pair();
        const user = await makeUser(both);
        const browser = new Browser();
        await ops(both, other(side), browser, ['set', 'basket', [1, 2]]);
        const before = keyOf(browser);
        await login(both, side, browser, user.username, user.password);
        const after = await ops(both, other(side), browser, ['get', 'basket']);
        expect(after.results).to.deep.equal([[1, 2]]);
        expect(after.state.session_key).not.to.equal(before);
        expect(await row(both, before)).to.equal(undefined);
      });

      it('does not change the stored password', async () => {
        const both = await pair();
        const user = await makeUser(both);
        await login(both, side, new Browser(), user.username, user.password);
        const { rows } = await both.db.query(`SELECT password FROM ${both.site.users} WHERE id = $1`, [user.id]);
        expect(rows).to.deep.equal([{ password: user.encoded }]);
      });

      it('is refused with a wrong password', async () => {
        const both = await pair();
        const user = await makeUser(both);
        const browser = new Browser();
        await login(both, side, browser, user.username, 'wrong');
        for (const at of SIDES) expect(await me(both, at, browser)).to.equal(null);
      });

      it('ends for both when the visitor logs out at either, and the row is gone', async () => {
        const both = await pair();
        const user = await makeUser(both);
        for (const at of SIDES) {
          const browser = new Browser();
          await login(both, side, browser, user.username, user.password);
          const stolen = new Browser();
          for (const [name, value] of browser.jar) stolen.jar.set(name, value);
          expect(await row(both, browser)).not.to.equal(undefined);
          expect((await logout(both, at, browser)).status).to.be.lessThan(400);
          expect(await row(both, stolen)).to.equal(undefined);
          for (const seenAt of SIDES) {
            expect(await me(both, seenAt, browser)).to.equal(null);
            expect(await me(both, seenAt, stolen)).to.equal(null);
          }
        }
      });

      it('ends when the password is changed at Django by someone else', async () => {
        const both = await pair();
        const user = await makeUser(both);
        const browser = new Browser();
        await login(both, side, browser, user.username, user.password);
        await changeUser(both, user.username, { password: 'new' });
        for (const at of [other(side), side]) expect(await me(both, at, browser)).to.equal(null);
      });

      it('survives the own change of password at Django, in this browser alone', async () => {
        const both = await pair();
        const user = await makeUser(both);
        const [here, elsewhere] = [new Browser(), new Browser()];
        for (const browser of [here, elsewhere]) await login(both, side, browser, user.username, user.password);
        const changed = await here.post(`${both.urls.django}/django/password/`, { json: '{"new":"a new one"}' });
        expect(changed.status).to.equal(200);
        for (const at of SIDES) {
          expect(await me(both, at, here)).to.equal(user.username);
          expect(await me(both, at, elsewhere)).to.equal(null);
        }
      });

      it('is anonymous while the user is deactivated', async () => {
        const both = await pair();
        const user = await makeUser(both);
        const browser = new Browser();
        await login(both, side, browser, user.username, user.password);
        await changeUser(both, user.username, { is_active: false });
        for (const at of SIDES) expect(await me(both, at, browser)).to.equal(null);
        await login(both, side, browser, user.username, user.password);
        for (const at of SIDES) expect(await me(both, at, browser)).to.equal(null);
      });

      it(`leaves nothing of the first user when a second one logs in at ${other(side)}`, async () => {
        const both = await pair();
        const [first, second] = [await makeUser(both), await makeUser(both)];
        const browser = new Browser();
        await login(both, side, browser, first.username, first.password);
        await ops(both, side, browser, ['set', 'secret', 'of the first']);
        const key = keyOf(browser);
        await login(both, other(side), browser, second.username, second.password);
        for (const at of SIDES) {
          expect(await me(both, at, browser)).to.equal(second.username);
          const seen = await ops(both, at, browser, ['has_key', 'secret']);
          expect(seen.results).to.deep.equal([false]);
          expect(seen.state.session_key).not.to.equal(key);
        }
        expect(await row(both, key)).to.equal(undefined);
      });
    });

    describe(`a CSRF token from ${side}`, () => {
      it(`is accepted by ${other(side)}, and only with its cookie`, async () => {
        const both = await pair();
        const user = await makeUser(both);
        const browser = new Browser();
        const csrfmiddlewaretoken = await formToken(both, side, browser);
        const form = { username: user.username, password: user.password, csrfmiddlewaretoken };
        const url = both.urls[other(side)] + (side === 'koa' ? '/django/login/' : '/login/');
        expect((await new Browser().post(url, { form })).status).to.equal(403);
        const changed = csrfmiddlewaretoken.replace(/^./, (letter) => (letter === 'a' ? 'b' : 'a'));
        expect((await browser.post(url, { form: { ...form, csrfmiddlewaretoken: changed } })).status).to.equal(403);
        // Django compares Origin since 4.0.
        if (side === 'django' || since(django, 4, 0)) {
          const headers = { origin: 'http://elsewhere.example' };
          expect((await browser.post(url, { form, headers })).status).to.equal(403);
        }
        const own = { origin: 'http://site.example', host: 'site.example' };
        expect((await browser.post(url, { form, headers: own })).status).to.equal(302);
        expect(await me(both, side, browser)).to.equal(user.username);
      });

      it('is renewed by a login at either side', async () => {
        const both = await pair();
        const user = await makeUser(both);
        const browser = new Browser();
        await formToken(both, side, browser);
        const before = browser.jar.get('csrftoken');
        await login(both, other(side), browser, user.username, user.password);
        expect(browser.jar.get('csrftoken')).to.match(/^\w{32,64}$/);
        expect(browser.jar.get('csrftoken')).not.to.equal(before);
      });
    });
  }
});
