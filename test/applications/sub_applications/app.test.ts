import { expect } from 'chai';
import type { Knex } from 'knex';
import type Koa from 'koa';
import { connectKnex, make_password, UserTable } from 'koa-django-session';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listen } from '../support/server.js';
import { type Page, Visitor } from '../support/visitor.js';
import { createTwoSessions, MISTAKES, SITES } from './app.js';

const json = (page: Page): unknown => {
  expect(page.status, page.text).to.equal(200);
  return JSON.parse(page.text);
};

let database: ApplicationDatabase;
let knex: Knex;
before(async () => {
  database = await applicationDatabase();
  knex = connectKnex(database.url);
  await new UserTable(knex).create_user({ username: 'alice', password: await make_password('white rabbit') });
});
after(async () => {
  await knex.destroy();
  await database.drop();
});

async function countsVisits(site: Listening): Promise<void> {
  const visitor = new Visitor(site);
  const first = await visitor.get('/shop/count');
  expect(json(first)).to.deep.equal({ visits: 1 });
  expect(first.set_cookie.length).to.equal(1);
  expect(first.headers.vary).to.equal('Cookie');
  expect(json(await visitor.get('/shop/count'))).to.deep.equal({ visits: 2 });
}

async function knowsTheUser(site: Listening): Promise<void> {
  const visitor = new Visitor(site);
  const { token } = json(await visitor.get('/shop/token')) as { token: string };
  const fields = { name: 'alice', password: 'white rabbit' };
  const refused = await visitor.post('/shop/login', new URLSearchParams(fields));
  expect(refused.status).to.equal(403);
  const form = new URLSearchParams({ ...fields, csrfmiddlewaretoken: token });
  expect(json(await visitor.post('/shop/login', form))).to.deep.equal({ name: 'alice' });
  expect(json(await visitor.get('/shop/me'))).to.deep.equal({ name: 'alice' });
}

async function sendsTheCookieOf404(site: Listening): Promise<void> {
  const page = await new Visitor(site).get('/shop/missing');
  expect([page.status, page.set_cookie.length]).to.deep.equal([404, 1]);
  expect(page.text).to.contain('There is no such page.');
}

const quiet = (app: Koa): Promise<Listening> => listen(Object.assign(app, { silent: true }));

for (const [name, create] of Object.entries(SITES)) {
  describe(`applications inside applications: ${name}`, () => {
    let site: Listening;
    before(async () => {
      site = await quiet(create(knex));
    });
    after(() => site.close());

    it('counts visits by one, with one cookie', () => countsVisits(site));
    it('knows the user who logged in, by a form with a token', () => knowsTheUser(site));
    it('sends the cookie with a 404 that was thrown', () => sendsTheCookieOf404(site));
  });
}

/** What the programmer is told, at the start or in the log of the first request; undefined where all is well. */
async function told(create: (knex: Knex) => Koa): Promise<string | undefined> {
  const errors: Error[] = [];
  let site: Listening | undefined;
  try {
    const app = create(knex);
    app.on('error', (error: Error) => errors.push(error));
    site = await listen(app);
    await new Visitor(site).get('/shop/count');
    if (errors.length > 0) return errors[0]?.message;
    await countsVisits(site);
    await knowsTheUser(site);
    await sendsTheCookieOf404(site);
    return undefined;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'IMPROPERLY_CONFIGURED') return (error as Error).message;
    throw error;
  } finally {
    await site?.close();
  }
}

for (const [name, create] of Object.entries(MISTAKES)) {
  describe(`by mistake: ${name}`, () => {
    it('works, or a sentence says what is mounted twice and what to do', async () => {
      const sentence = await told(create);
      if (sentence === undefined) return;
      expect(sentence).to.match(/\b(sessions|csrf|authentication|exceptions|formBody)\(\)/);
      expect(sentence).to.match(/\b(Mount|Call|Give|Use)\b/);
    });
  });
}

for (const place of ['beside', 'inside'] as const) {
  describe(`two session cookies on one site, one sub-application ${place} the other's session`, () => {
    let site: Listening;
    before(async () => {
      site = await listen(createTwoSessions(knex, place));
    });
    after(() => site.close());

    it('keeps two sessions apart', async () => {
      const visitor = new Visitor(site);
      expect(json(await visitor.get('/'))).to.deep.equal({ visits: 1 });
      expect([...visitor.cookies.keys()]).to.deep.equal(['shopid']);
      expect(json(await visitor.get('/office'))).to.deep.equal({ visits: 1 });
      expect([...visitor.cookies.keys()]).to.deep.equal(['shopid', 'officeid']);
      expect(visitor.cookies.get('shopid')).not.to.equal(visitor.cookies.get('officeid'));
      expect(json(await visitor.get('/'))).to.deep.equal({ visits: 2 });
      expect(json(await visitor.get('/office'))).to.deep.equal({ visits: 2 });
      const sawOffice = place === 'inside' ? { sawOffice: true } : {};
      expect(json(await visitor.get('/items'))).to.deep.equal({ visits: 2, ...sawOffice });
    });
  });
}
