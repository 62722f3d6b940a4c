/** Applications inside applications: koa-mount, shared middleware, two sessions on one site, and everything twice. */
import type { Knex } from 'knex';
import Koa from 'koa';
import {
  authenticate,
  authentication,
  csrf,
  defineSettings,
  exceptions,
  formBody,
  login,
  ModelBackend,
  type Settings,
  sessions,
  UserTable,
} from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';
import mount from 'koa-mount';

export const SECRET_KEY = 'applications inside applications';

const stores = new WeakMap<Knex, DatabaseStore>();

/** One store a database, as a module of the application would export it. */
function storeOf(knex: Knex): DatabaseStore {
  const store = stores.get(knex) ?? new DatabaseStore(knex);
  stores.set(knex, store);
  return store;
}

/** All stations of a site in the README's order, made for one application. */
export function stations(app: Koa, knex: Knex, settings: Settings, store = storeOf(knex)): Koa.Middleware[] {
  return [
    sessions(app, { settings, store }),
    exceptions(),
    formBody({ settings }),
    csrf(app, { settings }),
    authentication(app, { settings, backends: [new ModelBackend(new UserTable(knex))] }),
  ];
}

/** Counts, shows a token, logs in; needs all stations. */
export async function pages(ctx: Koa.Context): Promise<void> {
  switch (`${ctx.method} ${ctx.path}`) {
    case 'GET /count':
      ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
      ctx.body = { visits: ctx.session.get('visits') };
      return;
    case 'GET /token':
      ctx.body = { token: ctx.csrf_token };
      return;
    case 'GET /me':
      ctx.body = { name: ctx.user.is_authenticated ? ctx.user.username : null };
      return;
    case 'POST /login': {
      const [username = null, password = null] = ['name', 'password'].map((field) => ctx.request.POST.get(field));
      const user = await authenticate(ctx, { username, password });
      if (user === null) return ctx.throw(400, 'Wrong name or password.');
      await login(ctx, user);
      ctx.body = { name: ctx.user.username };
      return;
    }
    case 'GET /missing':
      ctx.session['missed'] = true;
      ctx.throw(404, 'There is no such page.');
  }
}

const settings = defineSettings({ SECRET_KEY });

/** Each makes an application whose pages are below `/shop`. */
export const SITES: Readonly<Record<string, (knex: Knex) => Koa>> = {
  'a sub-application with stations of its own, the site without': (knex) => {
    const shop = new Koa();
    for (const station of stations(shop, knex, settings)) shop.use(station);
    shop.use(pages);
    return new Koa().use(mount('/shop', shop));
  },
  "a sub-application that uses the site's stations": (knex) => {
    const site = new Koa();
    for (const station of stations(site, knex, settings)) site.use(station);
    const shop = new Koa();
    shop.use(pages);
    return site.use(mount('/shop', shop));
  },
  'two levels of sub-applications': (knex) => {
    const shop = new Koa();
    for (const station of stations(shop, knex, settings)) shop.use(station);
    shop.use(pages);
    return new Koa().use(mount('/', new Koa().use(mount('/shop', shop))));
  },
  'stations that were made for another application': (knex) => {
    const other = new Koa();
    const shop = new Koa();
    for (const station of stations(other, knex, settings)) {
      other.use(station);
      shop.use(station);
    }
    shop.use(pages);
    return new Koa().use(mount('/shop', shop));
  },
  'stations on the site, and once more in the sub-application': (knex) => {
    const site = new Koa();
    for (const station of stations(site, knex, settings)) site.use(station);
    const shop = new Koa();
    for (const station of stations(shop, knex, settings)) shop.use(station);
    shop.use(pages);
    return site.use(mount('/shop', shop));
  },
};

/** What people do by mistake: it works, or a sentence says what to do. */
export const MISTAKES: typeof SITES = {
  'every station twice in one application': (knex) => {
    const shop = new Koa();
    const once = stations(shop, knex, settings);
    for (const station of [...once, ...once]) shop.use(station);
    shop.use(pages);
    return new Koa().use(mount('/shop', shop));
  },
  'every station made twice for one application': (knex) => {
    const shop = new Koa();
    for (const station of stations(shop, knex, settings)) shop.use(station);
    for (const station of stations(shop, knex, settings)) shop.use(station);
    shop.use(pages);
    return new Koa().use(mount('/shop', shop));
  },
  'stations on the site, and once more in the sub-application with a store of its own': (knex) => {
    const site = new Koa();
    for (const station of stations(site, knex, settings)) site.use(station);
    const shop = new Koa();
    for (const station of stations(shop, knex, settings, new DatabaseStore(knex))) shop.use(station);
    shop.use(pages);
    return site.use(mount('/shop', shop));
  },
};

/** A shop and its office on one site, each with a session cookie of its own, the office also inside the shop's session. */
export function createTwoSessions(knex: Knex, place: 'beside' | 'inside'): Koa {
  const site = new Koa();
  const shopSettings = defineSettings({ SECRET_KEY, SESSION_COOKIE_NAME: 'shopid' });
  const officeSettings = defineSettings({ SECRET_KEY, SESSION_COOKIE_NAME: 'officeid' });
  const store = new DatabaseStore(knex);
  const count: Koa.Middleware = (ctx) => {
    ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
    ctx.body = { visits: ctx.session.get('visits') };
  };
  const office = new Koa().use(count);
  office.middleware.unshift(sessions(office, { settings: officeSettings, store }));
  const shop = sessions(site, { settings: shopSettings, store });
  if (place === 'inside') site.use(shop);
  site.use(async (ctx, next) => {
    await next();
    // Back in the shop: its own session again.
    if (place === 'inside' && ctx.path === '/office') ctx.session['sawOffice'] = true;
  });
  site.use(mount('/office', office));
  if (place === 'beside') site.use(shop);
  site.use((ctx, next) => (ctx.path === '/items' ? next() : count(ctx, next)));
  site.use((ctx) => {
    ctx.body = Object.fromEntries(ctx.session.items());
  });
  return site;
}
