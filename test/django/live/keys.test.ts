/** SECRET_KEY and its fallbacks, signed cookies and password hashes, each made at one side and read at the other. */
import { expect } from 'chai';
import { check_password, make_password } from '../../../server/auth/hashers.js';
import { Browser } from '../browser.js';
import { since } from '../environments.js';
import { eachDjango, login, makeUser, me, ops, other, type Pair, pairOf, SECRET_KEY, SIDES } from '../pairs.js';

const NEW_KEY = 'the-key-after-the-rotation-9876543210-zyxwvutsrqponm';
const HASHERS = ['pbkdf2_sha256', 'pbkdf2_sha1', 'argon2', 'bcrypt_sha256', 'bcrypt', 'scrypt'] as const;

await eachDjango((django, pair) => {
  describe('password hashes', () => {
    for (const hasher of HASHERS) {
      if (hasher === 'scrypt' && !since(django, 4, 0)) continue;
      it(`${hasher} made by Django verifies here`, async () => {
        const { encoded, password } = await makeUser(await pair(), { hasher });
        expect(encoded).to.match(new RegExp(`^${hasher}\\$`));
        expect(await check_password(password, encoded)).to.equal(true);
        expect(await check_password(`${password} `, encoded)).to.equal(false);
      });

      it(`${hasher} made here verifies at Django`, async () => {
        const { urls } = await pair();
        const encoded = await make_password('caf\u00e9 \u4e2d', { hasher });
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
    /** Both servers with the new key, on the database of the pair that has the old one. */
    const rotated = async (before: Pair, fallbacks: readonly string[]): Promise<Pair> =>
      pairOf(django, {
        DATABASE_URL: before.values.DATABASE_URL,
        SECRET_KEY: NEW_KEY,
        SECRET_KEY_FALLBACKS: JSON.stringify(fallbacks),
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
        // Django's get_user cycles the key and rewrites the hash with the new SECRET_KEY; so do we.
        expect(browser.jar.get('sessionid')).not.to.equal(key);
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
