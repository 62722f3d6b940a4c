/** The declaration is the whole program's, also for its CommonJS. Never called. */
import type Koa = require('koa');
import library = require('koa-django-session');

export const count: Koa.Middleware = (ctx) => {
  const visits: number = ctx.session.get('visits', 0);
  ctx.session.set('visits', visits + 1);
  const anything: library.SessionDictionary = ctx.session;
  anything.set('campaign', 'spring');
  // @ts-expect-error: a misspelt key
  ctx.session.set('vists', 1);
  // @ts-expect-error: a number
  ctx.request.session.set('visits', '1');
};
