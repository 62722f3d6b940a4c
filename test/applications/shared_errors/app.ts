/** A shop that throws the same error objects at all of its visitors, as programs do that keep an error or a look-up. */
import createError from 'http-errors';
import Koa from 'koa';
import { defineSettings, exceptions, type SessionStore, sessions } from 'koa-django-session';

/** An error of the application's own, whose properties are getters. */
class SoldOut extends Error {
  get status(): number {
    return 410;
  }
  get expose(): boolean {
    return true;
  }
  get headers(): Readonly<Record<string, string>> {
    return Object.freeze({ 'X-Reason': 'sold out' });
  }
}

const missing = (): Error => createError(404, 'There is no such page.', { cause: new Error('looked everywhere') });

/** Made once, thrown at everybody. */
export const ERRORS = {
  'a constant': missing(),
  'a frozen error': Object.freeze(missing()),
  'an error whose properties are getters': new SoldOut('Sold out.'),
  'an error with headers of its own': createError(401, 'Log in.', { headers: { 'WWW-Authenticate': 'Basic' } }),
  'an error with frozen headers': createError(429, { headers: Object.freeze({ 'Retry-After': '9' }) }),
} as const satisfies Readonly<Record<string, Error>>;

/** Koa's own handler writes `status` into what it is given, so that Koa alone fails with these. */
export const NOT_FOR_KOA: readonly string[] = ['a frozen error', 'an error whose properties are getters'];

/** What stands between an error and its answer, from the outside inwards. */
export const HANDLINGS = {
  "Koa's own handler": ['sessions'],
  'a handler of the application outside': ['handler', 'sessions'],
  'exceptions() inside': ['sessions', 'exceptions'],
  'exceptions() outside': ['exceptions', 'sessions'],
  'exceptions() on both sides': ['exceptions', 'sessions', 'exceptions'],
  'a handler outside and exceptions() inside': ['handler', 'sessions', 'exceptions'],
} as const;

export interface ShopOptions {
  readonly store: SessionStore;
  readonly handling: keyof typeof HANDLINGS;
  /** Told what the application's own handler caught. */
  readonly caught?: (error: unknown) => void;
  /** What `/look-up` waits for. */
  readonly lookUp?: () => Promise<never>;
}

export function createShop({ store, handling, caught, lookUp }: ShopOptions): Koa {
  const app = new Koa();
  // Koa would print them.
  app.on('error', () => {});
  const stations: Readonly<Record<'handler' | 'sessions' | 'exceptions', () => Koa.Middleware>> = {
    sessions: () => sessions(app, { settings: defineSettings({ SECRET_KEY: 'shared errors' }), store }),
    exceptions: () => exceptions(),
    handler: () => async (ctx, next) => {
      try {
        await next();
      } catch (thrown) {
        const error = thrown as {
          status?: number;
          expose?: boolean;
          message: string;
          headers?: Record<string, string>;
        };
        caught?.(thrown);
        ctx.status = error.status ?? 500;
        ctx.set(error.headers ?? {});
        ctx.body = { error: error.expose === true ? error.message : 'Something went wrong.' };
      }
    },
  };
  for (const station of HANDLINGS[handling]) app.use(stations[station]());

  const kept = Object.fromEntries(Object.entries(ERRORS).map(([name, error]) => [name, Promise.reject(error)]));
  for (const promise of Object.values(kept)) promise.catch(() => {});

  app.use(async (ctx) => {
    // A visitor who says who they are has a session; a stranger has none and touches none.
    if (typeof ctx.query['name'] === 'string') ctx.session['name'] = ctx.query['name'];
    const which = String(ctx.query['error']);
    if (ctx.path === '/throw') throw ERRORS[which as keyof typeof ERRORS];
    if (ctx.path === '/promise') await kept[which];
    if (ctx.path === '/look-up') await lookUp?.();
    if (ctx.path === '/broken') throw new Error('A programming error.');
    ctx.body = { name: ctx.session.get('name') };
  });
  return app;
}
