/** An application that has declared the keys of its sessions, beside types of its own for state and context. */
import Router from '@koa/router';
import Koa from 'koa';
import {
  type Credentials,
  defineSettings,
  formBody,
  type Session,
  SessionDictionary,
  type SessionStore,
  sessions,
} from 'koa-django-session';
import type { Item } from './session_data.js';

interface ShopState {
  readonly requestId?: string;
}
interface ShopContext {
  readonly price: (cents: number) => string;
}

export function createApp(store: SessionStore): Koa<ShopState, ShopContext> {
  const settings = defineSettings({ SECRET_KEY: 'typed data' });
  const app = new Koa<ShopState, ShopContext>();
  app.use(sessions(app, { settings, store }));
  app.use(formBody({ settings }));
  const router = new Router<ShopState, ShopContext>();
  router.get('/', (ctx) => {
    const visits: number = ctx.session.get('visits', 0) + 1;
    ctx.session['visits'] = visits;
    const seen: number | undefined = ctx.session.visits;
    const note: string | null = ctx.request.session.get('note');
    ctx.body = { visits: seen, note, cart: ctx.session.get('cart', []).map(({ id }) => id) };
  });
  router.get('/add/:id', async (ctx) => {
    await ctx.session.atomic((fresh) => {
      const cart: Item[] = fresh.setdefault('cart', []);
      fresh.set('cart', [...cart, { id: Number(ctx.params['id']), count: 1 }]);
    });
    ctx.session.update({ note: 'added', keys: ['a'] });
    const keys: string[] | null = ctx.session.get('keys');
    ctx.body = { keys, all: ctx.session.keys() };
  });
  router.get('/empty', (ctx) => {
    const cart: Item[] = ctx.session.pop('cart');
    const note: string | null = ctx.session.pop('note', null);
    delete ctx.session['visits'];
    ctx.body = { cart: cart.length, note, visits: ctx.session['visits'] ?? null };
  });
  router.get('/anything', (ctx) => {
    // Any key, where that is said.
    const anything: SessionDictionary = ctx.session;
    anything.set('campaign', 'spring');
    const campaign: unknown = anything.get('campaign');
    ctx.body = { campaign, is: ctx.session instanceof SessionDictionary };
  });
  app.use(router.routes());
  return app;
}

/** What a form lacks is null or undefined, and an application may well pass both on. */
export function credentialsOf(form: { readonly name?: string | undefined }): Credentials {
  return { username: form.name, password: undefined };
}

/** Who has logged in is Django's to declare. */
export const isLoggedIn = (session: Session): boolean => session.has_key('_auth_user_id');
export const userOf = (session: Session): string | null => session.get('_auth_user_id');

/** A function of the application's own, which takes what `ctx.session` is. */
export const countOf = (session: Session): number => session.get('cart', []).length;
