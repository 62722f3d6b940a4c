import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { connectKnex } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listen } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { createApp } from './app.js';

describe('koa-static before and after sessions', () => {
  let database: ApplicationDatabase;
  let site: Listening;
  let folder: string;
  let knex: ReturnType<typeof connectKnex>;
  let queries = 0;

  before(async () => {
    database = await applicationDatabase();
    folder = mkdtempSync(path.join(tmpdir(), 'static-files-'));
    for (const [file, text] of [
      ['open/style.css', 'body { color: teal }'],
      ['behind/large.txt', 'x'.repeat(300_000)],
      ['members_only/members/paper.txt', 'for members'],
    ] as const) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), text);
    }
    knex = connectKnex(database.url);
    knex.on('query', () => {
      queries += 1;
    });
    site = await listen(createApp({ store: new DatabaseStore(knex), folder }));
  });
  after(async () => {
    await site.close();
    await knex.destroy();
    await database.drop();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    queries = 0;
  });

  it('asks the database nothing for a file before sessions', async () => {
    const visitor = await Visitor.returning(site);
    queries = 0;
    const file = await visitor.get('/style.css');
    expect(file.text).to.equal('body { color: teal }');
    expect(file.headers.vary).to.equal(undefined);
    expect(queries).to.equal(0);
  });

  it('sends a file behind sessions whole, without a cookie and without Vary, as nobody looked at the session', async () => {
    const visitor = await Visitor.returning(site);
    const file = await visitor.get('/large.txt');
    expect(file.text.length).to.equal(300_000);
    expect(file.set_cookie).to.deep.equal([]);
    expect(file.headers.vary).to.equal(undefined);
  });

  it('sends a member their file, which varies on the cookie', async () => {
    const visitor = await Visitor.returning(site);
    const file = await visitor.get('/members/paper.txt');
    expect(file.text).to.equal('for members');
    expect(file.headers.vary).to.equal('Cookie');
    expect(file.set_cookie).to.deep.equal([]);
  });

  it('refuses the file to others, and makes no row for them', async () => {
    const rows = await database.sessions();
    const file = await new Visitor(site).get('/members/paper.txt');
    expect(file.status).to.equal(403);
    expect(await database.sessions()).to.equal(rows);
  });
});
