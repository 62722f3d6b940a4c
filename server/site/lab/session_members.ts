/** Buttons for the members of the session. */
import { newSessionKey } from '../../index.js';
import { SignedCookiesStore } from '../../session/stores/signed_cookies.js';
import { LabRefusal } from './form.js';
import { javascript, python } from './literals.js';
import { awaited, type Member, method, nothing, plain } from './member.js';

const DICTIONARY: Readonly<Record<string, Member>> = {
  set(form) {
    const [key, value] = [form.key(), form.value()];
    return {
      code: {
        django: `request.session[${python(key)}] = ${python(value)}`,
        koa: `ctx.session.set(${javascript(key)}, ${javascript(value)})`,
      },
      run: ({ ctx }) => nothing(ctx.session.set(key, value)),
    };
  },
  get(form) {
    const [key, other] = [form.key(), form.optional('default')];
    return method('get', [key, ...other], ({ ctx }) => ctx.session.get(key, ...other));
  },
  pop(form) {
    const [key, other] = [form.key(), form.optional('default')];
    return method('pop', [key, ...other], ({ ctx }) => ctx.session.pop(key, ...other));
  },
  setdefault(form) {
    const [key, value] = [form.key(), form.value()];
    return method('setdefault', [key, value], ({ ctx }) => ctx.session.setdefault(key, value));
  },
  has_key(form) {
    const key = form.key();
    return {
      code: {
        django: `${python(key)} in request.session`,
        koa: `ctx.session.has_key(${javascript(key)})`,
      },
      run: ({ ctx }) => ctx.session.has_key(key),
    };
  },
  remove(form) {
    const key = form.key();
    return {
      code: {
        django: `del request.session[${python(key)}]`,
        koa: `ctx.session.remove(${javascript(key)})`,
      },
      run: ({ ctx }) => nothing(ctx.session.remove(key)),
    };
  },
  append(form) {
    const [key, value, isTold] = [form.key(), form.value(), form.flag('modified')];
    const django = `request.session[${python(key)}].append(${python(value)})`;
    const koa = `ctx.session.get(${javascript(key)}).push(${javascript(value)})`;
    return {
      code: {
        django: isTold ? `${django}\nrequest.session.modified = True` : django,
        koa: isTold ? `${koa}\nctx.session.modified = true` : koa,
      },
      run({ ctx }) {
        const list = ctx.session.get(key);
        if (!Array.isArray(list)) throw new LabRefusal('no_list');
        list.push(value);
        if (isTold) ctx.session.modified = true;
        return nothing(null);
      },
    };
  },
  update(form) {
    const mapping = form.object('mapping');
    return method('update', [mapping], ({ ctx }) => nothing(ctx.session.update(mapping)));
  },
  keys: plain(method('keys', [], ({ ctx }) => ctx.session.keys())),
  values: plain(method('values', [], ({ ctx }) => ctx.session.values())),
  items: plain(method('items', [], ({ ctx }) => ctx.session.items())),
  is_empty: plain(method('is_empty', [], ({ ctx }) => ctx.session.is_empty())),
  clear: plain(method('clear', [], ({ ctx }) => nothing(ctx.session.clear()))),
};

const ROW: Readonly<Record<string, Member>> = {
  save: plain(awaited('save', [], ({ ctx }) => nothing(ctx.session.save()))),
  create: plain(awaited('create', [], ({ ctx }) => nothing(ctx.session.create()))),
  cycle_key: plain(awaited('cycle_key', [], ({ ctx }) => nothing(ctx.session.cycle_key()))),
  flush: plain(awaited('flush', [], ({ ctx }) => nothing(ctx.session.flush()))),
  delete: plain(awaited('delete', [], ({ ctx }) => nothing(ctx.session.delete()))),
  exists: plain({
    code: {
      django: 'request.session.exists(request.session.session_key)',
      koa: 'await ctx.session.exists(ctx.session.session_key)',
    },
    run: ({ ctx }) => ctx.session.exists(ctx.session.session_key),
  }),
  exists_not: plain(awaited('exists', ['nobody0has0this0key'], ({ ctx }) => ctx.session.exists('nobody0has0this0key'))),
  clear_expired(form) {
    const isPlanted = form.flag('plant');
    return {
      code: {
        django: 'request.session.clear_expired()\n# as manage.py clearsessions does',
        koa: 'await ctx.session.clear_expired()\n// as npm run clearsessions does',
        django_returns: 'None',
      },
      async run({ ctx, site, store, codec }) {
        // The row of a browser that never came back.
        if (isPlanted && !(store instanceof SignedCookiesStore)) {
          const expired = { session_key: newSessionKey(), session_data: codec.encode('{"left":"behind"}') };
          await store.create({ ...expired, expire_date: new Date((site.now() - 60) * 1000) });
        }
        return ctx.session.clear_expired();
      },
    };
  },
};

const EXPIRY: Readonly<Record<string, Member>> = {
  set_expiry_seconds(form) {
    const seconds = form.number('seconds');
    return method('set_expiry', [seconds], ({ ctx }) => nothing(ctx.session.set_expiry(seconds)));
  },
  set_expiry_browser: plain(method('set_expiry', [0], ({ ctx }) => nothing(ctx.session.set_expiry(0)))),
  set_expiry_date(form) {
    const date = form.date('date');
    const parts = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours()];
    return {
      code: {
        django: `request.session.set_expiry(datetime(${[...parts, date.getUTCMinutes()].join(', ')}, tzinfo=timezone.utc))`,
        koa: `ctx.session.set_expiry(new Date('${date.toISOString().slice(0, 16)}Z'))`,
      },
      run: ({ ctx }) => nothing(ctx.session.set_expiry(date)),
    };
  },
  set_expiry_days(form) {
    const days = form.number('days');
    return {
      code: {
        django: `request.session.set_expiry(timedelta(days=${days}))`,
        koa: `ctx.session.set_expiry({ days: ${days} })`,
      },
      run: ({ ctx }) => nothing(ctx.session.set_expiry({ days })),
    };
  },
  set_expiry_none: plain(method('set_expiry', [null], ({ ctx }) => nothing(ctx.session.set_expiry(null)))),
  get_expiry_age: plain(method('get_expiry_age', [], ({ ctx }) => ctx.session.get_expiry_age())),
  get_expiry_date: plain(
    method('get_expiry_date', [], ({ ctx }) => `${ctx.session.get_expiry_date().toISOString().slice(0, 19)}Z`),
  ),
  get_expire_at_browser_close: plain(
    method('get_expire_at_browser_close', [], ({ ctx }) => ctx.session.get_expire_at_browser_close()),
  ),
};

const TEST_COOKIE: Readonly<Record<string, Member>> = {
  set_test_cookie: plain(method('set_test_cookie', [], ({ ctx }) => nothing(ctx.session.set_test_cookie()))),
  test_cookie_worked: plain(method('test_cookie_worked', [], ({ ctx }) => ctx.session.test_cookie_worked())),
  delete_test_cookie: plain(method('delete_test_cookie', [], ({ ctx }) => nothing(ctx.session.delete_test_cookie()))),
};

export const SESSION_MEMBERS: Readonly<Record<string, Member>> = { ...DICTIONARY, ...ROW, ...EXPIRY, ...TEST_COOKIE };
