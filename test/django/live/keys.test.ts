/** SECRET_KEY and its fallbacks, signed cookies and password hashes, each made at one side and read at the other. */
import { expect } from 'chai';
import * as auth from '../../../server/auth/index.js';
import { Browser } from '../browser.js';
import { since } from '../environments.js';
import {
  eachDjango,
  keyOf,
  login,
  logout,
  makeUser,
  me,
  ops,
  other,
  row,
  SECRET_KEY,
  SIDES,
  tryOps,
} from '../pairs.js';
import { copyOf, rotated, twentyLogins } from '../rotation.js';

const HASHERS = ['pbkdf2_sha256', 'pbkdf2_sha1', 'argon2', 'bcrypt_sha256', 'bcrypt', 'scrypt'] as const;

await eachDjango((django, pair) => {
  describe('password hashes', () => {
    for (const hasher of HASHERS) {
      if (hasher === 'scrypt' && !since(django, 4, 0)) continue;
      it(`${hasher} made by Django verifies here`, async () => {
        const { encoded, password } = await makeUser(await pair(), { hasher });
        expect(encoded).to.match(new RegExp(`^${hasher}\\$`));
        expect(await auth.check_password(password, encoded)).to.equal(true);
        expect(await auth.check_password(`${password} `, encoded)).to.equal(false);
      });

      it(`${hasher} made here verifies at Django`, async () => {
        const { urls } = await pair();
        const encoded = await auth.make_password('caf\u00e9 \u4e2d', { hasher });
        const verify = async (password: string): Promise<unknown> =>
          (await new Browser().post(`${urls.django}/django/password/`, { json: JSON.stringify({ password, encoded }) }))
            .json;
        expect(await verify('caf\u00e9 \u4e2d')).to.deep.equal({ verified: true });
        expect(await verify('cafe')).to.deep.equal({ verified: false });
      });

      it(`a user with a ${hasher} hash logs in at our side and is known at Django`, async () => {
        const both = await pair();
        const user = await makeUser(both, { hasher });
        const browser = new Browser();
        await login(both, 'koa', browser, user.username, user.password);
        expect(await me(both, 'django', browser)).to.equal(user.username);
      });
    }
  });

  // SECRET_KEY_FALLBACKS came with Django 4.1.
  if (!since(django, 4, 1)) return;

  describe('rotation of SECRET_KEY', () => {
    it('logs nobody out whose page sends six requests at once to our side, and Django goes on with all', async () => {
      const before = await pair();
      const after = await rotated(before, [SECRET_KEY]);
      const { username, browsers } = await twentyLogins(before);
      await Promise.all(
        browsers.map(async (browser) => {
          const key = keyOf(browser);
          const answers = await Promise.all([
            ...[1, 2, 3, 4].map(() => browser.get(`${after.urls.koa}/api/me/`)),
            ...['a', 'b'].map(async (name) => (await ops(after, 'koa', browser, ['set', name, 1])).answer),
          ]);
          for (const { status, json, set_cookie } of answers.slice(0, 4)) {
            expect(status).to.equal(200);
            expect(json).to.have.nested.property('user.username', username);
            expect(set_cookie).to.deep.equal([]);
          }
          for (const { set_cookie } of answers) for (const line of set_cookie) expect(line).to.not.match(/max-age=0/i);
          expect(keyOf(browser)).to.equal(key);
          expect((await ops(after, 'koa', browser, ['get', 'a'], ['get', 'b'])).results).to.deep.equal([1, 1]);
        }),
      );
      // The hash is written anew, so that Django has no reason to take another key, and nobody needs the old SECRET_KEY.
      const finished = await rotated(before, []);
      for (const browser of browsers) {
        const key = keyOf(browser);
        const seen = await Promise.all([
          ...[1, 2, 3, 4].map(() => me(after, 'django', browser)),
          ...SIDES.map((side) => me(finished, side, browser)),
        ]);
        expect(seen).to.deep.equal(seen.map(() => username));
        expect(keyOf(browser)).to.equal(key);
      }
    });

    it('answers as the user, and deletes no cookie, while Django takes a new key for the same session', async () => {
      const before = await pair();
      const after = await rotated(before, [SECRET_KEY]);
      const { username, browsers } = await twentyLogins(before);
      await Promise.all(
        browsers.map(async (browser) => {
          const ours = copyOf(browser);
          // As a browser sends a page's own requests.
          const headers = { 'sec-fetch-mode': 'cors' };
          const reads = [1, 2, 3].map(() => ours.get(`${after.urls.koa}/api/me/`, headers));
          const theirs = browser.get(`${after.urls.django}/django/me/`);
          for (const { status, json, set_cookie } of await Promise.all(reads)) {
            expect(status).to.equal(200);
            expect(set_cookie).to.deep.equal([]);
            // Nobody's, where Django had deleted the row before it was read.
            expect([username, undefined]).to.include((json as { user: { username: string } | null }).user?.username);
          }
          expect((await theirs).json).to.have.nested.property('user.username', username);
          for (const side of SIDES) expect(await me(after, side, browser)).to.equal(username);
        }),
      );
    });

    it('leaves a logout final that comes while a page sends its first requests after it', async () => {
      const before = await pair();
      const after = await rotated(before, [SECRET_KEY]);
      const { browsers } = await twentyLogins(before);
      await Promise.all(
        browsers.map(async (browser, i) => {
          const side = i % 4 < 2 ? 'koa' : 'django';
          const stolen = copyOf(browser);
          const page = copyOf(browser);
          const requests = [
            ...[1, 2, 3, 4].map(() => page.get(`${after.urls.koa}/api/me/`)),
            tryOps(after, 'koa', copyOf(browser), ['set', 'late', 1]).then(({ answer }) => answer),
          ];
          expect((await logout(after, side, browser)).status).to.be.lessThan(400);
          for (const [n, { status }] of (await Promise.all(requests)).entries()) {
            // Only what would have been written and is not says so.
            expect(n < 4 ? [200] : [200, 400]).to.include(status);
          }
          expect(await row(after, stolen), 'the row').to.equal(undefined);
          for (const at of SIDES) expect(await me(after, at, stolen)).to.equal(null);
        }),
      );
    });

    for (const side of SIDES) {
      it(`a login from before it at ${side} goes on at ${other(side)}, which has the old key as fallback`, async () => {
        const before = await pair();
        const after = await rotated(before, [SECRET_KEY]);
        const user = await makeUser(before);
        const browser = new Browser();
        await login(before, side, browser, user.username, user.password);
        const key = browser.jar.get('sessionid');
        expect(await me(after, other(side), browser)).to.equal(user.username);
        // Both rewrite the hash with the new SECRET_KEY; Django's get_user takes a new session key for it, we do not.
        expect(browser.jar.get('sessionid') === key).to.equal(other(side) === 'koa');
        expect(await me(after, side, browser)).to.equal(user.username);
      });

      it(`it ends at ${other(side)} without fallback`, async () => {
        const before = await pair();
        const after = await rotated(before, []);
        const user = await makeUser(before);
        const browser = new Browser();
        await login(before, side, browser, user.username, user.password);
        const key = browser.jar.get('sessionid');
        expect(await me(after, other(side), browser)).to.equal(null);
        browser.jar.set('sessionid', key ?? '');
        expect((await ops(after, other(side), browser, ['keys'])).results).to.deep.equal([[]]);
        // Nothing was deleted: who still has the old key still has the session.
        expect(await me(before, side, browser)).to.equal(user.username);
      });
    }
  });
});
