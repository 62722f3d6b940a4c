/** Applications inside applications: koa-mount, one middleware in two applications, two cookies on one site, mounted twice. */
import { expect } from 'chai';
import Koa from 'koa';
import mount from 'koa-mount';
import { authentication, ModelBackend, type User, UserTable } from '../../server/auth/index.js';
import { login } from '../../server/auth/login.js';
import { csrf } from '../../server/csrf/index.js';
import type { Deadline } from '../../server/db/deadline.js';
import { ImproperlyConfigured } from '../../server/errors.js';
import { exceptions, formBody, installCookies, installProxies } from '../../server/http/index.js';
import { requestDeadline, sessions } from '../../server/session/index.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import type { Settings } from '../../server/settings.js';
import { Client } from '../../server/testing/index.js';
import { portless, settings } from '../http/serve.js';
import { databaseOfSuite, type SuiteDatabase } from '../support/database.js';

let database: SuiteDatabase;
let user: User;

const quiet = { logger: { warn() {}, error() {} } };

/** Everything that a sub-application may want, mounted for itself. */
function whole(app: Koa, values: { readonly [Name in keyof Settings]?: unknown } = {}): readonly Koa.Middleware[] {
  const own = settings(values);
  return [
    sessions(app, { settings: own, store: new DatabaseStore(database.knex) }),
    exceptions(quiet),
    formBody({ settings: own }),
    csrf(app, { settings: own }),
    authentication(app, { settings: own, backends: [new ModelBackend(new UserTable(database.knex))] }),
  ];
}

function subApplication(handle: Koa.Middleware, values: { readonly [Name in keyof Settings]?: unknown } = {}): Koa {
  const sub = new Koa();
  for (const middleware of whole(sub, values)) sub.use(middleware);
  sub.use(handle);
  return sub;
}

const countVisits: Koa.Middleware = (ctx) => {
  const visits = Number(ctx.session.get('visits', 0)) + 1;
  ctx.session['visits'] = visits;
  ctx.body = { visits, token: ctx.csrf_token, user: ctx.user.is_authenticated };
};

describe('sessions, csrf and authentication', () => {
  database = databaseOfSuite();
  before(async () => {
    user = await new UserTable(database.knex).create_user({ username: 'ann', password: '!' });
  });

  it('work in an application that is mounted in another, which has none of them', async () => {
    const app = new Koa();
    app.use(mount('/shop', subApplication(countVisits)));
    const visitor = new Client(app);
    const first = await visitor.get('/shop/');
    expect(first.json()).to.include({ visits: 1, user: false });
    expect(first.set_cookie).to.have.length(2);
    expect((await visitor.get('/shop/')).json()).to.include({ visits: 2 });
  });

  it('check the token of a form there', async () => {
    const app = new Koa();
    app.use(mount('/shop', subApplication(countVisits)));
    const visitor = new Client(app, { enforce_csrf_checks: true });
    const { token: csrfmiddlewaretoken } = (await visitor.get('/shop/')).json() as { token: string };
    expect((await visitor.post('/shop/', { csrfmiddlewaretoken })).status).to.equal(200);
    expect((await visitor.post('/shop/', { a: 1 })).status).to.equal(403);
  });

  it('work as the same middleware in two applications', async () => {
    const one = new Koa();
    const other = new Koa();
    for (const middleware of whole(one)) {
      one.use(middleware);
      other.use(middleware);
    }
    one.use(countVisits);
    other.use(countVisits);
    const visitor = new Client(other);
    expect((await visitor.get('/')).json()).to.include({ visits: 1 });
    const there = new Client(one, { cookies: visitor.cookies });
    expect((await there.get('/')).json()).to.include({ visits: 2 });
  });

  it('keep two sessions of different cookie names on one site apart', async () => {
    const seen: unknown[] = [];
    const app = new Koa();
    for (const middleware of whole(app)) app.use(middleware);
    app.use(async (ctx, next) => {
      ctx.session['outer'] = 'o';
      await login(ctx, user);
      await next();
      // The outer one is in force again.
      seen.push(
        ctx.session.keys().filter((key) => !key.startsWith('_')),
        ctx.user.is_authenticated,
      );
    });
    const names = { SESSION_COOKIE_NAME: 'adminid', SECRET_KEY: 'another key' };
    app.use(
      mount(
        '/admin',
        subApplication((ctx) => {
          ctx.session['inner'] = 'i';
          ctx.response.set_signed_cookie('signed', 'x');
          ctx.body = { keys: ctx.session.keys(), user: ctx.user.is_authenticated, token: ctx.csrf_token };
        }, names),
      ),
    );
    const visitor = new Client(app);
    const answer = await visitor.get('/admin/');
    expect(JSON.parse(answer.text)).to.include({ user: false });
    expect(JSON.parse(answer.text).keys).to.deep.equal(['inner']);
    expect(seen).to.deep.equal([['outer'], true]);
    expect(answer.set_cookie.map((line) => line.split('=', 1)[0])).to.have.members([
      'sessionid',
      'adminid',
      'csrftoken',
      'signed',
    ]);
    const again = await visitor.get('/admin/');
    expect(JSON.parse(again.text).user).to.equal(false);
  });

  it('have one deadline for a request, those of two cookies together', async () => {
    const app = new Koa();
    const seen = new Set<Deadline>();
    const look: Koa.Middleware = (ctx, next) => {
      seen.add(requestDeadline(ctx));
      return next();
    };
    // A throttle may stand before the session.
    app.use(look);
    for (const middleware of whole(app)) app.use(middleware);
    app.use(look);
    app.use(mount('/admin', subApplication(look, { SESSION_COOKIE_NAME: 'adminid' })));
    await new Client(app).get('/admin/');
    expect(seen).to.have.lengthOf(1);
    // The engine's bound: that of DATABASE_TIMEOUT.
    expect([...seen][0]?.total).to.equal(2.5);
    await new Client(app).get('/admin/');
    expect(seen).to.have.lengthOf(2);
  });

  it('mounted twice by mistake are as if mounted once', async () => {
    const app = new Koa();
    const middleware = whole(app);
    for (const each of [...middleware, ...middleware]) app.use(each);
    app.use(countVisits);
    const visitor = new Client(app, { enforce_csrf_checks: true });
    // A cookie that is no key: the outer one must not delete what the inner one sets.
    visitor.cookies.set('sessionid', 'short');
    const first = await visitor.get('/');
    expect(JSON.parse(first.text)).to.include({ visits: 1 });
    expect(first.set_cookie.filter((line) => line.startsWith('sessionid='))).to.have.length(1);
    expect(first.set_cookie[0]).to.match(/^(sessionid|csrftoken)=[a-zA-Z0-9]{32};/);
    const second = await visitor.post('/', { csrfmiddlewaretoken: JSON.parse(first.text).token });
    expect(second.json()).to.include({ visits: 2 });
  });

  it('refuse a second store for one cookie at start, and in a mounted application at its first request', async () => {
    const app = new Koa();
    app.use(sessions(app, { settings: settings(), store: new MemoryStore() }));
    const second = { settings: settings(), store: new DatabaseStore(database.knex) };
    expect(() => sessions(app, second)).to.throw(ImproperlyConfigured, 'give one another SESSION_COOKIE_NAME');
    expect(() => sessions(app, { ...second, settings: settings({ SESSION_COOKIE_NAME: 'other' }) })).not.to.throw();

    const failures: Error[] = [];
    app.on('error', (error: Error) => failures.push(error));
    app.use(mount('/sub', subApplication(countVisits)));
    expect((await portless(app).ask({ path: '/sub/' })).status).to.equal(500);
    expect(failures.map(({ message }) => message).join()).to.contain('give one another SESSION_COOKIE_NAME');
  });

  it('say at start what they need: the application, what defineSettings returns, and an engine', () => {
    const app = new Koa();
    const given = { settings: settings(), store: new MemoryStore() };
    const plain = { ...given, settings: { SECRET_KEY: 'plain' } };
    const unset = { settings: given.settings };
    for (const [args, word] of [
      [[undefined, given], 'application'],
      [[given], 'application'],
      [[app], 'defineSettings'],
      [[app, plain], 'defineSettings'],
      [[app, unset], 'store'],
      [[app, { ...given, store: MemoryStore }], 'store'],
      [[app, { ...given, store: Promise.resolve(given.store) }], 'store'],
    ] as const) {
      const mount = () => sessions(...(args as unknown as Parameters<typeof sessions>));
      expect(mount, word).to.throw(ImproperlyConfigured, word);
    }
    expect(() => sessions(app, given)).not.to.throw();
  });

  it('refuse a csrf with another secret inside the first, whose every form would be refused', async () => {
    const failures: Error[] = [];
    const app = new Koa();
    app.on('error', (error: Error) => failures.push(error));
    app.use(sessions(app, { settings: settings(), store: new MemoryStore() }));
    app.use(csrf(app, { settings: settings() }));
    const inner = new Koa();
    inner.use(csrf(inner, { settings: settings({ CSRF_COOKIE_NAME: 'other' }) }));
    app.use(mount('/sub', inner));
    const server = portless(app);
    expect((await server.ask({ path: '/sub/' })).status).to.equal(500);
    expect(failures.map(({ message }) => message).join()).to.contain('same CSRF_COOKIE_NAME');
    expect((await server.ask({ path: '/' })).status).to.equal(404);
  });

  it("leave another library's ctx.session of the outer application as it was", async () => {
    const app = new Koa();
    Object.defineProperty(app.context, 'session', { configurable: true, get: () => 'theirs' });
    const seen: unknown[] = [];
    app.use(async (ctx, next) => {
      await next();
      seen.push(ctx.session);
    });
    app.use(mount('/ours', subApplication(countVisits)));
    const answer = await portless(app).ask({ path: '/ours/' });
    expect(JSON.parse(answer.text)).to.include({ visits: 1 });
    expect(seen).to.deep.equal(['theirs']);
  });

  it('take an application with types of its own', () => {
    interface State {
      tenant: string;
    }
    interface OwnContext {
      log(text: string): void;
    }
    const app = new Koa<State, OwnContext>();
    const own = settings();
    installCookies(app, { settings: own });
    installProxies(app, ['127.0.0.1']);
    app.use(sessions(app, { settings: own, store: new MemoryStore() }));
    app.use(exceptions());
    app.use(formBody({ settings: own }));
    app.use(csrf(app, { settings: own }));
    app.use(authentication(app, { settings: own, backends: [new ModelBackend(new UserTable(database.knex))] }));
    app.use(async (ctx, next) => {
      ctx.state.tenant = ctx.session.session_key ?? '';
      ctx.log(ctx.state.tenant);
      await next();
    });
    expect(app.middleware).to.have.length(6);
  });
});
