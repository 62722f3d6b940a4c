/** A change of SECRET_KEY at a Django with our engine: pages that send several requests at once stay logged in. */
import { expect } from 'chai';
import { type Answer, type Browser, hangUp } from '../browser.js';
import { type EngineProject, engineProject } from '../engine.js';
import { since } from '../environments.js';
import { eachDjango, keyOf, logout, me, ops, type Pair, pairOf, row, SECRET_KEY, SIDES, tryOps } from '../pairs.js';
import { copyOf, rotated, twentyLogins } from '../rotation.js';

await eachDjango((django) => {
  // SECRET_KEY_FALLBACKS came with Django 4.1.
  if (!since(django, 4, 1)) return;

  let project: EngineProject;
  before(async () => {
    project = await engineProject();
  });
  after(async () => {
    hangUp();
    await project.remove();
  });

  /** Servers that have the old key as fallback, and twenty sessions from before. */
  async function start(): Promise<{ old: Pair; now: Pair; username: string; browsers: readonly Browser[] }> {
    const old = await pairOf(django, project.values);
    return { old, now: await rotated(old, [SECRET_KEY]), ...(await twentyLogins(old)) };
  }

  /** What an answer tells its browser: 'the user, under the same key' is as it should be. */
  function verdict(answer: Answer, username: string, key: string): string {
    if (answer.status !== 200) return String(answer.status);
    const cookies = answer.set_cookie.filter((line) => line.startsWith('sessionid='));
    if (cookies.some((line) => /max-age=0/i.test(line))) return 'nobody, and the cookie is deleted';
    if ((answer.json as { user: { username: string } | null }).user?.username !== username) return 'nobody';
    return cookies.every((line) => line.startsWith(`sessionid=${key};`))
      ? 'the user, under the same key'
      : 'the user, under a new key';
  }

  /** How many answers tell what. */
  function counted(verdicts: readonly string[]): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const text of verdicts) counts[text] = (counts[text] ?? 0) + 1;
    return counts;
  }

  /** All are logged in at both servers, under the keys that they have, and nobody needs the old SECRET_KEY any more. */
  async function expectAllLoggedIn(old: Pair, username: string, keys: ReadonlyMap<Browser, string>): Promise<void> {
    const finished = await rotated(old, []);
    for (const [browser, key] of keys) {
      expect(keyOf(browser)).to.equal(key);
      for (const side of SIDES) expect(await me(finished, side, browser)).to.equal(username);
      expect(keyOf(browser)).to.equal(key);
    }
  }

  it('logs nobody out whose page sends four requests at once to Django', async function () {
    this.timeout(180_000);
    const { old, now, username, browsers } = await start();
    const keys = new Map(browsers.map((browser) => [browser, keyOf(browser)]));
    const verdicts = await Promise.all(
      [...keys].flatMap(([browser, key]) =>
        [1, 2, 3, 4].map(async () => verdict(await browser.get(`${now.urls.django}/django/me/`), username, key)),
      ),
    );
    expect(counted(verdicts)).to.deep.equal({ 'the user, under the same key': 80 });
    await expectAllLoggedIn(old, username, keys);
  });

  it('logs nobody out whose page sends requests to both servers at once, and keeps what all of them write', async function () {
    this.timeout(180_000);
    const { old, now, username, browsers } = await start();
    const keys = new Map(browsers.map((browser) => [browser, keyOf(browser)]));
    const reads = [...keys].flatMap(([browser, key]) =>
      [1, 2]
        .flatMap(() => [`${now.urls.django}/django/me/`, `${now.urls.koa}/api/me/`])
        .map(async (url) => verdict(await browser.get(url), username, key)),
    );
    const writes = browsers.flatMap((browser) =>
      SIDES.map(async (side) => (await tryOps(now, side, browser, ['set', side, 1])).answer.status),
    );
    const [verdicts, statuses] = await Promise.all([Promise.all(reads), Promise.all(writes)]);
    expect(counted(verdicts)).to.deep.equal({ 'the user, under the same key': 80 });
    expect(new Set(statuses)).to.deep.equal(new Set([200]));
    for (const browser of browsers) {
      const { results } = await ops(now, 'django', browser, ['get', 'koa'], ['get', 'django']);
      expect(results).to.deep.equal([1, 1]);
    }
    await expectAllLoggedIn(old, username, keys);
  });

  it('leaves a logout final that comes while a page sends its first requests', async function () {
    this.timeout(180_000);
    const { now, browsers } = await start();
    await Promise.all(
      browsers.map(async (browser, i) => {
        const stolen = copyOf(browser);
        const page = copyOf(browser);
        const requests = [
          ...[1, 2, 3].map(() => page.get(`${now.urls.django}/django/me/`)),
          page.get(`${now.urls.koa}/api/me/`),
          tryOps(now, 'django', copyOf(browser), ['set', 'late', 1]).then(({ answer }) => answer),
        ];
        const end = logout(now, i % 4 < 2 ? 'koa' : 'django', browser);
        const [{ status }, ...answers] = await Promise.all([end, ...requests]);
        expect(status, 'the logout').to.be.lessThan(400);
        for (const answer of answers) expect([200, 400]).to.include(answer.status);
        expect(await row(now, stolen), 'the row').to.equal(undefined);
        for (const side of SIDES) expect(await me(now, side, stolen)).to.equal(null);
      }),
    );
  });
});
