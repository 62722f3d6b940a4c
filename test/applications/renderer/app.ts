/** Koa as the custom server of a page renderer, as Next.js's manual has it: `await handle(ctx.req, ctx.res)`. */
import type { IncomingMessage } from 'node:http';
import Koa from 'koa';
import {
  authentication,
  commitSession,
  defineSettings,
  ModelBackend,
  type Session,
  type SessionStore,
  sessions,
  type UserTable,
} from 'koa-django-session';
import { createRenderer, type RendererOptions } from './renderer.js';

/** What pages get to know: the request as the renderer sees it. */
type PageRequest = IncomingMessage & { readonly session: Session; readonly user: { readonly username: string } };

export interface SiteOptions {
  readonly store: SessionStore;
  readonly users: UserTable;
  readonly head: RendererOptions['head'];
  readonly warn: (details: object, message: string) => void;
}

export function createSite({ store, users, head, warn }: SiteOptions): Koa {
  const settings = defineSettings({ SECRET_KEY: 'renderer' });
  const handle = createRenderer({
    head,
    page: (req) => {
      if (req.url === '/static') return 'the same for all';
      const { session, user } = req as PageRequest;
      session['pages'] = Number(session.get('pages', 0)) + 1;
      return `page ${session.get('pages')} for ${user.username === '' ? 'nobody' : user.username}`;
    },
  });
  const app = new Koa();
  app.use(sessions(app, { settings, store, logger: { warn: warn as never } }));
  app.use(authentication(app, { settings, backends: [new ModelBackend(users)] }));
  app.use(async (ctx) => {
    if (ctx.path === '/api') {
      ctx.body = Object.fromEntries(ctx.session.items());
      return;
    }
    if (ctx.path === '/begin') {
      ctx.session['begun'] = true;
      await commitSession(ctx);
    }
    // Looked up when a page asks, so that pages which do not are the same for all.
    Object.defineProperties(ctx.req, {
      session: { get: () => ctx.session },
      user: { get: () => ctx.user },
    });
    ctx.respond = false;
    await handle(ctx.req, ctx.res);
  });
  return app;
}
