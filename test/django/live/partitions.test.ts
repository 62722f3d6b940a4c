/** Django beside a table of sessions of several partitions, in a schema other than public, which ours has made. */
import { expect } from 'chai';
import pg from 'pg';
import { Browser } from '../browser.js';
import type { Pair } from '../pairs.js';
import {
  eachDjango,
  keyOf,
  login,
  logout,
  makeUser,
  me,
  newDatabase,
  ops,
  other,
  pairOf,
  row,
  SECRET_KEY,
  SIDES,
} from '../pairs.js';
import { koaCommand, manage, type Values } from '../servers.js';

await eachDjango((django) => {
  let both: Pair;

  before(async () => {
    const values: Values = { DATABASE_URL: await newDatabase(), SECRET_KEY };
    const client = new pg.Client({ connectionString: values.DATABASE_URL });
    await client.connect();
    await client.query('CREATE SCHEMA shop');
    await client.query(`ALTER DATABASE "${client.database}" SET search_path = shop`);
    await client.end();
    await koaCommand(values, 'migrate', '--partitions', '4');
    await manage(django, values, 'migrate', '--verbosity', '0');
    both = await pairOf(django, values);
  });

  it('is where both keep their sessions', async () => {
    const { rows } = await both.db.query(
      "SELECT count(*)::int AS count FROM pg_inherits WHERE inhparent = 'shop.django_session'::regclass",
    );
    expect(rows).to.deep.equal([{ count: 4 }]);
  });

  for (const side of SIDES) {
    it(`a login at ${side} is known at both, and its logout elsewhere ends it`, async () => {
      const user = await makeUser(both);
      const browser = new Browser();
      await login(both, side, browser, user.username, user.password);
      for (const at of SIDES) expect(await me(both, at, browser)).to.equal(user.username);
      await logout(both, other(side), browser);
      for (const at of SIDES) expect(await me(both, at, browser)).to.equal(null);
    });

    it(`what ${side} writes, moves to a new key and changes again is there at the other`, async () => {
      const browser = new Browser();
      for (let times = 0; times < 4; times += 1) {
        await ops(both, side, browser, ['set', 'n', times], ['cycle_key']);
        const { results } = await ops(both, other(side), browser, ['get', 'n'], ['set', `from_${other(side)}`, times]);
        expect(results[0]).to.equal(times);
      }
    });

    it(`clearsessions of ${side} removes expired rows from every partition`, async () => {
      const keys: string[] = [];
      for (let times = 0; times < 6; times += 1) {
        const browser = new Browser();
        await ops(both, side, browser, ['set', 'n', times]);
        keys.push(keyOf(browser));
      }
      const expired = keys.slice(1);
      await both.db.query(
        "UPDATE django_session SET expire_date = now() - interval '5 s' WHERE session_key = ANY ($1)",
        [expired],
      );
      if (side === 'django') await manage(django, both.values, 'clearsessions');
      else await koaCommand(both.values, 'clearsessions');
      for (const key of expired) expect(await row(both, key)).to.equal(undefined);
      expect(await row(both, keys[0] as string)).not.to.equal(undefined);
    });
  }
});
