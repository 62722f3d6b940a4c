import { expect } from 'chai';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listen } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { createApp } from './app.js';

for (const order of ['outside', 'inside'] as const) {
  describe(`HEAD and 304, with koa-conditional-get and koa-etag ${order} of sessions`, () => {
    let database: ApplicationDatabase;
    let site: Listening;
    before(async () => {
      database = await applicationDatabase();
      site = await listen(createApp({ store: new DatabaseStore(database.knex), order }));
    });
    after(async () => {
      await site.close();
      await database.drop();
    });

    const visits = async (visitor: Visitor): Promise<unknown> => JSON.parse((await visitor.get('/visits')).text);

    it('answers 304 without a body, with Vary and the cookie, and keeps what the handler changed', async () => {
      const visitor = new Visitor(site);
      const first = await visitor.get('/');
      expect(first.status).to.equal(200);
      const tag = first.headers.etag ?? '';
      expect(tag).not.to.equal('');
      const second = await visitor.get('/', { 'If-None-Match': tag });
      expect([second.status, second.text]).to.deep.equal([304, '']);
      expect(second.headers.vary).to.equal('Cookie');
      expect(second.set_cookie.length).to.equal(1);
      expect(second.set_cookie[0]).to.match(new RegExp(`^sessionid=${visitor.sessionid};`));
      expect(await visits(visitor)).to.deep.equal({ visits: 2 });
    });

    it('answers HEAD with the headers of GET, and saves as GET does', async () => {
      const visitor = new Visitor(site);
      const head = await visitor.ask('/', { method: 'HEAD' });
      expect([head.status, head.text]).to.deep.equal([200, '']);
      expect(head.headers['content-length']).to.equal(String('the same page each time'.length));
      expect(head.headers.vary).to.equal('Cookie');
      expect(head.set_cookie.length).to.equal(1);
      expect(await visits(visitor)).to.deep.equal({ visits: 1 });
    });

    it('sends a 304 to a stranger without making a session, when the page asks for none', async () => {
      const tag = (await new Visitor(site).get('/plain')).headers.etag ?? '';
      const rows = await database.sessions();
      const answer = await new Visitor(site).get('/plain', { 'If-None-Match': tag });
      expect([answer.status, answer.set_cookie.length]).to.deep.equal([304, 0]);
      expect(await database.sessions()).to.equal(rows);
    });
  });
}
