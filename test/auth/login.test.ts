/** Login, logout and whose session it is, through HTTP, with real sessions and Django's table of users. */
import { expect } from 'chai';
import Koa from 'koa';
import { ModelBackend } from '../../server/auth/backend.js';
import { make_password, type PasswordHashers, PBKDF2PasswordHasher } from '../../server/auth/hashers.js';
import {
  type AuthenticationBackend,
  type AuthenticationOptions,
  authenticate,
  authentication,
  get_session_auth_hash,
  login,
  logout,
  type User,
  UserTable,
  update_session_auth_hash,
} from '../../server/auth/index.js';
import { csrf } from '../../server/csrf/index.js';
import { connectKnex } from '../../server/db/knex.js';
import { ImproperlyConfigured, PermissionDenied, StoreUnavailable } from '../../server/errors.js';
import { exceptions } from '../../server/http/exceptions.js';
import { SessionCodec } from '../../server/session/codec.js';
import { sessions } from '../../server/session/middleware.js';
import type { SessionStore } from '../../server/session/store.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import type { Settings } from '../../server/settings.js';
import { type Answer, NOW, portless, settings } from '../http/serve.js';
import { databaseOfSuite } from '../support/database.js';

const BACKEND = 'django.contrib.auth.backends.ModelBackend';
const hashers: PasswordHashers = [new PBKDF2PasswordHasher({ iterations: 1000 })];
const KEY = 'k'.repeat(32);

type Handler = (ctx: Koa.Context) => Promise<unknown>;

/** A browser that knows one cookie, and a server whose handler each request brings along. */
interface Site {
  readonly store: SessionStore;
  readonly settings: Settings;
  /** What the session of this key holds; null without a row. */
  row(session_key: string | null): Promise<unknown>;
  plant(values: Readonly<Record<string, unknown>>, session_key?: string): Promise<void>;
  /** Run a handler in one request; `result` is what it returned. */
  run<T>(
    handler: (ctx: Koa.Context) => Promise<T>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ answer: Answer; result: T }>;
  /** Run it in so many requests at once, all with the cookie of now. */
  atOnce(requests: number, handler: (ctx: Koa.Context, n: number) => Promise<unknown>): Promise<Answer[]>;
  /** The session key that the browser has now. */
  cookie: string | null;
  csrftoken: string | null;
}

describe('login', () => {
  const database = databaseOfSuite();
  let users: UserTable;
  let alice: User;
  let bob: User;

  before(async () => {
    users = new UserTable(database.knex);
    const password = await make_password('secret', { hashers });
    alice = await users.create_user({ username: 'alice', password });
    bob = await users.create_user({ username: 'bob', password: await make_password('other', { hashers }) });
  });

  async function site({
    values = {},
    options = {},
    mount = true,
    store = new MemoryStore({ now: () => NOW }),
  }: {
    readonly values?: Parameters<typeof settings>[0];
    readonly options?: Partial<AuthenticationOptions>;
    readonly mount?: boolean;
    readonly store?: SessionStore;
  } = {}): Promise<Site> {
    const all = settings(values);
    const codec = new SessionCodec(all, { now: () => NOW });
    const app = new Koa();
    const now = (): number => NOW;
    app.use(sessions(app, { settings: all, store, now }));
    app.use(exceptions({}));
    app.use(csrf(app, { settings: all, now }));
    const backends = [new ModelBackend(users, { hashers })];
    const middleware = authentication(app, { settings: all, backends, now, ...options });
    if (mount) app.use(middleware);
    let handler: Handler = async () => undefined;
    let outcome: { result?: unknown; error?: unknown } = {};
    app.use(async (ctx) => {
      ctx.body = 'done';
      try {
        outcome = { result: await handler(ctx) };
      } catch (error) {
        outcome = { error };
        throw error;
      }
    });
    const server = portless(app);
    const browser: Site = {
      store,
      settings: all,
      cookie: null,
      csrftoken: null,
      async row(session_key) {
        const text = session_key === null ? null : await store.load(session_key);
        return text === null ? null : JSON.parse(codec.decode(text) ?? 'null');
      },
      async plant(planted, session_key = KEY) {
        const expire_date = new Date((NOW + 1000) * 1000);
        await store.create({ session_key, session_data: codec.encode(JSON.stringify(planted)), expire_date });
        browser.cookie = session_key;
      },
      atOnce(requests, next) {
        let n = 0;
        handler = async (ctx) => {
          const mine = n;
          n += 1;
          return next(ctx, mine);
        };
        const headers = { cookie: `sessionid=${browser.cookie}` };
        return Promise.all(Array.from({ length: requests }, () => server.ask({ headers })));
      },
      async run<T>(next: (ctx: Koa.Context) => Promise<T>, more: Readonly<Record<string, string>> = {}) {
        handler = next;
        outcome = {};
        const headers = { ...more, ...(browser.cookie === null ? {} : { cookie: `sessionid=${browser.cookie}` }) };
        const answer = await server.ask({ headers });
        for (const text of answer.set_cookie) {
          const [, name, value = ''] = /^(\w+)="?(\w*)"?/.exec(text) ?? [];
          if (name === 'sessionid') browser.cookie = value === '' ? null : value;
          if (name === 'csrftoken') browser.csrftoken = value;
        }
        if ('error' in outcome) throw outcome.error;
        return { answer, result: outcome.result as T };
      },
    };
    return browser;
  }

  const nameOf = async (ctx: Koa.Context): Promise<string | null> => {
    const user = await ctx.request.auser();
    return user.is_authenticated ? user.username : null;
  };
  const logIn = (user: User) => (ctx: Koa.Context) => login(ctx, user);
  const sessionOf = (user: User, secret = 'a key for tests'): Record<string, unknown> => ({
    _auth_user_id: String(user.id),
    _auth_user_backend: BACKEND,
    _auth_user_hash: get_session_auth_hash(user.password, secret),
  });

  describe('of an anonymous visitor', () => {
    it('writes what Django reads, in its order, and gives cookie and CSRF secret', async () => {
      const browser = await site();
      const { answer } = await browser.run(logIn(alice));
      expect(browser.cookie).to.match(/^[a-z0-9]{32}$/);
      expect(Object.entries((await browser.row(browser.cookie)) as object)).to.deep.equal(
        Object.entries(sessionOf(alice)),
      );
      expect(browser.csrftoken).to.match(/^[a-zA-Z0-9]{32}$/);
      expect(answer.headers.vary).to.equal('Cookie');
    });

    it('keeps the data and takes a new key; the old row goes', async () => {
      const browser = await site();
      await browser.plant({ cart: [1, 2] });
      await browser.run(logIn(alice));
      expect(browser.cookie).to.not.equal(KEY);
      expect(await browser.row(browser.cookie)).to.deep.equal({ cart: [1, 2], ...sessionOf(alice) });
      expect(await browser.row(KEY)).to.equal(null);
    });

    it('never adopts a key that was planted in the cookie', async () => {
      const browser = await site();
      browser.cookie = 'planted0planted0planted0planted0';
      await browser.run(logIn(alice));
      expect(browser.cookie).to.not.equal('planted0planted0planted0planted0');
      expect(await browser.row('planted0planted0planted0planted0')).to.equal(null);
    });

    it('makes ctx.request.user that user at once, with the time of the login', async () => {
      const browser = await site();
      const { result } = await browser.run(async (ctx) => {
        expect(ctx.request.user.is_authenticated).to.equal(false);
        const user = await login(ctx, alice);
        expect(ctx.request.user).to.equal(user);
        expect(ctx.user).to.equal(user);
        expect(await ctx.request.auser()).to.equal(user);
        return user;
      });
      expect(result.last_login).to.deep.equal(new Date(NOW * 1000));
      expect(result.backend).to.equal(BACKEND);
      expect((await users.get_by_id(alice.id))?.last_login).to.deep.equal(new Date(NOW * 1000));
    });
  });

  describe('of somebody who is logged in', () => {
    it('as another user forgets the whole session', async () => {
      const browser = await site();
      await browser.plant({ ...sessionOf(alice), cart: 1 });
      await browser.run(async (ctx) => {
        ctx.session.set('before', 'x');
        await login(ctx, bob);
      });
      expect(await browser.row(browser.cookie)).to.deep.equal(sessionOf(bob));
      expect(await browser.row(KEY)).to.equal(null);
    });

    it('as the same user keeps the data and takes a new key, where Django keeps the key', async () => {
      const browser = await site();
      await browser.plant({ ...sessionOf(alice), cart: 1 });
      await browser.run(logIn(alice));
      expect(browser.cookie).to.not.equal(KEY);
      expect(await browser.row(browser.cookie)).to.deep.equal({ ...sessionOf(alice), cart: 1 });
      expect(await browser.row(KEY)).to.equal(null);
    });

    it('keeps the key as Django does when the option says so', async () => {
      const browser = await site({ options: { cycleKeyOnSameUserLogin: false } });
      await browser.plant({ ...sessionOf(alice), cart: 1 });
      await browser.run(logIn(alice));
      expect(browser.cookie).to.equal(KEY);
      expect(await browser.row(KEY)).to.deep.equal({ ...sessionOf(alice), cart: 1 });
    });

    for (const [what, stale] of [
      ['a hash of another password', '0'.repeat(64)],
      ['no hash', undefined],
      ['a hash that is no text', 5],
    ] as const) {
      it(`as the same user with ${what} forgets the session`, async () => {
        const browser = await site({ mount: false });
        const { _auth_user_hash, ...rest } = sessionOf(alice);
        await browser.plant({ ...rest, ...(stale === undefined ? {} : { _auth_user_hash: stale }), cart: 1 });
        await browser.run(logIn(alice));
        expect(await browser.row(browser.cookie)).to.deep.equal(sessionOf(alice));
        expect(await browser.row(KEY)).to.equal(null);
      });
    }

    for (const id of ['abc', null, {}, [], 1.5, '', '99999999999']) {
      it(`under the id ${JSON.stringify(id)} forgets the session`, async () => {
        const browser = await site();
        await browser.plant({ ...sessionOf(alice), _auth_user_id: id, cart: 1 });
        await browser.run(logIn(alice));
        expect(await browser.row(browser.cookie)).to.deep.equal(sessionOf(alice));
      });
    }
  });

  describe('where users and sessions are in one database', () => {
    const now = (): number => NOW;
    const setUp = (values = {}): Promise<Site> =>
      site({ values, store: new DatabaseStore(database.knex, { now }), options: { now } });

    afterEach(async () => {
      await database.knex.raw('DROP FUNCTION IF EXISTS fail CASCADE');
      await database.knex('django_session').delete();
    });

    /** What changes something, and where transactions begin and end, while `work` runs. */
    async function writesOf(work: () => Promise<unknown>): Promise<string[]> {
      const heard: string[] = [];
      const hear = ({ sql }: { readonly sql: string }): void => {
        const [write] =
          /BEGIN|COMMIT|ROLLBACK|(?:INSERT INTO|UPDATE|DELETE FROM) \w+_\w+|SET "last_login"|FOR UPDATE$/.exec(
            sql.trim(),
          ) ?? [];
        if (write !== undefined) heard.push(write);
      };
      database.knex.on('query', hear);
      try {
        await work();
      } finally {
        database.knex.removeListener('query', hear);
      }
      return heard;
    }
    const INSERT = 'INSERT INTO django_session';
    const NEW_KEY = 'UPDATE django_session';
    const LAST_LOGIN = 'SET "last_login"';
    const CYCLED = ['BEGIN', 'FOR UPDATE', NEW_KEY, LAST_LOGIN, 'COMMIT'];

    for (const [who, held, writes] of [
      ['without a cookie', null, ['BEGIN', INSERT, LAST_LOGIN, 'COMMIT']],
      ['with data', () => ({ cart: 1 }), CYCLED],
      ['who is another user', () => sessionOf(bob), CYCLED],
      ['who is the same user', () => sessionOf(alice), CYCLED],
    ] as const) {
      for (const CSRF_USE_SESSIONS of [false, true]) {
        const where = CSRF_USE_SESSIONS ? ', with the CSRF secret in the session' : '';
        it(`is one commit for a visitor ${who}${where}`, async () => {
          const browser = await setUp({ CSRF_USE_SESSIONS });
          if (held !== null) await browser.plant(held());
          expect(await writesOf(() => browser.run(logIn(alice)))).to.deep.equal(writes);
          expect(await browser.row(browser.cookie)).to.include(sessionOf(alice));
          const { rows } = await database.knex.raw('SELECT count(*)::int FROM django_session');
          expect(rows).to.deep.equal([{ count: 1 }]);
        });
      }
    }

    it('saves once more what the request changes after it, in the row of the new key', async () => {
      const browser = await setUp();
      await browser.plant({ cart: 1 });
      const writes = await writesOf(() =>
        browser.run(async (ctx) => {
          await login(ctx, alice);
          ctx.session.set('welcome', true);
        }),
      );
      expect(writes).to.deep.equal([...CYCLED, 'UPDATE django_session']);
      expect(await browser.row(browser.cookie)).to.deep.equal({ cart: 1, ...sessionOf(alice), welcome: true });
    });

    it('keeps what is changed inside a value that was read before', async () => {
      const browser = await setUp();
      await browser.plant({ cart: [1] });
      await browser.run(async (ctx) => {
        const cart = ctx.session.get('cart') as number[];
        await login(ctx, alice);
        cart.push(2);
      });
      expect(await browser.row(browser.cookie)).to.deep.equal({ cart: [1, 2], ...sessionOf(alice) });
    });

    for (const [who, held] of [
      ['without a cookie', null],
      ['with data', () => ({ cart: 1 })],
      ['who is another user', () => ({ ...sessionOf(bob), cart: 1 })],
      ['who is the same user', () => ({ ...sessionOf(alice), cart: 1 })],
    ] as const) {
      it(`that fails leaves a visitor ${who} as before, also when the request goes on and saves`, async () => {
        const browser = await setUp();
        if (held !== null) await browser.plant(held());
        await database.knex.raw(`
          CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'terminating' USING ERRCODE = '57P01'; END $$;
          CREATE TRIGGER fail BEFORE UPDATE ON auth_user FOR EACH ROW EXECUTE FUNCTION fail()`);
        const { answer } = await browser.run(async (ctx) => {
          const before = [ctx.user, ctx.session.session_key];
          expect(await login(ctx, alice).catch((error: unknown) => error)).to.be.instanceOf(StoreUnavailable);
          expect([ctx.user, ctx.session.session_key]).to.deep.equal(before);
          ctx.session.set('went on', 1);
        });
        expect(answer.set_cookie.filter((line) => line.startsWith('csrftoken='))).to.deep.equal([]);
        expect(browser.cookie).to.match(held === null ? /^\w{32}$/ : /^k{32}$/);
        expect(await browser.row(browser.cookie)).to.deep.equal({ ...held?.(), 'went on': 1 });
        expect(await database.knex('django_session').count({ rows: '*' })).to.deep.equal([{ rows: '1' }]);
      });
    }

    it('tells its key also in an answer of 500, as its row is there and the old one gone, where Django does not', async () => {
      const browser = await setUp();
      await browser.plant({ cart: 1 });
      const { answer } = await browser.run(async (ctx) => {
        await login(ctx, alice);
        ctx.session.set('not kept', 1);
        ctx.status = 500;
      });
      expect(answer.status).to.equal(500);
      expect(browser.cookie).to.not.equal(KEY);
      expect(await browser.row(browser.cookie)).to.deep.equal({ cart: 1, ...sessionOf(alice) });
    });

    it('of another user begins a session also when a logout came first', async () => {
      const browser = await setUp();
      await browser.plant({ ...sessionOf(bob), cart: 1 });
      await browser.run(async (ctx) => {
        await browser.store.delete(KEY);
        await login(ctx, alice);
      });
      expect(await browser.row(browser.cookie)).to.deep.equal(sessionOf(alice));
    });

    it('is one of two at once in one session: the other is interrupted, and the data goes to one', async () => {
      const browser = await setUp();
      await browser.plant({ cart: 1 });
      let ready = 0;
      let go: () => void = () => {};
      const both = new Promise<void>((resolve) => {
        go = resolve;
      });
      const answers = await browser.atOnce(2, async (ctx, n) => {
        ready += 1;
        if (ready === 2) go();
        await both;
        await login(ctx, n === 0 ? alice : bob);
      });
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 400]);
      const rows = await database.knex('django_session').select('session_key');
      expect(rows).to.have.length(1);
      const winner = answers.find(({ status }) => status === 200);
      expect(winner?.set_cookie.join()).to.contain(`sessionid=${rows[0]?.session_key};`);
      expect(await browser.row(rows[0]?.session_key)).to.include({ cart: 1 });
      const loser = answers.find(({ status }) => status === 400);
      expect(loser?.set_cookie.filter((line) => line.startsWith('sessionid'))).to.deep.equal([]);
    });
  });

  describe('where the users are elsewhere', () => {
    it('notes last_login first, so that nothing is changed when that fails', async () => {
      class Elsewhere extends ModelBackend {
        override get database(): object {
          return {};
        }
        override update_last_login(_user: User, _at: Date, transaction?: object): Promise<User | null> {
          expect(transaction).to.equal(undefined);
          throw new StoreUnavailable('away');
        }
      }
      const store = new DatabaseStore(database.knex, { now: () => NOW });
      const browser = await site({ store, options: { backends: [new Elsewhere(users)] } });
      await browser.plant({ cart: 1 });
      expect((await browser.run((ctx) => login(ctx, alice).catch(() => 'failed'))).result).to.equal('failed');
      expect(browser.cookie).to.equal(KEY);
      expect(await browser.row(KEY)).to.deep.equal({ cart: 1 });
      await store.delete(KEY);
    });
  });

  it('gives a new CSRF secret each time', async () => {
    const browser = await site();
    await browser.run(logIn(alice));
    const first = browser.csrftoken;
    await browser.run(logIn(alice));
    expect(browser.csrftoken).to.match(/^\w{32}$/);
    expect(browser.csrftoken).to.not.equal(first);
  });

  it('answers 400, and brings nothing back, when a logout came first', async () => {
    const browser = await site();
    await browser.plant({ ...sessionOf(alice), cart: 1 });
    const { answer } = await browser.run(async (ctx) => {
      await browser.store.delete(KEY);
      await login(ctx, alice).catch((error: unknown) => {
        ctx.status = (error as { status: number }).status;
      });
    });
    expect(answer.status).to.equal(400);
    expect(await browser.row(KEY)).to.equal(null);
  });

  it('wants to know the backend where there are two', async () => {
    const second: AuthenticationBackend = {
      path: 'example.Second',
      authenticate: async () => null,
      get_user: async () => bob,
    };
    const browser = await site({ options: { backends: [new ModelBackend(users, { hashers }), second] } });
    await expectError(browser.run(logIn(alice)), /not exactly one authentication backend/);
    await browser.run((ctx) => login(ctx, bob, { backend: 'example.Second' }));
    expect(await browser.row(browser.cookie)).to.include({ _auth_user_backend: 'example.Second' });
    expect((await browser.run(nameOf)).result).to.equal('bob');
  });

  describe('authenticate', () => {
    it('gives the user with the backend, and logs nobody in', async () => {
      const browser = await site();
      const { result } = await browser.run((ctx) => authenticate(ctx, { username: 'alice', password: 'secret' }));
      expect(result?.username).to.equal('alice');
      expect(result?.password).to.equal(alice.password);
      expect(result?.backend).to.equal(BACKEND);
      expect(browser.cookie).to.equal(null);
    });

    it('tells of a failure without the password', async () => {
      const heard: unknown[] = [];
      const browser = await site({ options: { user_login_failed: (_, credentials) => heard.push(credentials) } });
      const { result } = await browser.run((ctx) => authenticate(ctx, { username: 'alice', password: 'wrong' }));
      expect(result).to.equal(null);
      expect(heard).to.deep.equal([{ username: 'alice' }]);
    });

    it('asks nobody else when a backend says PermissionDenied', async () => {
      const no: AuthenticationBackend = {
        path: 'example.No',
        authenticate: async () => {
          throw new PermissionDenied('no');
        },
        get_user: async () => null,
      };
      const browser = await site({ options: { backends: [no, new ModelBackend(users, { hashers })] } });
      const { result } = await browser.run((ctx) => authenticate(ctx, { username: 'alice', password: 'secret' }));
      expect(result).to.equal(null);
    });
  });

  describe('logout', () => {
    it('forgets row, data and cookie, and the request is nobody’s', async () => {
      const heard: unknown[] = [];
      const browser = await site({ options: { user_logged_out: (_, user) => heard.push(user?.username) } });
      await browser.plant({ ...sessionOf(alice), cart: 1 });
      const { answer } = await browser.run(async (ctx) => {
        expect(ctx.user.is_authenticated).to.equal(true);
        await logout(ctx);
        expect(ctx.user.is_anonymous).to.equal(true);
        expect((await ctx.request.auser()).is_anonymous).to.equal(true);
      });
      expect(heard).to.deep.equal(['alice']);
      expect(await browser.row(KEY)).to.equal(null);
      expect(answer.set_cookie).to.deep.equal([
        'sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax',
      ]);
    });

    it('of nobody sends no cookie', async () => {
      const browser = await site();
      const { answer } = await browser.run(logout);
      expect(answer.set_cookie).to.deep.equal([]);
      expect(answer.headers.vary).to.equal('Cookie');
    });
  });

  describe('ctx.request.user', () => {
    it('is the user of the session, and the session is left alone', async () => {
      const browser = await site();
      await browser.plant(sessionOf(alice));
      const { answer, result } = await browser.run(async (ctx) => ctx.request.user);
      expect(result).to.include({ username: 'alice', is_authenticated: true, is_anonymous: false });
      expect(answer.set_cookie).to.deep.equal([]);
      expect(answer.headers.vary).to.equal('Cookie');
    });

    it('does not make a page vary on the cookie that never looks at it', async () => {
      const browser = await site();
      await browser.plant(sessionOf(alice));
      expect((await browser.run(async () => undefined)).answer.headers.vary).to.equal(undefined);
      expect((await browser.run(async (ctx) => ctx.user.username)).answer.headers.vary).to.equal('Cookie');
      expect((await browser.run(nameOf)).answer.headers.vary).to.equal('Cookie');
    });

    describe('is nobody, and the session is left alone,', () => {
      for (const [what, change] of [
        ['for an id that is no number', { _auth_user_id: 'abc' }],
        ['for an id beyond int4', { _auth_user_id: '99999999999' }],
        ['for an id with a NUL', { _auth_user_id: '1\0' }],
        ['for an id that is a list', { _auth_user_id: ['1'] }],
        ['for an id that nobody has', { _auth_user_id: '2000000000' }],
        ['for an unknown backend', { _auth_user_backend: 'x.y.Z' }],
        ['for a backend that is no text', { _auth_user_backend: 1 }],
      ] as const) {
        it(what, async () => {
          const browser = await site();
          const planted = { ...sessionOf(alice), cart: 1, ...change };
          await browser.plant(planted);
          const { answer, result } = await browser.run(nameOf);
          expect(result).to.equal(null);
          expect(answer.status).to.equal(200);
          expect(answer.set_cookie).to.deep.equal([]);
          expect(await browser.row(KEY)).to.deep.equal(planted);
        });
      }

      it('for a user who may not log in any more', async () => {
        const inactive = await users.create_user({
          username: 'inactive',
          password: 'pbkdf2_sha256$1$salt$x',
          is_active: false,
        });
        const browser = await site();
        await browser.plant(sessionOf(inactive));
        expect((await browser.run(nameOf)).result).to.equal(null);
        expect(await browser.row(KEY)).to.deep.equal(sessionOf(inactive));
      });
    });

    describe('is nobody, and the session is forgotten,', () => {
      for (const [what, hash] of [
        ['without a hash', null],
        ['with an empty hash', ''],
        ['with the hash of another password', '0'.repeat(64)],
        ['with a hash that is no text', 7],
      ] as const) {
        it(what, async () => {
          const browser = await site();
          await browser.plant({ ...sessionOf(alice), _auth_user_hash: hash, cart: 1 });
          expect((await browser.run(nameOf)).result).to.equal(null);
          expect(browser.cookie).to.equal(null);
          expect(await browser.row(KEY)).to.equal(null);
        });
      }

      for (const [name, look] of Object.entries<Handler>({
        'ctx.user': async (ctx) => ctx.user,
        'auser()': (ctx) => ctx.request.auser(),
      })) {
        it(`when a page asks for it by ${name}, and not before, as at Django`, async () => {
          const planted = { ...sessionOf(alice), _auth_user_hash: '0'.repeat(64), cart: 1 };
          const browser = await site();
          await browser.plant(planted);
          const unasked = await browser.run(async (ctx) => ctx.session.get('cart'));
          expect([unasked.result, unasked.answer.set_cookie]).to.deep.equal([1, []]);
          expect((await browser.run(async () => undefined)).answer.set_cookie).to.deep.equal([]);
          expect(await browser.row(KEY)).to.deep.equal(planted);
          const { result } = await browser.run(async (ctx) => {
            await look(ctx);
            return [ctx.session.get('cart'), ctx.session.session_key];
          });
          expect(result).to.deep.equal([null, null]);
          expect(browser.cookie).to.equal(null);
          expect(await browser.row(KEY)).to.equal(null);
        });
      }

      it('by the next page, when a page’s own request asks: a new key may be on its way', async () => {
        const planted = { ...sessionOf(alice), _auth_user_hash: '0'.repeat(64), cart: 1 };
        const browser = await site();
        await browser.plant(planted);
        const { answer, result } = await browser.run(
          async (ctx) => [await nameOf(ctx), ctx.session.get('cart'), ctx.session.session_key],
          { 'sec-fetch-mode': 'cors' },
        );
        expect(result).to.deep.equal([null, null, null]);
        expect(answer.set_cookie).to.deep.equal([]);
        expect(await browser.row(KEY)).to.deep.equal(planted);
        expect((await browser.run(nameOf, { 'sec-fetch-mode': 'navigate' })).result).to.equal(null);
        expect(browser.cookie).to.equal(null);
        expect(await browser.row(KEY)).to.equal(null);
      });

      it('but not what the request put in its place before it asked', async () => {
        const browser = await site();
        await browser.plant({ ...sessionOf(alice), _auth_user_hash: '0'.repeat(64) });
        await browser.run(async (ctx) => {
          await ctx.session.flush();
          ctx.session.set('new', 1);
          expect(ctx.user.is_authenticated).to.equal(false);
        });
        expect(await browser.row(browser.cookie)).to.deep.equal({ new: 1 });
      });

      it('unless the store is away: that is 503, and the cookie stays', async () => {
        const store = new DatabaseStore(database.knex, { now: () => NOW });
        const browser = await site({ store });
        await browser.plant({ ...sessionOf(alice), _auth_user_hash: '0'.repeat(64) });
        await database.knex.raw(`
          CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'terminating' USING ERRCODE = '57P01'; END $$;
          CREATE TRIGGER away BEFORE DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION away()`);
        try {
          for (const look of [async (ctx: Koa.Context) => ctx.user.username, nameOf]) {
            const asked = await browser.run(look).catch((error: unknown) => error);
            if (look === nameOf) expect(asked).to.be.instanceOf(StoreUnavailable);
            else expect(asked).to.have.nested.property('answer.status', 503);
            expect(browser.cookie).to.equal(KEY);
          }
        } finally {
          await database.knex.raw('DROP FUNCTION away CASCADE');
        }
        await store.delete(KEY);
      });

      it('after the password was changed elsewhere', async () => {
        const changes = await users.create_user({ username: 'changes', password: 'pbkdf2_sha256$1$salt$old' });
        const browser = await site();
        await browser.plant(sessionOf(changes));
        expect((await browser.run(nameOf)).result).to.equal('changes');
        await users.set_password(changes.id, 'pbkdf2_sha256$1$salt$new');
        expect((await browser.run(nameOf)).result).to.equal(null);
        expect(browser.cookie).to.equal(null);
      });
    });

    describe('after a change of SECRET_KEY, with the old one as fallback,', () => {
      const values = { SECRET_KEY: 'new', SECRET_KEY_FALLBACKS: ['older', 'old'] };

      it('is the same, the hash is written anew, and the session keeps its key where Django takes a new one', async () => {
        const browser = await site({ values });
        await browser.plant({ ...sessionOf(alice, 'old'), cart: 1 });
        const { answer, result } = await browser.run(nameOf);
        expect(result).to.equal('alice');
        expect(answer.set_cookie).to.deep.equal([]);
        expect(await browser.row(KEY)).to.deep.equal({ ...sessionOf(alice, 'new'), cart: 1 });
        // The old key is not needed any more.
        const later = await site({ values: { SECRET_KEY: 'new' }, store: browser.store });
        later.cookie = KEY;
        expect((await later.run(nameOf)).result).to.equal('alice');
      });

      it('is the same for each of eight requests at once, reading or writing, at each engine', async () => {
        const stores = [new MemoryStore({ now: () => NOW }), new DatabaseStore(database.knex, { now: () => NOW })];
        for (const store of stores) {
          const browser = await site({ values, store });
          await browser.plant({ ...sessionOf(alice, 'old'), cart: 1 });
          const eight = await browser.atOnce(8, async (ctx, n) => {
            if (n % 2 === 1) ctx.session.set(`written by ${n}`, n);
            ctx.body = ctx.user.username;
          });
          for (const { status, text, set_cookie } of eight) {
            expect([status, text]).to.deep.equal([200, 'alice']);
            for (const line of set_cookie) expect(line).to.match(new RegExp(`^sessionid=${KEY};`));
          }
          const written = Object.fromEntries([1, 3, 5, 7].map((n) => [`written by ${n}`, n]));
          expect(await browser.row(KEY)).to.deep.equal({ ...sessionOf(alice, 'new'), cart: 1, ...written });
          await store.delete(KEY);
        }
      });

      it('is who was verified, and nothing comes back, when a logout comes between', async () => {
        const browser = await site({ values, mount: false });
        await browser.plant(sessionOf(alice, 'old'));
        const { answer, result } = await browser.run(async (ctx) => {
          await browser.store.delete(KEY);
          return nameOf(ctx);
        });
        expect([answer.status, result]).to.deep.equal([200, 'alice']);
        expect(answer.set_cookie).to.deep.equal([]);
        expect(await browser.row(KEY)).to.equal(null);
      });

      it('keeps the data at a login by the same user whom nobody has looked up before', async () => {
        const browser = await site({ values, mount: false });
        await browser.plant({ ...sessionOf(alice, 'old'), cart: 1 });
        await browser.run(logIn(alice));
        expect(await browser.row(browser.cookie)).to.deep.equal({ ...sessionOf(alice, 'new'), cart: 1 });
        expect(await browser.row(KEY)).to.equal(null);
      });

      it('leaves a row alone that holds another login by now', async () => {
        const browser = await site({ values, mount: false });
        await browser.plant(sessionOf(alice, 'old'));
        const theirs = { ...sessionOf(alice, 'new'), _auth_user_hash: '1'.repeat(64) };
        await browser.run(async (ctx) => {
          // The row was read before, and holds another login by now.
          await browser.store.delete(KEY);
          await browser.plant(theirs);
          expect(await nameOf(ctx)).to.equal('alice');
        });
        expect(await browser.row(KEY)).to.deep.equal(theirs);
      });

      it('is the same while the store takes no writes', async () => {
        const browser = await site({ values, store: new DatabaseStore(database.knex, { now: () => NOW }) });
        await browser.plant({ ...sessionOf(alice, 'old'), cart: 1 });
        await database.knex.raw(`
          CREATE FUNCTION standby() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'cannot execute UPDATE in a read-only transaction' USING ERRCODE = '25006'; END $$;
          CREATE TRIGGER standby BEFORE UPDATE ON django_session FOR EACH ROW EXECUTE FUNCTION standby()`);
        try {
          const { answer, result } = await browser.run(nameOf);
          expect([answer.status, result]).to.deep.equal([200, 'alice']);
        } finally {
          await database.knex.raw('DROP FUNCTION standby CASCADE');
        }
        expect(await browser.row(KEY)).to.deep.equal({ ...sessionOf(alice, 'old'), cart: 1 });
        await browser.store.delete(KEY);
      });
    });

    describe('of a cookie whose row is gone', () => {
      const DEAD = 'deaddeaddeaddeaddeaddeaddeaddead';
      const DELETION = 'sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax';
      const looks: Readonly<Record<string, Handler>> = {
        'ctx.user': async (ctx) => ctx.user,
        'ctx.request.user': async (ctx) => ctx.request.user,
        'auser()': (ctx) => ctx.request.auser(),
        'the session': async (ctx) => ctx.session.get('cart'),
      };
      /** What a page's own requests carry, when a browser sends them. */
      const FETCH = { 'sec-fetch-mode': 'cors' };
      const NAVIGATION = { 'sec-fetch-mode': 'navigate' };

      it('deletes no cookie for a page that looks at neither user nor session, as Django', async () => {
        for (const headers of [{}, FETCH, NAVIGATION]) {
          const browser = await site();
          browser.cookie = DEAD;
          const { answer } = await browser.run(async () => undefined, headers);
          expect(answer.set_cookie).to.deep.equal([]);
          expect(answer.headers.vary).to.equal(undefined);
        }
      });

      for (const [name, look] of Object.entries(looks)) {
        it(`deletes it for a page that looks at ${name}, as Django`, async () => {
          for (const headers of [{}, NAVIGATION]) {
            const browser = await site();
            browser.cookie = DEAD;
            const { answer } = await browser.run(look, headers);
            expect(answer.set_cookie).to.deep.equal([DELETION]);
            expect(answer.headers.vary).to.equal('Cookie');
          }
        });

        it(`leaves it to the next page when a page's own request looks at ${name}: a login may be replacing it`, async () => {
          const browser = await site();
          browser.cookie = DEAD;
          const { answer } = await browser.run(look, FETCH);
          expect(answer.set_cookie).to.deep.equal([]);
          expect(answer.headers.vary).to.equal('Cookie');
        });
      }

      it('is deleted by a logout, also in a request of a page, and by such a request when it never was a key', async () => {
        const browser = await site();
        browser.cookie = DEAD;
        expect((await browser.run(logout, FETCH)).answer.set_cookie).to.deep.equal([DELETION]);
        browser.cookie = 'short';
        expect((await browser.run(async () => undefined, FETCH)).answer.set_cookie).to.deep.equal([DELETION]);
      });
    });

    it('is looked up once a request, however often it is asked for', async () => {
      let asked = 0;
      class Asked extends ModelBackend {
        override get_user(user_id: string): Promise<User | null> {
          asked += 1;
          return super.get_user(user_id);
        }
      }
      const browser = await site({ options: { backends: [new Asked(users)] }, mount: false });
      await browser.plant(sessionOf(alice));
      await browser.run((ctx) => Promise.all([ctx.request.auser(), ctx.request.auser(), nameOf(ctx)]));
      expect(asked).to.equal(1);
      await browser.run(async () => undefined);
      expect(asked).to.equal(1);
    });

    it('asks no table for a visitor without a session', async () => {
      const knex = connectKnex('postgres://nobody@127.0.0.1:1/nothing', { connect_timeout: 1 });
      const browser = await site({ options: { backends: [new ModelBackend(new UserTable(knex))] } });
      expect((await browser.run(nameOf)).result).to.equal(null);
      await knex.destroy();
    });

    it('is an error for whoever looks, and no logout, while the table is away', async () => {
      const knex = connectKnex('postgres://nobody@127.0.0.1:1/nothing', { connect_timeout: 1 });
      const browser = await site({ options: { backends: [new ModelBackend(new UserTable(knex))] } });
      await browser.plant(sessionOf(alice));
      expect((await browser.run(async () => 'no user needed')).answer.status).to.equal(200);
      const { answer } = await browser.run(async (ctx) => {
        for (const look of [async () => ctx.request.user, async () => ctx.user, () => ctx.request.auser()]) {
          expect(await look().catch((error: unknown) => error)).to.be.instanceOf(StoreUnavailable);
        }
      });
      expect(answer.set_cookie).to.deep.equal([]);
      expect(await browser.row(KEY)).to.deep.equal(sessionOf(alice));
      await knex.destroy();
    });

    it('says what is missing when nobody looked it up', async () => {
      const browser = await site({ mount: false });
      await expectError(
        browser.run(async (ctx) => ctx.user),
        /auser/,
      );
    });
  });

  describe('update_session_auth_hash', () => {
    it('keeps this session, under a new key, and ends the others', async () => {
      const user = await users.create_user({ username: 'careful', password: 'pbkdf2_sha256$1$salt$old' });
      const browser = await site();
      await browser.plant(sessionOf(user), 'elsewhere0elsewhere0elsewhere000');
      await browser.plant({ ...sessionOf(user), cart: 1 });
      await browser.run(async (ctx) => {
        const changed = await users.set_password(user.id, 'pbkdf2_sha256$1$salt$new');
        if (changed === null) throw new Error('gone');
        await update_session_auth_hash(ctx, changed);
        expect(ctx.user).to.equal(changed);
      });
      expect(browser.cookie).to.not.equal(KEY);
      expect((await browser.run(nameOf)).result).to.equal('careful');
      expect(await browser.row(KEY)).to.equal(null);
      browser.cookie = 'elsewhere0elsewhere0elsewhere000';
      expect((await browser.run(nameOf)).result).to.equal(null);
    });

    it('goes on when a request of the same page comes between the new password and it', async () => {
      const user = await users.create_user({ username: 'polled', password: 'pbkdf2_sha256$1$salt$old' });
      const store = new MemoryStore({ now: () => NOW });
      const [browser, page] = [await site({ store }), await site({ store })];
      await browser.plant({ ...sessionOf(user), cart: 1 });
      page.cookie = KEY;
      await browser.run(async (ctx) => {
        const changed = await users.set_password(user.id, 'pbkdf2_sha256$1$salt$new');
        if (changed === null) throw new Error('gone');
        const { answer, result } = await page.run(nameOf, { 'sec-fetch-mode': 'cors' });
        expect([result, answer.set_cookie]).to.deep.equal([null, []]);
        await update_session_auth_hash(ctx, changed);
      });
      expect((await browser.run(nameOf)).result).to.equal('polled');
      expect(await browser.row(browser.cookie)).to.include({ cart: 1 });
    });

    it('is one write of the row, with the hash of the new password', async () => {
      const user = await users.create_user({ username: 'once', password: 'pbkdf2_sha256$1$salt$old' });
      const store = new DatabaseStore(database.knex, { now: () => NOW });
      const browser = await site({ store });
      await browser.plant(sessionOf(user));
      const heard: string[] = [];
      const hear = ({ sql }: { readonly sql: string }): void => {
        if (/django_session/.test(sql) && !/^\s*SELECT/.test(sql)) heard.push(sql.trim().slice(0, 6));
      };
      database.knex.on('query', hear);
      await browser.run(async (ctx) => {
        const changed = await users.set_password(user.id, 'pbkdf2_sha256$1$salt$new');
        if (changed !== null) await update_session_auth_hash(ctx, changed);
      });
      database.knex.removeListener('query', hear);
      expect(heard).to.deep.equal(['UPDATE']);
      await store.delete(browser.cookie ?? '');
    });

    it('gives no session to the user whose password somebody else changed', async () => {
      const browser = await site();
      await browser.plant(sessionOf(alice));
      await browser.run((ctx) => update_session_auth_hash(ctx, bob));
      expect(await browser.row(browser.cookie)).to.deep.equal(sessionOf(alice));
      expect(browser.cookie).to.not.equal(KEY);
    });
  });

  describe('authentication()', () => {
    const backend = (path: string): AuthenticationBackend => ({
      path,
      authenticate: async () => null,
      get_user: async () => null,
    });

    it('refuses no backend, and two of one path', () => {
      for (const backends of [[], [backend('a'), backend('a')]]) {
        expect(() => authentication(new Koa(), { settings: settings(), backends })).to.throw(ImproperlyConfigured);
      }
    });

    it('says that sessions are missing', async () => {
      const app = new Koa();
      const errors: unknown[] = [];
      app.on('error', (error) => errors.push(error));
      app.use(authentication(app, { settings: settings(), backends: [backend('a')] }));
      await portless(app).ask();
      expect(errors).to.have.lengthOf(1);
      expect(errors[0]).to.be.instanceOf(ImproperlyConfigured);
    });
  });
});

async function expectError(promise: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason,
  );
  expect((error as Error).message).to.match(message);
}
