/** An application whose Django keeps its tables in a schema of their own: knex's searchPath, or the URL's options. */
import type { Knex } from 'knex';
import Koa from 'koa';
import { connectKnex, defineSettings, sessions } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { makeKnex } from '../support/knex.js';

/** The two ways in which people say it. */
export const CONNECTIONS: Readonly<Record<string, (url: string, schema: string) => Knex>> = {
  "knex's searchPath": (url, schema) =>
    makeKnex({ client: 'pg', connection: url, searchPath: [schema], pool: { min: 0, max: 3 } }),
  'options in the URL': (url, schema) => {
    const address = new URL(url);
    address.searchParams.set('options', `-c search_path=${schema}`);
    return connectKnex(address.href, { poolSize: 3 });
  },
};

export function createApp(knex: Knex): Koa {
  const app = new Koa();
  app.use(sessions(app, { settings: defineSettings({ SECRET_KEY: 'search path' }), store: new DatabaseStore(knex) }));
  app.use((ctx) => {
    ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
    ctx.body = `${ctx.session.get('visits')}`;
  });
  return app;
}
