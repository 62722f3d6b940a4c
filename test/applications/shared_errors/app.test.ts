import { expect } from 'chai';
import createError from 'http-errors';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listen } from '../support/server.js';
import { type Page, Visitor } from '../support/visitor.js';
import { createShop, ERRORS, HANDLINGS, NOT_FOR_KOA } from './app.js';

const sentTo = (page: Page): string | undefined => /^sessionid=(\w+);/.exec(page.set_cookie.join('\n'))?.[1];
const described = (error: Error): object => ({
  own: Object.getOwnPropertyDescriptors(error),
  headers: { ...(error as { headers?: object }).headers },
  prototype: Object.getPrototypeOf(error),
  cause: error.cause,
});

/** Rejects each waiting request with one error object, once so many wait. */
function lookUpFor(waiting: number): () => Promise<never> {
  const error = createError(404, 'No such thing.');
  let reject: (error: Error) => void = () => {};
  let count = 0;
  let answer: Promise<never> | undefined;
  return () => {
    answer ??= new Promise<never>((_resolve, refuse) => {
      reject = refuse;
    });
    count += 1;
    if (count % waiting !== 0) return answer;
    const shared = answer;
    answer = undefined;
    reject(error);
    return shared;
  };
}

for (const handling of Object.keys(HANDLINGS) as (keyof typeof HANDLINGS)[]) {
  describe(`one error for two visitors, with ${handling}`, () => {
    let database: ApplicationDatabase;
    let site: Listening;
    let caught: unknown[] = [];
    before(async () => {
      database = await applicationDatabase();
      const told = (error: unknown): unknown => caught.push(error);
      const store = new DatabaseStore(database.knex);
      site = await listen(createShop({ store, handling, caught: told, lookUp: lookUpFor(2) }));
    });
    after(async () => {
      await site.close();
      await database.drop();
    });
    beforeEach(() => {
      caught = [];
    });

    const names = (Object.keys(ERRORS) as (keyof typeof ERRORS)[]).filter(
      (name) => handling !== "Koa's own handler" || !NOT_FOR_KOA.includes(name),
    );
    for (const name of names) {
      for (const path of ['/throw', '/promise'] as const) {
        describe(`${name}, ${path === '/throw' ? 'thrown' : 'in a promise that was kept'}`, () => {
          const status = (ERRORS[name] as unknown as { status: number }).status;
          const address = `${path}?error=${encodeURIComponent(name)}`;

          it("sends each visitor their own session's cookie, and a stranger none", async () => {
            const alice = new Visitor(site);
            const first = await alice.get(`${address}&name=alice`);
            expect([first.status, first.set_cookie.length]).to.deep.equal([status, 1]);
            expect(JSON.parse((await alice.get('/')).text)).to.deep.equal({ name: 'alice' });

            const bob = await Visitor.returning(site, '/?name=bob');
            const second = await bob.get(`${address}&name=bob`);
            expect([second.status, sentTo(second)]).to.deep.equal([status, bob.sessionid]);

            const stranger = await new Visitor(site).get(address);
            expect([stranger.status, stranger.set_cookie]).to.deep.equal([status, []]);
            expect(stranger.headers.vary).to.equal(undefined);
          });

          it('leaves the error as it was thrown', async () => {
            const error = ERRORS[name];
            const before = described(error);
            await new Visitor(site).get(`${address}&name=carol`);
            // Koa's own handler writes `status` anew, with the same value.
            expect(described(error)).to.deep.equal(before);
            if (handling === 'a handler of the application outside') expect(caught).to.deep.equal([error]);
            for (const each of caught) expect(each).to.equal(error);
          });
        });
      }
    }

    it('tells two visitors who wait for one look-up apart', async () => {
      for (let round = 0; round < 5; round += 1) {
        const [alice, bob] = [
          await Visitor.returning(site, '/?name=alice'),
          await Visitor.returning(site, '/?name=bob'),
        ];
        const own = [alice.sessionid, bob.sessionid];
        const pages = await Promise.all([alice.get('/look-up?name=al'), bob.get('/look-up?name=bo')]);
        expect(pages.map(({ status }) => status)).to.deep.equal([404, 404]);
        expect(pages.map(sentTo)).to.deep.equal(own);
      }
    });

    it('tells a visitor and a stranger who wait for one look-up apart', async () => {
      const alice = await Visitor.returning(site, '/?name=alice');
      const stranger = new Visitor(site);
      const [, page] = await Promise.all([alice.get('/look-up?name=al'), stranger.get('/look-up')]);
      expect([page.status, page.set_cookie]).to.deep.equal([404, []]);
    });

    it('keeps the row of a first visit that ends in an error of 4xx, and its cookie leads there', async () => {
      const rows = await database.sessions();
      const visitor = new Visitor(site);
      await visitor.get('/throw?error=a%20constant&name=erin');
      expect(await database.sessions()).to.equal(rows + 1);
      const [row] = await database.knex('django_session').where({ session_key: visitor.sessionid ?? '' });
      expect(row).not.to.equal(undefined);
    });

    it('saves nothing and sends no cookie when the program is at fault', async () => {
      const rows = await database.sessions();
      const page = await new Visitor(site).get('/broken?name=frank');
      expect([page.status, page.set_cookie]).to.deep.equal([500, []]);
      expect(await database.sessions()).to.equal(rows);
    });
  });
}
