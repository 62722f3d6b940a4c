/** An application in whose code everything is camel case, by mappers on its knex, as its tables are in snake case. */
import type { Knex } from 'knex';
import stringcase from 'knex-stringcase';
import Koa from 'koa';
import { authentication, defineSettings, login, ModelBackend, sessions, UserTable } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { makeKnex } from '../support/knex.js';

const camel = (name: string): string => name.replace(/_+(.)/g, (_, letter: string) => letter.toUpperCase());
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function camelKeys(row: unknown): unknown {
  if (typeof row !== 'object' || row === null) return row;
  return Object.fromEntries(Object.entries(row).map(([key, value]) => [camel(key), value]));
}

/** The mappers that people use: of knex's manual, and the package knex-stringcase. */
export const MAPPERS: Readonly<Record<string, Partial<Knex.Config>>> = {
  "of knex's manual": {
    wrapIdentifier: (name, wrap) => wrap(snake(name)),
    postProcessResponse: (result: unknown) => (Array.isArray(result) ? result.map(camelKeys) : camelKeys(result)),
  },
  'of knex-stringcase': stringcase() as Partial<Knex.Config>,
};

export function connect(url: string, mappers: Partial<Knex.Config>): Knex {
  return makeKnex({ client: 'pg', connection: url, pool: { min: 0, max: 3 }, ...mappers });
}

export function createApp(knex: Knex): Koa {
  const settings = defineSettings({ SECRET_KEY: 'mappers' });
  const users = new UserTable(knex);
  const app = new Koa();
  app.use(sessions(app, { settings, store: new DatabaseStore(knex) }));
  app.use(authentication(app, { settings, backends: [new ModelBackend(users)] }));
  app.use(async (ctx) => {
    if (ctx.path === '/login') {
      const user = await users.get_by_natural_key('alice');
      if (user === null) return ctx.throw(400, 'There is no alice.');
      await login(ctx, user);
    }
    if (ctx.path === '/count') ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
    if (ctx.path === '/atomic')
      await ctx.session.atomic((fresh) => fresh.set('visits', Number(fresh.get('visits', 0)) + 1));
    const [row] = await knex('authUser').where({ isActive: true }).select('lastLogin');
    ctx.body = {
      visits: ctx.session.get('visits', 0),
      user: ctx.user.is_active ? ctx.user.username : null,
      theirs: Object.keys(row ?? {}),
    };
  });
  return app;
}
