import { createRequire } from 'node:module';
import { expect } from 'chai';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listen } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { createApp } from './app.js';

const { version } = createRequire(import.meta.url)('koa/package.json') as { readonly version: string };
const koa3 = Number.parseInt(version, 10) >= 3;

const text = 'one, two, three';
const bodies = [
  { path: '/stream', status: 200, text },
  { path: '/buffer', status: 200, text },
  // Koa 2 knows none of these.
  ...(koa3
    ? [
        { path: '/response', status: 201, text: 'visit 2' },
        { path: '/readable-stream', status: 200, text },
        { path: '/blob', status: 200, text },
      ]
    : []),
];

describe('bodies of every kind', () => {
  let database: ApplicationDatabase;
  let site: Listening;
  before(async () => {
    database = await applicationDatabase();
    site = await listen(createApp(new DatabaseStore(database.knex)));
  });
  after(async () => {
    await site.close();
    await database.drop();
  });

  for (const { path, status, text } of bodies) {
    it(`sends ${path} whole, with the session's cookie, and keeps the change`, async () => {
      const visitor = await Visitor.returning(site);
      const page = await visitor.get(path);
      expect([page.status, page.text]).to.deep.equal([status, text]);
      expect(page.set_cookie.length).to.equal(1);
      expect(page.headers.vary).to.equal('Cookie');
      expect((await visitor.get('/')).text).to.equal('{"visits":3}');
    });

    it(`answers HEAD ${path}`, async () => {
      const visitor = await Visitor.returning(site);
      const page = await visitor.ask(path, { method: 'HEAD' });
      expect([page.status, page.text]).to.deep.equal([status, '']);
      expect((await visitor.get('/')).text).to.equal('{"visits":3}');
    });
  }
});
