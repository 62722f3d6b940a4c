/** Forms with a token in applications that have a body parser of their own, or ours beside it in either order. */
import { bodyParser as newBodyParser } from '@koa/bodyparser';
import multer from '@koa/multer';
import Koa from 'koa';
import { koaBody } from 'koa-body';
import bodyParser from 'koa-bodyparser';
import { csrf, defineSettings, exceptions, formBody, type SessionStore, sessions } from 'koa-django-session';

export const PARSERS: Readonly<
  Record<string, { readonly make: () => Koa.Middleware; readonly reads: readonly Kind[] }>
> = {
  'koa-bodyparser': { make: () => bodyParser() as Koa.Middleware, reads: ['urlencoded', 'json'] },
  '@koa/bodyparser': { make: () => newBodyParser() as Koa.Middleware, reads: ['urlencoded', 'json'] },
  'koa-body': {
    make: () => koaBody({ multipart: true }) as Koa.Middleware,
    reads: ['urlencoded', 'json', 'multipart'],
  },
  '@koa/multer': { make: () => multer().single('paper') as unknown as Koa.Middleware, reads: ['multipart'] },
};

export type Kind = 'urlencoded' | 'json' | 'multipart';

/** Where the parser stands. */
export const ORDERS = {
  'before csrf, without formBody': ['parser', 'csrf'],
  'before formBody': ['parser', 'formBody', 'csrf'],
  'between formBody and csrf': ['formBody', 'parser', 'csrf'],
  'after csrf': ['formBody', 'csrf', 'parser'],
  'after csrf, without formBody': ['csrf', 'parser'],
} as const;

export interface FormSiteOptions {
  readonly store: SessionStore;
  readonly parser: string;
  readonly order: keyof typeof ORDERS;
}

export function createApp({ store, parser, order }: FormSiteOptions): Koa {
  const settings = defineSettings({ SECRET_KEY: 'body parsers' });
  const app = new Koa();
  app.silent = true;
  app.use(sessions(app, { settings, store }));
  app.use(exceptions());
  const stations: Readonly<Record<string, () => Koa.Middleware>> = {
    parser: () => PARSERS[parser]?.make() ?? ((_ctx, next) => next()),
    // The parser is to have the uploads.
    formBody: () =>
      formBody(PARSERS[parser]?.reads.includes('multipart') ? { settings, multipart: false } : { settings }),
    csrf: () => csrf(app, { settings }),
  };
  for (const station of ORDERS[order]) app.use(stations[station]?.() ?? ((_ctx, next) => next()));
  app.use((ctx) => {
    if (ctx.method === 'GET') {
      ctx.body = ctx.csrf_token;
      return;
    }
    // As an application reads its fields: where its parser leaves them, or in POST.
    const { body } = ctx.request as unknown as { readonly body?: Readonly<Record<string, unknown>> };
    ctx.body = { byParser: body?.['name'] ?? null, byPost: ctx.request.POST?.get('name') ?? null };
  });
  return app;
}

/** An upload form with nothing but this library. */
export function createUploads(store: SessionStore): Koa {
  const settings = defineSettings({ SECRET_KEY: 'uploads' });
  const app = new Koa();
  app.silent = true;
  app.use(sessions(app, { settings, store }));
  app.use(exceptions());
  app.use(formBody({ settings }));
  app.use(csrf(app, { settings }));
  app.use(async (ctx) => {
    if (ctx.method === 'GET') {
      ctx.body = ctx.csrf_token;
      return;
    }
    const paper = ctx.request.FILES.get('paper');
    const text = paper === undefined ? null : (await paper.read()).toString('utf8');
    ctx.body = { name: ctx.request.POST.get('name'), paper: paper?.name ?? null, size: paper?.size ?? null, text };
  });
  return app;
}
