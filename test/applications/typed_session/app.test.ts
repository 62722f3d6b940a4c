import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { type Listening, listen } from '../support/server.js';
import { Visitor } from '../support/visitor.js';
import { createApp } from './app.js';

describe("an application that relies on the session's types", () => {
  let site: Listening;
  before(async () => {
    site = await listen(createApp());
  });
  after(() => site.close());

  it('counts visits', async () => {
    const visitor = await Visitor.returning(site);
    expect((await visitor.get('/')).text).to.equal('2');
  });

  it("gets no package of the reference server by the library, and no second copy of Koa's types", () => {
    const library = path.join('node_modules', 'koa-django-session');
    const { dependencies } = JSON.parse(readFileSync(path.join(library, 'package.json'), 'utf8'));
    expect(Object.keys(dependencies)).to.have.members(['@fastify/busboy', 'entities']);
    expect(existsSync(path.join(library, 'node_modules'))).to.equal(false);
  });
});
