/** A server process on the library alone, for what the reference server has no page for. */
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import { ownSettings } from '../../config/settings.js';
import { connectKnex } from '../../server/db/knex.js';
import { defineSettings, exceptions, sessions } from '../../server/index.js';
import { newSessionKey } from '../../server/session/key.js';
import { DatabaseStore } from '../../server/session/stores/db.js';

const { DATABASE_URL, DATABASE_TIMEOUT } = ownSettings();
const knex = connectKnex(DATABASE_URL ?? '', {
  connect_timeout: DATABASE_TIMEOUT,
  statement_timeout: DATABASE_TIMEOUT,
});
const settings = defineSettings({ SECRET_KEY: process.env['SECRET_KEY'] });
const firstKey = process.env['FIRST_KEY'];
let keys = 0;

const app = new Koa();
app.use(
  sessions(app, {
    settings,
    store: new DatabaseStore(knex, { timeout: DATABASE_TIMEOUT }),
    // The first key is given, so that two processes come to take the same one.
    newSessionKey: () => {
      keys += 1;
      return keys === 1 && firstKey !== undefined ? firstKey : newSessionKey();
    },
  }),
);
app.use(exceptions());
app.use(async (ctx) => {
  if (ctx.path === '/readyz') {
    await knex.raw('SELECT 1');
    ctx.body = 'ready';
  } else if (ctx.path === '/increment') {
    ctx.body = await ctx.session.atomic((fresh) => {
      const count = Number(fresh.get('count', 0)) + 1;
      fresh.set('count', count);
      return String(count);
    });
  } else if (ctx.path === '/name') {
    ctx.session.set('name', ctx.query['is']);
    ctx.body = 'kept';
  } else {
    ctx.body = String(ctx.session.get('name'));
  }
});
const server = app.listen(0, '127.0.0.1', () => {
  process.stdout.write(`Listening on http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`);
});
