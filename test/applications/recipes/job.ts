import Router from '@koa/router';
import Koa from 'koa';
import {
  commitSession,
  csrf,
  exceptions,
  openSession,
  type SessionStore,
  type Settings,
  sessions,
  UpdateError,
} from 'koa-django-session';

/** In a worker, maybe in another process: creates a report, and stores it in the session that requested it. */
export async function makeReport(session_key: string, settings: Settings, store: SessionStore): Promise<boolean> {
  const session = await openSession(session_key, { settings, store });
  if (session.session_key === null) return false; // ended before the job began
  session['report'] = { status: 'ready', lines: 42 };
  try {
    await session.save(); // merged with the changes of pages since then
    return true;
  } catch (error) {
    if (error instanceof UpdateError) return false; // the visitor has logged out since then
    throw error;
  }
}

/** @param enqueue passes the key to the worker. The key gives access to the session: never log it */
export function createApp(settings: Settings, store: SessionStore, enqueue: (session_key: string) => void): Koa {
  const app = new Koa();
  app.use(sessions(app, { settings, store }));
  app.use(exceptions());
  app.use(csrf(app, { settings }));

  const router = new Router();
  router.post('/report/', async (ctx) => {
    ctx.session['report'] = { status: 'waiting' };
    await commitSession(ctx); // the row must exist before the worker reads it
    enqueue(ctx.session.session_key ?? '');
    ctx.status = 202;
    ctx.body = ctx.session['report'];
  });
  router.get('/report/', (ctx) => {
    ctx.body = ctx.session.get('report', { status: 'none' });
  });
  app.use(router.routes());
  return app;
}
