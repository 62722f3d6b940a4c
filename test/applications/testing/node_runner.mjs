/** The same without mocha, TypeScript and a database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Koa from 'koa';
import { defineSettings, sessions } from 'koa-django-session';
import { Client, MemoryStore } from 'koa-django-session/testing';

test('counts visits', async () => {
  const settings = defineSettings({ SECRET_KEY: 'testing' });
  const store = new MemoryStore();
  const app = new Koa();
  app.use(sessions(app, { settings, store }));
  app.use((ctx) => {
    ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
    ctx.body = `${ctx.session['visits']}`;
  });
  const client = new Client(app, { settings, store });
  const session = await client.session();
  session['visits'] = 41;
  await session.save();
  assert.equal((await client.get('/')).text, '42');
});
