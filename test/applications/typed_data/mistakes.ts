/** What must not compile: a mark without a fault is a fault. Never called. */
import type { Context } from 'koa';
import type { SessionDictionary } from 'koa-django-session';
import './session_data.js';

export function mistakes(ctx: Context, key: string): void {
  // @ts-expect-error: a misspelt key
  ctx.session.get('crat');
  // @ts-expect-error: with a default, too
  ctx.session.get('crat', []);
  // @ts-expect-error: a misspelt key
  ctx.request.session.set('crat', []);
  // @ts-expect-error: a misspelt key
  ctx.session.pop('crat');
  // @ts-expect-error: a misspelt key
  ctx.session.setdefault('crat', []);
  // @ts-expect-error: a misspelt key
  ctx.session.update({ crat: [] });
  // @ts-expect-error: a misspelt key
  ctx.session.has_key('crat');
  // @ts-expect-error: a misspelt key
  ctx.session.remove('crat');
  // @ts-expect-error: a misspelt key
  ctx.session['crat'] = [];
  // @ts-expect-error: a misspelt key
  ctx.session.crat;
  // @ts-expect-error: any text may be a key that nobody declared
  ctx.session.get(key);
  // @ts-expect-error: any text may be a key that nobody declared
  ctx.session[key];
  // @ts-expect-error: in atomic, too
  void ctx.session.atomic((fresh) => fresh.set('crat', []));
  // @ts-expect-error: with a new key, too
  void ctx.session.cycle_key({ values: { crat: [] } });

  // @ts-expect-error: a number
  ctx.session.set('visits', '1');
  // @ts-expect-error: a number
  ctx.session.get('visits', 'none');
  // @ts-expect-error: a number
  ctx.session['visits'] = '1';
  // @ts-expect-error: a number
  ctx.session.update({ visits: '1' });
  // @ts-expect-error: items have an id
  ctx.session.get('cart', []).map(({ name }) => name);
  // @ts-expect-error: null where there is none
  const visits: number = ctx.session.get('visits');
  // @ts-expect-error: undefined where there is none
  ctx.session['cart'].length;
  // @ts-expect-error: a misspelt `modified`
  ctx.session.modifed = true;
  // @ts-expect-error: the method, not the key
  const keys: string[] = ctx.session['keys'];
  // @ts-expect-error: keys that nobody declared
  const other: SessionDictionary<{ draft: string }> = ctx.session;
  void [visits, keys, other];
}
