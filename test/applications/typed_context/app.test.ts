import { expect } from 'chai';
import { MemoryStore } from 'koa-django-session/stores/memory';
import { type Listening, listen } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { createApp } from './app.js';

describe("an application that has declared a member of Koa's Context", () => {
  let site: Listening;
  const told: string[] = [];
  before(async () => {
    site = await listen(createApp(new MemoryStore(), told));
  });
  after(() => site.close());

  it("gives a middleware's ctx to the functions that take one", async () => {
    const visitor = new Visitor(site);
    const form = new URLSearchParams({ name: 'alice' });
    const refused = await visitor.post('/login', form);
    expect([refused.status, refused.text]).to.deep.equal([400, 'POST 400 Wrong name.']);
    const page = await visitor.post('/login', form, { 'X-Shop': 'open' });
    expect(JSON.parse(page.text)).to.deep.equal({
      username: 'alice',
      token: 64,
      texts: ['Welcome.', 'You may stay.'],
      visits: 2,
    });
    const json = await visitor.post('/json', '[1]', { 'Content-Type': 'application/json' });
    expect(JSON.parse(json.text)).to.deep.equal({ body: [1], level: 10, count: 4 });
    expect((await visitor.post('/logout', '')).text).to.equal('true');
    expect(told).to.deep.equal(['POST failure of alice', 'an error page', 'POST login of alice', 'POST logout']);
  });
});
