/**
 * A plain `new Koa()` beside koa-body, whose own types know `ctx.request.body`. It is checked by tsc: what must not compile
 * is marked, and a mark without a fault is a fault.
 */
import Koa from 'koa';
import { koaBody } from 'koa-body';
import { commitSession, defineSettings, type Session, sessions } from 'koa-django-session';
import { MemoryStore } from 'koa-django-session/stores/memory';

export function createApp(): Koa {
  const settings = defineSettings({ SECRET_KEY: 'typed session' });
  const app = new Koa();
  app.use(sessions(app, { settings, store: new MemoryStore() }));
  app.use(koaBody() as Koa.Middleware);
  app.use(async (ctx) => {
    const session: Session = ctx.session;
    session['visits'] = Number(session.get('visits', 0)) + 1;
    await commitSession(ctx);
    ctx.body = String(session.get('visits'));
  });
  return app;
}

/** Never called: `any` in place of the session's type would let all of this pass. */
export const mistakes: readonly Koa.Middleware[] = [
  (ctx) => {
    // @ts-expect-error A misspelt `modified`.
    ctx.session.modifed = true;
  },
  (ctx) => {
    // @ts-expect-error A value is unknown until it is checked.
    ctx.session.nosuch.method();
  },
  (ctx) => {
    // @ts-expect-error Users have no such member.
    ctx.user.nosuch;
  },
];

/** Types of one's own for state and context change nothing about it. */
export const typed: Koa.Middleware<{ readonly place: string }, { readonly price: number }> = async (ctx) => {
  const session: Session = ctx.session;
  // @ts-expect-error A misspelt `modified`.
  ctx.session.modifed = true;
  await commitSession(ctx);
  ctx.body = `${ctx.state.place} ${ctx.price} ${session.session_key}`;
};
