/** clearsessions of each side removes the expired rows of both and no other. */
import { expect } from 'chai';
import { Browser } from '../browser.js';
import { eachDjango, keyOf, ops, type Pair, row, SIDES, type Side } from '../pairs.js';
import { koaCommand, manage } from '../servers.js';

/** A row written by `side`, then moved to `seconds` from now. */
async function session(pair: Pair, side: Side, seconds: number): Promise<string> {
  const browser = new Browser();
  await ops(pair, side, browser, ['set', 'by', side]);
  const key = keyOf(browser);
  const move = "UPDATE django_session SET expire_date = now() + $2 * interval '1 second' WHERE session_key = $1";
  await pair.db.query(move, [key, seconds]);
  return key;
}

await eachDjango((django, pair) => {
  for (const side of SIDES) {
    it(`clearsessions of ${side} removes expired rows of both and leaves the others`, async () => {
      const both = await pair();
      const expired = [await session(both, 'django', -5), await session(both, 'koa', -5)];
      const live = [await session(both, 'django', 60), await session(both, 'koa', 60)];
      if (side === 'django') await manage(django, both.values, 'clearsessions');
      else await koaCommand(both.values, 'clearsessions');
      for (const key of expired) expect(await row(both, key)).to.equal(undefined);
      for (const key of live) expect(await row(both, key)).not.to.equal(undefined);
    });
  }
});
