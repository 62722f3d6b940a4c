/** Whoever migrates first, the tables are the ones that Django alone would have made. */
import { expect } from 'chai';
import { Browser } from '../browser.js';
import { since } from '../environments.js';
import { eachDjango, login, makeUser, me, newDatabase, pairOf, SECRET_KEY, SIDES } from '../pairs.js';
import { historyOf, type Schema, schemaOf, withoutCounters } from '../schema.js';
import { koaCommand, manage, type Values } from '../servers.js';

await eachDjango((django) => {
  const values = async (): Promise<Values> => ({ DATABASE_URL: await newDatabase(), SECRET_KEY });

  it('Django first: ours changes nothing in its tables', async () => {
    const here = await values();
    await manage(django, here, 'migrate', '--verbosity', '0');
    const [schema, history] = [await schemaOf(here.DATABASE_URL), await historyOf(here.DATABASE_URL)];
    await koaCommand(here, 'migrate');
    expect(await schemaOf(here.DATABASE_URL)).to.deep.equal(schema);
    expect(await historyOf(here.DATABASE_URL)).to.deep.equal(history);
    await koaCommand(here, 'migrate');
    expect(await schemaOf(here.DATABASE_URL)).to.deep.equal(schema);
    await koaCommand(here, 'migrate:rollback', '--all', '--yes');
    expect(await schemaOf(here.DATABASE_URL)).to.deep.equal(schema);
  });

  it('ours first: a plain migrate of Django passes, and both log the same user in', async () => {
    const here = await values();
    await koaCommand(here, 'migrate');
    await manage(django, here, 'migrate', '--verbosity', '0');
    const pair = await pairOf(django, here);
    const user = await makeUser(pair);
    for (const side of SIDES) {
      const browser = new Browser();
      await login(pair, side, browser, user.username, user.password);
      for (const at of SIDES) expect(await me(pair, at, browser)).to.equal(user.username);
    }
  });

  it('ours first, then Django: the tables are those of Django alone', async () => {
    const [alone, ours] = [await values(), await values()];
    await manage(django, alone, 'migrate', '--verbosity', '0');
    await koaCommand(ours, 'migrate');
    await manage(django, ours, 'migrate', '--verbosity', '0');
    expect([...(await historyOf(ours.DATABASE_URL))].sort()).to.deep.equal(
      [...(await historyOf(alone.DATABASE_URL))].sort(),
    );
    // Django has identity columns since 4.1; a serial counts just so, and ours takes either.
    const same = (schema: Schema): Schema => (since(django, 4, 1) ? schema : withoutCounters(schema));
    expect(same(await schemaOf(ours.DATABASE_URL))).to.deep.equal(same(await schemaOf(alone.DATABASE_URL)));
  });
});
