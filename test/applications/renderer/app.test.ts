import { expect } from 'chai';
import { UserTable } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listen } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { createSite } from './app.js';

for (const head of ['setHeader', 'writeHead'] as const) {
  describe(`a renderer that writes to ctx.res, with its own Vary by ${head}`, () => {
    let database: ApplicationDatabase;
    let site: Listening;
    let errors: unknown[] = [];
    let warnings: string[] = [];
    before(async () => {
      database = await applicationDatabase();
      const users = new UserTable(database.knex);
      const store = new DatabaseStore(database.knex);
      const app = createSite({ store, users, head, warn: (_details, message) => warnings.push(message) });
      app.on('error', (error) => errors.push(error));
      site = await listen(app);
    });
    after(async () => {
      await site.close();
      await database.drop();
    });
    beforeEach(() => {
      errors = [];
      warnings = [];
    });

    it('renders pages of a session that was begun and committed before, each change kept', async () => {
      const visitor = new Visitor(site);
      const first = await visitor.get('/begin');
      expect([first.status, first.text, first.set_cookie.length]).to.deep.equal([200, 'page 1 for nobody', 1]);
      // The next page may come before the first one's save is done; then this one would count from 1 as well.
      const pages = async (): Promise<unknown> => JSON.parse((await visitor.get('/api')).text).pages;
      while ((await pages()) !== 1) expect(errors).to.deep.equal([]);
      const second = await visitor.get('/page');
      expect(second.text).to.equal('page 2 for nobody');
      expect(second.headers.vary?.split(', ')).to.include.members(['RSC', 'Accept-Encoding', 'Cookie']);
      while ((await pages()) !== 2) expect(errors).to.deep.equal([]);
      expect([errors, warnings]).to.deep.equal([[], []]);
    });

    it("leaves a page alone that asks for neither session nor user, but for the renderer's own headers", async () => {
      const visitor = await Visitor.returning(site, '/begin');
      const page = await visitor.get('/static');
      expect([page.status, page.text, page.set_cookie]).to.deep.equal([200, 'the same for all', []]);
      expect(page.headers.vary).to.equal('RSC, Next-Router-State-Tree, Accept-Encoding');
      expect([errors, warnings]).to.deep.equal([[], []]);
    });

    it('keeps no row of a stranger whose page began the session too late, and says what to call', async () => {
      const rows = await database.sessions();
      const page = await new Visitor(site).get('/page');
      // The page asked before it wrote its head: the change is seen in it, and what it says may not be kept.
      expect([page.status, page.text, page.set_cookie]).to.deep.equal([200, 'page 1 for nobody', []]);
      expect(page.headers.vary).to.contain('Cookie');
      while (warnings.length === 0) await new Visitor(site).get('/static');
      expect(warnings.length).to.equal(1);
      expect(warnings[0]).to.contain('commitSession');
      expect(await database.sessions()).to.equal(rows);
      expect(errors).to.deep.equal([]);
    });
  });
}
