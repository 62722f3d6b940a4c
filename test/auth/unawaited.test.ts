/** New session keys that a handler does not await: the answer still has the cookie of the only session that there is. */
import { expect } from 'chai';
import Koa from 'koa';
import mount from 'koa-mount';
import { StoreUnavailable, UpdateError, ValueError } from '../../server/errors.js';
import {
  authentication,
  commitSession,
  exceptions,
  login,
  logout,
  sessions,
  update_session_auth_hash,
} from '../../server/index.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import type { ClientResponse } from '../../server/testing/index.js';
import { Client } from '../../server/testing/index.js';
import { settings } from '../http/serve.js';
import { LateStore, tick } from '../session/late_store.js';
import { reasonOf } from '../support/reason.js';

const ann = {
  id: 1,
  password: 'pbkdf2_sha256$1$salt$hash',
  is_authenticated: true,
  get_username: () => 'ann',
} as const;
const changed = { ...ann, password: 'pbkdf2_sha256$1$salt$other' };

describe('A session key that changes without being awaited', () => {
  const given = settings();
  let user: typeof ann | typeof changed;
  const backend = { path: 'own.Backend', authenticate: async () => user, get_user: async () => user };

  const deeds: Readonly<Record<string, (ctx: Koa.Context) => Promise<unknown>>> = {
    login: (ctx) => login(ctx, ann),
    cycle_key: (ctx) => ctx.session.cycle_key(),
    create: (ctx) => ctx.session.create(),
    async update_session_auth_hash(ctx) {
      user = changed;
      await update_session_auth_hash(ctx, changed);
    },
  };

  function site(isInside: boolean): Koa {
    const app = new Koa();
    app.silent = true;
    app.use(sessions(app, { settings: given, store: new LateStore() }));
    if (isInside) app.use(exceptions({ logger: { warn: () => {}, error: () => {} } }));
    app.use(authentication(app, { settings: given, backends: [backend] }));
    app.use(async (ctx) => {
      const [deed = '', end = ''] = ctx.path.slice(1).split('/');
      if (deed === 'cart') ctx.session.set('cart', 7);
      if (deed === 'first') await login(ctx, ann);
      void deeds[deed]?.(ctx);
      if (end !== '') ctx.throw(Number(end));
      ctx.body = { cart: ctx.session.get('cart'), me: ctx.user.id };
    });
    return app;
  }

  beforeEach(() => {
    user = ann;
  });

  it('is the last one’s, with its user, where a request logs in, out and changes the password at once', async () => {
    const bob = { ...ann, id: 2 };
    const steps: Readonly<Record<string, (ctx: Koa.Context) => Promise<unknown>>> = {
      ann: (ctx) => login(ctx, ann),
      bob: (ctx) => login(ctx, bob),
      hash: (ctx) => update_session_auth_hash(ctx, ann),
      nobody: (ctx) => logout(ctx),
    };
    const app = new Koa();
    const store = new LateStore();
    app.use(sessions(app, { settings: given, store }));
    const get_user = async (id: string): Promise<typeof ann | typeof bob> => (id === '1' ? ann : bob);
    const own = { path: 'own.Backend', authenticate: async () => null, get_user };
    app.use(authentication(app, { settings: given, backends: [own] }));
    app.use(async (ctx) => {
      const asked = ctx.path.split('/').filter((name) => name !== '');
      await Promise.all(asked.map((name) => steps[name]?.(ctx)));
      ctx.body = { me: ctx.user.id, session: ctx.session.get('_auth_user_id') };
    });
    for (const [path, id] of [
      ['/ann/bob/', 2],
      ['/ann/nobody/bob/', 2],
      ['/ann/bob/nobody/', null],
      ['/bob/ann/hash/', 1],
      ['/ann/hash/bob/', 2],
      ['/hash/nobody/', null],
      ['/nobody/ann/', 1],
    ] as const) {
      for (const first of ['/', '/ann/']) {
        const client = new Client(app);
        await client.get(first);
        const expected = { me: id, session: id === null ? null : String(id) };
        expect((await client.get(path)).json(), path).to.deep.equal(expected);
        expect((await client.get('/')).json(), path).to.deep.equal(expected);
      }
    }
  });

  for (const deed of Object.keys(deeds)) {
    for (const [end, isInside] of [
      ['', true],
      ['404', true],
      ['404', false],
      ['500', true],
      ['500', false],
    ] as const) {
      it(`by ${deed} is sent with ${end || '200'}${isInside ? '' : ', outside of exceptions'}`, async () => {
        const client = new Client(site(isInside));
        if (deed !== 'login') await client.get('/first');
        await client.get('/cart');
        const before = client.cookies.get('sessionid');
        expect((await client.get(`/${deed}/${end}`)).status).to.equal(Number(end || 200));
        expect(client.cookies.get('sessionid')).to.not.equal(before);
        expect((await client.get('/')).json()).to.deep.equal({ cart: 7, me: 1 });
      });
    }
  }

  it('is kept beside a commitSession that is not awaited either, with what was set', async () => {
    const app = new Koa();
    const store = new LateStore();
    app.use(sessions(app, { settings: given, store }));
    app.use(authentication(app, { settings: given, backends: [backend] }));
    app.use(async (ctx) => {
      if (ctx.path === '/both') {
        ctx.session.set('x', 1);
        void commitSession(ctx);
        void login(ctx, ann);
        ctx.session.set('y', 1);
      }
      ctx.body = [ctx.session.get('x'), ctx.session.get('y'), ctx.user.id];
    });
    for (const first of ['/', '/both']) {
      const client = new Client(app);
      await client.get(first);
      await client.get('/both');
      expect((await client.get('/')).json()).to.deep.equal([1, 1, 1]);
    }
  });

  for (const engine of ['rows', 'signed_cookies']) {
    it(`is told to nobody after a logout, though a commitSession had set its cookie (${engine})`, async () => {
      const app = new Koa();
      app.silent = true;
      const store = engine === 'rows' ? new LateStore() : new SignedCookiesStore(given);
      app.use(sessions(app, { settings: given, store }));
      app.use(authentication(app, { settings: given, backends: [backend] }));
      app.use(async (ctx) => {
        ctx.body = { me: ctx.user.id };
        if (ctx.path === '/') return;
        await login(ctx, ann);
        await commitSession(ctx);
        await logout(ctx);
        if (ctx.path === '/next') ctx.session.set('next', 1);
        if (ctx.path === '/set500') ctx.session.set('next', 1);
        if (ctx.path.endsWith('500')) ctx.throw(500);
      });
      for (const path of ['/login', '/500', '/next', '/set500']) {
        const client = new Client(app);
        await client.get(path);
        expect((await client.get('/')).json(), path).to.deep.equal({ me: null });
        expect(client.cookies.has('sessionid'), path).to.equal(path === '/next');
      }
    });
  }

  it('is deleted by an answer of 500 after a logout, though values were set since (signed_cookies)', async () => {
    const app = new Koa();
    app.silent = true;
    app.use(sessions(app, { settings: given, store: new SignedCookiesStore(given) }));
    app.use(authentication(app, { settings: given, backends: [backend] }));
    app.use(async (ctx) => {
      if (ctx.path === '/login') await login(ctx, ann);
      if (ctx.path === '/logout') {
        await logout(ctx);
        ctx.session.set('bye', 1);
        ctx.throw(500);
      }
      ctx.body = { me: ctx.user.id };
    });
    const client = new Client(app);
    await client.get('/login');
    expect((await client.get('/')).json()).to.deep.equal({ me: 1 });
    await client.get('/logout');
    expect((await client.get('/')).json()).to.deep.equal({ me: null });
  });

  it('ends with the browser where that was asked for, whatever the answer had for a cookie before', async () => {
    const app = new Koa();
    app.use(sessions(app, { settings: given, store: new LateStore() }));
    const deeds: Readonly<Record<string, (session: Koa.Context['session']) => Promise<unknown>>> = {
      flush: (session) => session.flush(),
      none: async () => {},
    };
    app.use(async (ctx) => {
      const [, deed = '', commits] = ctx.path.split('/');
      if (deed === 'begin') ctx.session.set('a', 1);
      else {
        await deeds[deed]?.(ctx.session);
        if (commits === 'commit') await commitSession(ctx);
        ctx.session.set('b', 1);
        ctx.session.set_expiry(0);
      }
      ctx.body = 'ok';
    });
    for (const path of ['/flush', '/flush/commit', '/none', '/none/commit']) {
      const client = new Client(app);
      await client.get('/begin');
      const cookies = (await client.get(path)).headers['set-cookie'] ?? [];
      expect(cookies, path).to.have.length(1);
      expect(cookies[0], path).to.match(/^sessionid=\w{32}; HttpOnly; Path=\/; SameSite=Lax$/);
    }
  });

  it('is not waited for by a commitSession that came before, and for which it waits', async () => {
    const app = new Koa();
    app.use(sessions(app, { settings: given, store: new LateStore() }));
    app.use(async (ctx) => {
      ctx.session.set('a', 1);
      const committed = commitSession(ctx);
      ctx.body = await ctx.session.atomic(async (fresh) => {
        await committed;
        return String(fresh.get('a'));
      });
    });
    expect((await new Client(app).get('/')).text).to.equal('1');
  });

  it('is the last one, where an atomic changes the cookie beside a commitSession (signed_cookies)', async () => {
    const app = new Koa();
    app.use(sessions(app, { settings: given, store: new SignedCookiesStore(given) }));
    app.use((ctx) => {
      if (ctx.path !== '/') {
        void ctx.session.save();
        void commitSession(ctx);
        ctx.session.set('a', 1);
        void commitSession(ctx);
        void ctx.session.atomic(async (fresh) => {
          for (let left = Number(ctx.path.slice(1)); left > 0; left -= 1) await null;
          fresh.set('n', 1);
        });
      }
      ctx.body = Object.fromEntries(ctx.session.items());
    });
    // However many steps the function takes: one of them ends between the save of the commit and its end.
    for (let steps = 0; steps < 20; steps += 1) {
      const client = new Client(app);
      await client.get(`/${steps}`);
      expect((await client.get('/')).json(), `${steps} steps`).to.deep.equal({ a: 1, n: 1 });
    }
  });

  it('of a mounted application is not that of the outer one, whose user stays', async () => {
    const [app, admin] = [new Koa(), new Koa()];
    const outer = new LateStore();
    app.use(sessions(app, { settings: given, store: outer }));
    const signedOut: unknown[] = [];
    const user_logged_out = (_: unknown, user: { readonly id: number } | null): unknown => signedOut.push(user?.id);
    app.use(authentication(app, { settings: given, backends: [backend], user_logged_out }));
    const own = settings({ SESSION_COOKIE_NAME: 'adminid' });
    admin.use(sessions(admin, { settings: own, store: new LateStore() }));
    admin.use(async (ctx) => {
      if (ctx.path === '/login') await login(ctx, ann);
      else void logout(ctx);
      ctx.body = 'ok';
    });
    app.use(mount('/admin', admin));
    app.use(async (ctx) => {
      if (ctx.path === '/login') await login(ctx, ann);
      ctx.body = { me: ctx.user.id };
    });
    const client = new Client(app);
    await client.get('/login');
    await client.get('/admin/login');
    await client.get('/admin/logout');
    expect((await client.get('/')).json()).to.deep.equal({ me: 1 });
    expect(signedOut).to.deep.equal([1]);
  });

  for (const [name, begin] of Object.entries({
    login: (ctx: Koa.Context) => login(ctx, ann),
    atomic: (ctx: Koa.Context) => ctx.session.atomic((fresh) => tick().then(() => fresh.set('n', 1))),
  })) {
    it(`is sent by a commitSession that comes after ${name}, which it waits for`, async () => {
      const app = new Koa();
      app.use(sessions(app, { settings: given, store: new LateStore() }));
      app.use(authentication(app, { settings: given, backends: [backend] }));
      app.use(async (ctx) => {
        if (ctx.path === '/') {
          ctx.body = { me: ctx.user.id, n: ctx.session.get('n') };
          return;
        }
        const begun = begin(ctx);
        await commitSession(ctx);
        ctx.respond = false;
        ctx.res.end('ok');
        await begun;
      });
      const client = new Client(app);
      await client.get('/begin');
      const is = name === 'login' ? { me: 1, n: null } : { me: null, n: 1 };
      expect((await client.get('/')).json()).to.deep.equal(is);
    });
  }

  it('is refused to a commitSession inside of atomic, which it would wait for', async () => {
    const app = new Koa();
    app.use(sessions(app, { settings: given, store: new LateStore() }));
    app.use(async (ctx) => {
      ctx.body = await ctx.session.atomic(() => commitSession(ctx)).catch((error: Error) => error.message);
    });
    expect((await new Client(app).get('/')).text).to.match(/^Inside `atomic`/);
  });

  it('is that of the login which follows a logout', async () => {
    const app = new Koa();
    app.use(sessions(app, { settings: given, store: new LateStore() }));
    app.use(authentication(app, { settings: given, backends: [backend] }));
    app.use((ctx) => {
      if (ctx.path === '/again') void logout(ctx).then(() => login(ctx, ann));
      if (ctx.path === '/anew') void ctx.session.flush().then(() => ctx.session.create());
      ctx.body = { me: ctx.user.id };
    });
    for (const path of ['/again', '/anew']) {
      const client = new Client(app);
      await client.get('/again');
      await client.get(path);
      expect((await client.get('/')).json()).to.deep.equal({ me: path === '/again' ? 1 : null });
      expect(client.cookies.get('sessionid'), path).to.match(/^\w{32}$/);
    }
  });

  it('is gone from the store before the answer to a flush that is not awaited', async () => {
    class SlowStore extends LateStore {
      override async delete(...args: Parameters<LateStore['delete']>): Promise<void> {
        for (let ticks = 0; ticks < 20; ticks += 1) await tick();
        return super.delete(...args);
      }
    }
    const app = new Koa();
    const store = new SlowStore();
    app.use(sessions(app, { settings: given, store }));
    app.use(async (ctx) => {
      if (ctx.path === '/set') ctx.session.set('x', 1);
      else void ctx.session.flush();
      ctx.body = 'ok';
    });
    const client = new Client(app);
    await client.get('/set');
    const key = client.cookies.get('sessionid') ?? '';
    expect(await store.exists(key)).to.equal(true);
    await client.get('/flush');
    expect(await store.exists(key)).to.equal(false);
  });

  for (const engine of ['rows', 'signed_cookies']) {
    it(`is sent where atomic makes the first row and is not awaited (${engine})`, async () => {
      const app = new Koa();
      const store = engine === 'rows' ? new LateStore() : new SignedCookiesStore(given);
      app.use(sessions(app, { settings: given, store }));
      app.use((ctx) => {
        if (ctx.path === '/count') {
          void ctx.session.atomic(async (fresh) => {
            await tick().then(tick);
            fresh['n'] = Number(fresh['n'] ?? 0) + 1;
          });
        }
        ctx.body = String(ctx.session.get('n'));
      });
      const client = new Client(app);
      for (const _ of [1, 2]) await client.get('/count');
      expect((await client.get('/')).text).to.equal('2');
    });
  }

  it('in a cookie, loses nothing of what a request does at once', async () => {
    const app = new Koa();
    app.use(sessions(app, { settings: given, store: new SignedCookiesStore(given) }));
    const count = (ctx: Koa.Context): Promise<void> =>
      ctx.session.atomic(async (fresh) => {
        await tick();
        fresh.set('n', Number(fresh.get('n', 0)) + 1);
      });
    const take = (ctx: Koa.Context): Promise<unknown> => ctx.session.atomic((fresh) => fresh.pop('t', null));
    const steps: Readonly<Record<string, (ctx: Koa.Context) => Promise<unknown>>> = {
      count: (ctx) => Promise.all([count(ctx), count(ctx)]),
      take: (ctx) => Promise.all([take(ctx), take(ctx)]),
      save(ctx) {
        ctx.session.set('k', 1);
        return Promise.all([count(ctx), ctx.session.save()]);
      },
      commit: (ctx) => Promise.all([take(ctx), ctx.session.set('k', 1), commitSession(ctx)]),
      cycle: (ctx) => Promise.all([count(ctx), take(ctx), ctx.session.cycle_key()]),
    };
    app.use(async (ctx) => {
      const step = ctx.path.slice(1);
      if (step === 'first') ctx.session.update({ n: 5, t: 'T' });
      ctx.body = { said: await steps[step]?.(ctx), ...ctx.session.toJSON() };
    });
    const leftBy = async (step: string): Promise<unknown> => {
      const client = new Client(app);
      await client.get('/first');
      const { said } = (await client.get(`/${step}`)).json() as { said: unknown };
      const left = (await client.get('/')).json();
      return step === 'take' ? [said, left] : left;
    };
    expect(await leftBy('count')).to.deep.equal({ n: 7, t: 'T' });
    expect(await leftBy('take')).to.deep.equal([['T', null], { n: 5 }]);
    expect(await leftBy('save')).to.deep.equal({ n: 6, t: 'T', k: 1 });
    expect(await leftBy('commit')).to.deep.equal({ n: 5, k: 1 });
    expect(await leftBy('cycle')).to.deep.equal({ n: 6 });
  });
});

describe('What fails and is neither awaited nor caught ends no process, and is the answer’s error', () => {
  const given = settings();
  const DEEDS: Readonly<Record<string, (ctx: Koa.Context) => Promise<unknown>>> = {
    save: (ctx) => ctx.session.save(),
    cycle_key: (ctx) => ctx.session.cycle_key(),
    create: (ctx) => ctx.session.create(),
    atomic: (ctx) => ctx.session.atomic((fresh) => fresh.set('n', 1)),
    flush: (ctx) => ctx.session.flush(),
    commitSession: (ctx) => commitSession(ctx),
    login: (ctx) => login(ctx, ann),
    logout: (ctx) => logout(ctx),
    update_session_auth_hash: (ctx) => update_session_auth_hash(ctx, ann),
  };
  const FAILURES: Readonly<Record<string, { readonly error: () => Error; readonly status: number }>> = {
    'of a session that another tab has ended': { error: () => new UpdateError('Gone.'), status: 400 },
    'of a database that is away': { error: () => new StoreUnavailable('No answer.'), status: 503 },
  };

  for (const [what, { error, status }] of Object.entries(FAILURES)) {
    for (const [name, deed] of Object.entries(DEEDS)) {
      it(`${name}, ${what}`, async () => {
        const store = new LateStore();
        const app = new Koa();
        app.silent = true;
        app.use(sessions(app, { settings: given, store }));
        const backend = { path: 'own.Backend', authenticate: async () => ann, get_user: async () => ann };
        app.use(authentication(app, { settings: given, backends: [backend] }));
        app.use(async (ctx) => {
          ctx.body = 'ok';
          if (ctx.path === '/login') {
            await login(ctx, ann);
            return;
          }
          const fail = async (): Promise<never> => {
            await tick();
            throw error();
          };
          Object.assign(store, { create: fail, replace: fail, modify: fail, cycle: fail, delete: fail });
          if (name === 'commitSession') ctx.session.set('x', 1);
          if (ctx.path === '/deed' || ctx.path === '/early') void deed(ctx);
          if (ctx.path === '/early') for (let ticks = 0; ticks < 20; ticks += 1) await tick();
          if (ctx.path === '/caught') deed(ctx).catch(() => {});
          if (ctx.path === '/inside') void Promise.allSettled([deed(ctx)]);
        });
        const client = new Client(app);
        await client.get('/login');
        // These leave something to the answer's own save, which fails as well.
        const caught = ['flush', 'logout', 'commitSession'].includes(name) ? status : 200;
        for (const [path, expected] of [
          ['/deed', status],
          ['/early', status],
          ['/caught', caught],
          ['/inside', caught],
        ] as const) {
          expect((await client.get(path)).status, path).to.equal(expected);
        }
      });
    }
  }

  async function failing(handler: (ctx: Koa.Context, write: () => Promise<unknown>) => unknown): Promise<{
    readonly errors: Error[];
    ask(): Promise<ClientResponse>;
  }> {
    const errors: Error[] = [];
    const store = new LateStore();
    const app = new Koa();
    app.silent = true;
    app.on('error', (error: Error) => errors.push(error));
    app.use(sessions(app, { settings: given, store }));
    app.use(async (ctx) => {
      if (ctx.path === '/begin') ctx.session.set('a', 1);
      else await handler(ctx, () => ctx.session.atomic(() => Promise.reject(new StoreUnavailable('No answer.'))));
      if (ctx.respond !== false) ctx.body ??= 'ok';
    });
    const client = new Client(app);
    await client.get('/begin');
    return { errors, ask: () => client.get('/') };
  }

  it('is only logged where other code writes the answer', async () => {
    const { errors, ask } = await failing((ctx, write) => {
      ctx.respond = false;
      void write();
      setImmediate(() => setImmediate(() => setImmediate(() => ctx.res.end('own'))));
    });
    expect((await ask()).text).to.equal('own');
    expect(errors.map(({ name }) => name)).to.deep.equal(['StoreUnavailable']);
  });

  it('cuts an answer that has begun, which would look whole', async () => {
    const { errors, ask } = await failing((ctx, write) => {
      ctx.flushHeaders();
      void write();
    });
    expect(await reasonOf(ask())).to.be.instanceOf(Error);
    expect(errors.map(({ name }) => name)).to.deep.equal(['StoreUnavailable']);
  });

  it('is logged where the handler fails for another reason', async () => {
    const { errors, ask } = await failing((ctx, write) => {
      void write();
      ctx.throw(404);
    });
    expect((await ask()).status).to.equal(404);
    expect(errors.map(({ name }) => name)).to.deep.equal(['StoreUnavailable', 'NotFoundError']);
  });

  it('a mistake of the programmer is told at once', async () => {
    const app = new Koa();
    app.silent = true;
    app.use(sessions(app, { settings: given, store: new LateStore() }));
    app.use((ctx) => {
      const saved = ctx.session.save as unknown as (callback: () => void) => void;
      expect(() => saved(() => {})).to.throw(ValueError, 'no callback');
      ctx.body = 'ok';
    });
    expect((await new Client(app).get('/')).status).to.equal(200);
  });
});
