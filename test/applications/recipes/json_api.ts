import Router from '@koa/router';
import Koa from 'koa';
import { csrf, exceptions, jsonBody, type SessionStore, type Settings, sessions } from 'koa-django-session';

function idOf(order: unknown): number | null {
  const { id } = Object(order);
  return Number.isSafeInteger(id) ? id : null;
}

export function createApp(settings: Settings, store: SessionStore): Koa {
  const app = new Koa();
  app.use(sessions(app, { settings, store }));
  app.use(exceptions()); // {"error", "status"} for who accepts JSON
  app.use(csrf(app, { settings }));

  const router = new Router({ prefix: '/api' });
  // Scripts send this token in the header X-CSRFToken with each unsafe request.
  router.get('/csrf', (ctx) => {
    ctx.body = { csrf_token: ctx.csrf_token };
  });
  router.get('/cart', (ctx) => {
    ctx.body = { cart: ctx.session.get('cart', []) };
  });
  router.post('/cart', async (ctx) => {
    const id = idOf(await jsonBody(ctx, settings));
    if (id === null) return ctx.throw(400, 'Send {"id": 7}.');
    // Of two concurrent requests, each changes the cart that the other has saved.
    const cart = await ctx.session.atomic((fresh) => {
      const longer = [...(fresh.get('cart', []) as number[]), id];
      fresh.set('cart', longer);
      return longer;
    });
    ctx.status = 201;
    ctx.body = { cart };
  });
  app.use(router.routes());
  app.use(router.allowedMethods());
  return app;
}
