import { expect } from 'chai';
import { MemoryStore } from 'koa-django-session/stores/memory';
import { type Listening, listen } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { createApp } from './app.js';

describe('an application that has declared the keys of its sessions', () => {
  let site: Listening;
  before(async () => {
    site = await listen(createApp(new MemoryStore()));
  });
  after(() => site.close());

  it('reads and writes them, and others where it says so', async () => {
    const visitor = new Visitor(site);
    const page = async (path: string): Promise<unknown> => JSON.parse((await visitor.get(path)).text) as unknown;
    expect(await page('/')).to.deep.equal({ visits: 1, note: null, cart: [] });
    expect(await page('/add/7')).to.deep.equal({ keys: ['a'], all: ['visits', 'cart', 'note', 'keys'] });
    expect(await page('/')).to.deep.equal({ visits: 2, note: 'added', cart: [7] });
    expect(await page('/empty')).to.deep.equal({ cart: 1, note: 'added', visits: null });
    expect(await page('/anything')).to.deep.equal({ campaign: 'spring', is: true });
  });
});
