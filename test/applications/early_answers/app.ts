/** Handlers that begin their answer by themselves, before the session middleware is back. */
import { request } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import Koa from 'koa';
import { commitSession, defineSettings, type SessionStore, sessions } from 'koa-django-session';

const PARTS = ['one, ', 'two, ', 'three'];

/** Each begins and ends an answer with the text `one, two, three`, and is back when its work is done. */
export const WAYS: Readonly<Record<string, (ctx: Koa.Context, between: () => unknown) => unknown>> = {
  'res.end with ctx.respond = false': async (ctx, between) => {
    ctx.respond = false;
    ctx.res.writeHead(200, { 'Content-Type': 'text/plain' });
    await between();
    ctx.res.end(PARTS.join(''));
  },
  'res.write with ctx.respond = false': async (ctx, between) => {
    ctx.respond = false;
    ctx.res.statusCode = 200;
    for (const part of PARTS) {
      ctx.res.write(part);
      await between();
    }
    ctx.res.end();
  },
  'res.end alone': async (ctx, between) => {
    ctx.res.statusCode = 200;
    ctx.res.end(PARTS.join(''));
    await between();
  },
  'ctx.flushHeaders() and a stream': async (ctx, between) => {
    ctx.status = 200;
    ctx.flushHeaders();
    await between();
    ctx.body = Readable.from(PARTS);
  },
  'an event stream that ends later': async (ctx, between) => {
    const events = new PassThrough();
    ctx.set('Cache-Control', 'no-cache');
    ctx.type = 'text/event-stream';
    ctx.status = 200;
    ctx.flushHeaders();
    for (const part of PARTS) events.write(part);
    ctx.body = events;
    await between();
    setImmediate(() => events.end());
  },
  'a proxy that pipes': async (ctx, between) => {
    ctx.respond = false;
    const { url } = ctx.app as unknown as { readonly url: string };
    await new Promise((resolve, reject) => {
      request(`${url}/upstream`, (upstream) => {
        const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...headers } = upstream.headers;
        ctx.res.writeHead(upstream.statusCode ?? 502, headers);
        upstream.pipe(ctx.res).once('finish', resolve).once('error', reject);
      })
        .once('error', reject)
        .end();
    });
    await between();
  },
};

/** What is done with the session, before the answer begins or after it. */
export const DEEDS: Readonly<Record<string, (ctx: Koa.Context) => unknown>> = {
  read: (ctx) => ctx.session.get('name'),
  change: (ctx) => ctx.session.set('changed', true),
  commit: async (ctx) => {
    ctx.session.set('name', 'new');
    await commitSession(ctx);
  },
  nothing: () => {},
};

export interface EarlyOptions {
  readonly store: SessionStore;
  readonly warn: (details: object, message: string) => void;
  /** Told when all middleware of a request is back, with what it threw. */
  readonly done: (error: unknown) => void;
}

/** `/?way=…&before=…&after=…`; `/` alone gives a session. */
export function createApp({ store, warn, done }: EarlyOptions): Koa {
  const app = new Koa();
  const settings = defineSettings({ SECRET_KEY: 'early answers' });
  app.use(async (ctx, next) => {
    let thrown: unknown;
    try {
      await next();
    } catch (error) {
      thrown = error;
      throw error;
    } finally {
      if (ctx.path === '/way') done(thrown);
    }
  });
  app.use(sessions(app, { settings, store, logger: { warn: warn as never } }));
  app.use(async (ctx) => {
    if (ctx.path === '/upstream') {
      ctx.body = PARTS.join('');
    } else if (ctx.path === '/way') {
      const { way, before, after } = ctx.query;
      await DEEDS[String(before)]?.(ctx);
      await WAYS[String(way)]?.(ctx, () => DEEDS[String(after)]?.(ctx));
    } else if (ctx.path === '/failing-stream') {
      ctx.session['changed'] = true;
      // Fails while the session is being saved, before Koa listens to it.
      ctx.body = new Readable({ read() {} }).destroy(new Error('The disk is gone.'));
    } else {
      if (ctx.session.is_empty()) ctx.session['name'] = 'known';
      ctx.body = Object.fromEntries(ctx.session.items());
    }
  });
  return app;
}
