/** Where a user is logged in, and the end of those sessions, through HTTP on Django's tables. */
import { expect } from 'chai';
import fc from 'fast-check';
import Koa from 'koa';
import { addressNetwork } from '../../server/auth/address_block.js';
import { ModelBackend } from '../../server/auth/backend.js';
import { type PasswordHashers, PBKDF2PasswordHasher } from '../../server/auth/hashers.js';
import {
  authentication,
  type BaseUser,
  get_session_auth_hash,
  login,
  logout,
  make_password,
  readUserAgent,
  type User,
  UserSessions,
  UserTable,
  update_session_auth_hash,
} from '../../server/auth/index.js';
import { KeySeal } from '../../server/auth/user_sessions/sealed_key.js';
import { clear_expired } from '../../server/db/clear_expired.js';
import { connectKnex } from '../../server/db/knex.js';
import { ImproperlyConfigured, SchemaMismatch, StoreUnavailable } from '../../server/errors.js';
import { exceptions } from '../../server/http/exceptions.js';
import { SessionCodec } from '../../server/session/codec.js';
import { sessions } from '../../server/session/middleware.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import { defineSettings, type GivenSettings, type Settings } from '../../server/settings.js';
import { type Answer, closeServers, serve } from '../http/serve.js';
import { databaseOfSuite, testDatabase, UNHURRIED } from '../support/database.js';
import { reasonOf } from '../support/reason.js';

const BACKEND = 'django.contrib.auth.backends.ModelBackend';
const hashers: PasswordHashers = [new PBKDF2PasswordHasher({ iterations: 1000 })];
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';
const START = 1_800_000_000;

type Handler = (ctx: Koa.Context) => unknown;

/** A browser with one cookie. */
class Browser {
  readonly #ask: (browser: Browser, handler: Handler) => Promise<Answer>;
  cookie: string | null = null;
  user_agent = FIREFOX;
  address = '203.0.113.7';

  constructor(ask: (browser: Browser, handler: Handler) => Promise<Answer>) {
    this.#ask = ask;
  }

  run(handler: Handler = () => {}): Promise<Answer> {
    return this.#ask(this, handler);
  }
}

interface Site {
  readonly userSessions: UserSessions;
  readonly settings: Settings;
  readonly warnings: string[];
  browser(): Browser;
}

describe('sessions of users', () => {
  const database = databaseOfSuite();
  let users: UserTable;
  let alice: User;
  let bob: User;
  let now = START;
  const clock = (): number => now;

  before(async () => {
    users = new UserTable(database.knex);
    const password = await make_password('secret', { hashers });
    alice = await users.create_user({ username: 'alice', password });
    bob = await users.create_user({ username: 'bob', password });
  });
  beforeEach(async () => {
    now = START;
    await database.knex('django_session').delete();
    await database.knex('koa_user_sessions').delete();
  });
  afterEach(closeServers);

  async function startSite(given: Partial<GivenSettings<Settings>> = {}, knex = database.knex): Promise<Site> {
    const settings = defineSettings({ SECRET_KEY: 'a key', ...given });
    const store = new DatabaseStore(knex, { now: clock, table: settings.SESSION_TABLE });
    const warnings: string[] = [];
    const logger = { warn: (_details: unknown, message: string) => void warnings.push(message) };
    const userSessions = new UserSessions(knex, { settings, store, now: clock, logger });
    const app = new Koa();
    app.use((ctx, next) => {
      ctx.request.ip = ctx.get('X-Address');
      return next();
    });
    app.use(sessions(app, { settings, store, now: clock }));
    app.use(exceptions({}));
    app.use(authentication(app, { settings, backends: [new ModelBackend(new UserTable(knex))], now: clock }));
    app.use(userSessions.middleware);
    const handlers = new Map<string, Handler>();
    app.use(async (ctx) => {
      ctx.body = 'done';
      await handlers.get(ctx.path)?.(ctx);
    });
    const server = await serve(app);
    let count = 0;
    const ask = async (browser: Browser, handler: Handler): Promise<Answer> => {
      count += 1;
      const path = `/${count}`;
      handlers.set(path, handler);
      const Cookie = browser.cookie === null ? {} : { Cookie: `sessionid=${browser.cookie}` };
      const headers = { ...Cookie, 'User-Agent': browser.user_agent, 'X-Address': browser.address };
      const answer = await server.ask({ path, headers });
      const [, value] = /^sessionid=([^;]*)/.exec(answer.set_cookie.join('\n')) ?? [];
      if (value !== undefined) browser.cookie = value.replaceAll('"', '') || null;
      return answer;
    };
    return { userSessions, settings, warnings, browser: () => new Browser(ask) };
  }

  const logIn = (user: User) => (ctx: Koa.Context) => login(ctx, user);

  /** A session as Django's login writes it. */
  async function plantDjangos(settings: Settings, user: User, session_key: string): Promise<void> {
    const session_data = new SessionCodec(settings, { now: clock }).encode(
      JSON.stringify({
        _auth_user_id: String(user.id),
        _auth_user_backend: BACKEND,
        _auth_user_hash: get_session_auth_hash(user.password, settings.SECRET_KEY),
      }),
    );
    const expire_date = new Date((now + 1000) * 1000);
    await database.knex(settings.SESSION_TABLE).insert({ session_key, session_data, expire_date });
  }

  const rows = () => database.knex('koa_user_sessions').orderBy('last_seen');
  const keys = (): Promise<string[]> => database.knex('django_session').orderBy('session_key').pluck('session_key');

  describe('that are noted', () => {
    it('are listed with browser, network, times, and the current one marked', async () => {
      const { userSessions, browser } = await startSite();
      const [first, second] = [browser(), browser()];
      await first.run(logIn(alice));
      await userSessions.flush();
      now += 60;
      second.user_agent = 'curl/8.5.0';
      second.address = '2001:db8:1:2::3';
      await second.run(logIn(alice));
      await browser().run(logIn(bob));
      const listed = await userSessions.sessionsOf(alice, { session_key: first.cookie });
      const expire_date = (after: number): Date => new Date((START + after + 1_209_600) * 1000);
      const at = (after: number): Date => new Date((START + after) * 1000);
      expect(listed.map(({ id, ...session }) => ({ ...session, id: /^[0-9a-f]{32}$/.test(id) }))).to.deep.equal([
        {
          id: true,
          begun: at(60),
          last_seen: at(60),
          expire_date: expire_date(60),
          user_agent: 'curl/8.5.0',
          address: '2001:db8:1::/48',
          isCurrent: false,
        },
        {
          id: true,
          begun: at(0),
          last_seen: at(0),
          expire_date: expire_date(0),
          user_agent: FIREFOX,
          address: '203.0.113.0/24',
          isCurrent: true,
        },
      ]);
    });

    it('begun at Django appear when they first come here', async () => {
      const { userSessions, settings, browser } = await startSite();
      await plantDjangos(settings, alice, 'd'.repeat(32));
      expect(await userSessions.sessionsOf(alice)).to.deep.equal([]);
      const visitor = browser();
      visitor.cookie = 'd'.repeat(32);
      await visitor.run();
      expect(await userSessions.sessionsOf(alice)).to.have.lengthOf(1);
    });

    it('are kept without a key that opens one, and without an address', async () => {
      const { userSessions, browser } = await startSite();
      const visitor = browser();
      await visitor.run(logIn(alice));
      await userSessions.flush();
      const text = JSON.stringify(await rows());
      expect(text).to.include('"user_id":"1"').and.not.include(visitor.cookie).and.not.include(visitor.address);
    });

    it('are written once in five minutes, whichever server sees them', async () => {
      const [one, other] = [await startSite(), await startSite()];
      const visitor = one.browser();
      await visitor.run(logIn(alice));
      await one.userSessions.flush();
      const seenAt = async (site: Site, seconds: number): Promise<number> => {
        now = START + seconds;
        const elsewhere = site.browser();
        elsewhere.cookie = visitor.cookie;
        await elsewhere.run();
        await site.userSessions.flush();
        return (await rows())[0].last_seen.getTime() / 1000 - START;
      };
      expect(await seenAt(other, 299)).to.equal(0);
      // A server that has just noted it does not ask again.
      expect(await seenAt(other, 301)).to.equal(0);
      expect(await seenAt(await startSite(), 301)).to.equal(301);
    });

    it('cost pages that do not look at the session no Vary and no cookie', async () => {
      const { browser } = await startSite();
      const visitor = browser();
      await visitor.run(logIn(alice));
      const { headers, set_cookie } = await visitor.run();
      expect([headers.vary, set_cookie]).to.deep.equal([undefined, []]);
    });

    it('are those of users, not of visitors', async () => {
      const { userSessions, browser } = await startSite();
      await browser().run((ctx) => ctx.session.set('a', 1));
      await userSessions.flush();
      expect(await rows()).to.deep.equal([]);
    });

    it('keep no more than 512 characters of a user agent', async () => {
      const { userSessions, browser } = await startSite();
      const visitor = browser();
      visitor.user_agent = 'x'.repeat(5000);
      await visitor.run(logIn(alice));
      expect((await userSessions.sessionsOf(alice))[0]?.user_agent).to.equal('x'.repeat(512));
    });

    it('may be many at once', async () => {
      const { userSessions, browser } = await startSite();
      await Promise.all(Array.from({ length: 40 }, () => browser().run(logIn(alice))));
      expect(await userSessions.sessionsOf(alice)).to.have.lengthOf(40);
    });
  });

  describe('that change', () => {
    const changes: readonly (readonly [string, Handler])[] = [
      ['cycle_key', (ctx) => ctx.session.cycle_key()],
      ['a login of the same user', (ctx) => login(ctx, ctx.user as User)],
      ['update_session_auth_hash', (ctx) => update_session_auth_hash(ctx, ctx.user as User)],
    ];
    for (const [name, change] of changes) {
      it(`are the same after ${name}, under another key`, async () => {
        const { userSessions, browser } = await startSite();
        const visitor = browser();
        await visitor.run(logIn(alice));
        await userSessions.flush();
        const { cookie } = visitor;
        now += 60;
        await visitor.run(change);
        expect(visitor.cookie).to.not.equal(cookie);
        const [session, ...others] = await userSessions.sessionsOf(alice, { session_key: visitor.cookie });
        expect(others).to.deep.equal([]);
        expect(session).to.include({ isCurrent: true });
        expect(session?.begun).to.deep.equal(new Date(START * 1000));
        expect(await rows()).to.have.lengthOf(1);
      });
    }

    const ends: readonly (readonly [string, Handler])[] = [
      ['logout', (ctx) => logout(ctx)],
      ['flush', (ctx) => ctx.session.flush()],
      ['clear', (ctx) => ctx.session.clear()],
      ['a login of somebody else', (ctx) => login(ctx, bob)],
    ];
    for (const [name, end] of ends) {
      it(`are gone after ${name}`, async () => {
        const { userSessions, browser } = await startSite();
        const visitor = browser();
        await visitor.run(logIn(alice));
        await userSessions.flush();
        await visitor.run(end);
        await userSessions.flush();
        expect(await database.knex('koa_user_sessions').where({ user_id: String(alice.id) })).to.deep.equal([]);
        expect(await userSessions.sessionsOf(bob)).to.have.lengthOf(name === 'a login of somebody else' ? 1 : 0);
      });
    }

    it('are gone after a logout at Django, and with the sessions that expire', async () => {
      const { userSessions, browser } = await startSite();
      const [first, second] = [browser(), browser()];
      await first.run(logIn(alice));
      await second.run(logIn(alice));
      await userSessions.flush();
      await database.knex('django_session').where({ session_key: first.cookie }).delete();
      expect(await userSessions.sessionsOf(alice)).to.have.lengthOf(1);
      expect(await rows()).to.have.lengthOf(1);
      now += 1_209_601;
      expect(await clear_expired(database.knex, { now: clock })).to.equal(1);
      expect(await rows()).to.deep.equal([]);
    });

    it('stay in the list when SECRET_KEY is changed and the old one is a fallback', async () => {
      const { userSessions, browser } = await startSite();
      await browser().run(logIn(alice));
      await userSessions.flush();
      const rotated = await startSite({ SECRET_KEY: 'a new key', SECRET_KEY_FALLBACKS: ['a key'] });
      expect(await rotated.userSessions.sessionsOf(alice)).to.have.lengthOf(1);
    });
  });

  describe('that are ended', () => {
    async function three(): Promise<Site & { readonly visitors: readonly Browser[] }> {
      const site = await startSite();
      const visitors = [site.browser(), site.browser(), site.browser()];
      for (const visitor of visitors) await visitor.run(logIn(alice));
      return { ...site, visitors };
    }

    const isLoggedIn = async (visitor: Browser): Promise<boolean> => {
      let answer = false;
      await visitor.run((ctx) => {
        answer = ctx.user.is_authenticated;
      });
      return answer;
    };

    it('one by one lose their row, and their browser is nobody’s', async () => {
      const { userSessions, visitors } = await three();
      const [mine, other] = visitors as [Browser, Browser];
      const current = { session_key: mine.cookie };
      const listed = await userSessions.sessionsOf(alice, current);
      const id = listed.find(({ isCurrent }) => isCurrent)?.id ?? '';
      expect(await userSessions.revoke(alice, id)).to.equal(true);
      expect(await userSessions.revoke(alice, id)).to.equal(false);
      expect(await keys()).to.have.lengthOf(2);
      expect([await isLoggedIn(mine), await isLoggedIn(other)]).to.deep.equal([false, true]);
    });

    it('all but the current one', async () => {
      const { userSessions, visitors } = await three();
      const [mine, ...others] = visitors as [Browser, ...Browser[]];
      expect(await userSessions.revokeOthers(alice, { session_key: mine.cookie })).to.equal(2);
      expect(await Promise.all([mine, ...others].map(isLoggedIn))).to.deep.equal([true, false, false]);
      expect(await userSessions.revokeOthers(alice)).to.equal(1);
      expect(await keys()).to.deep.equal([]);
    });

    it('are never those of another user', async () => {
      const { userSessions } = await three();
      const [session] = await userSessions.sessionsOf(alice);
      expect(await userSessions.revoke(bob, session?.id ?? '')).to.equal(false);
      expect(await userSessions.revokeOthers(bob)).to.equal(0);
      expect(await keys()).to.have.lengthOf(3);
    });

    it('are not brought back by a request that was under way', async () => {
      const { userSessions, visitors } = await three();
      const [mine] = visitors as [Browser];
      const answer = await mine.run(async (ctx) => {
        ctx.session.set('late', true);
        await userSessions.revokeOthers(alice);
      });
      expect(answer.status).to.equal(400);
      expect(await keys()).to.deep.equal([]);
      expect(await userSessions.sessionsOf(alice)).to.deep.equal([]);
    });
  });

  describe('beside what may be wrong', () => {
    it('let every request through while their table is locked, and none waits', async () => {
      const impatient = connectKnex(database.url, { ...UNHURRIED, statement_timeout: 1 });
      const { userSessions, browser, warnings } = await startSite({}, impatient);
      const visitor = browser();
      const holder = await database.knex.transaction();
      await holder.raw('LOCK TABLE koa_user_sessions');
      expect((await visitor.run(logIn(alice))).status).to.equal(200);
      expect((await visitor.run()).status).to.equal(200);
      await userSessions.flush();
      expect(warnings).to.deep.equal(['Sessions could not be noted, and lists of them may lack some.']);
      await holder.rollback();
      await visitor.run();
      expect(await userSessions.sessionsOf(alice)).to.have.lengthOf(1);
      await impatient.destroy();
    });

    it('let every request through without their table, and say once what to do', async () => {
      const other = await testDatabase();
      try {
        await other.knex.schema.dropTable('koa_user_sessions');
        const user = await new UserTable(other.knex).create_user({ username: 'ann' });
        const { userSessions, browser, warnings } = await startSite({}, other.knex);
        const visitor = browser();
        for (const handler of [logIn(user), logout, logIn(user)]) {
          expect((await visitor.run(handler)).status).to.equal(200);
          await userSessions.flush();
        }
        expect(warnings).to.have.lengthOf(1);
        expect(warnings[0]).to.include('There is no table koa_user_sessions').and.include('0005_user_sessions');
        expect(await reasonOf(userSessions.sessionsOf(user))).to.be.instanceOf(SchemaMismatch);
      } finally {
        await other.drop();
      }
    });

    it('are 503 for those who ask while the database is away', async () => {
      const away = connectKnex('postgresql://u:p@127.0.0.1:1/site');
      const { userSessions } = await startSite({}, away);
      expect(await reasonOf(userSessions.sessionsOf(alice))).to.be.instanceOf(StoreUnavailable);
      await away.destroy();
    });

    it('need an engine with rows, on the same knex instance', async () => {
      const settings = defineSettings({ SECRET_KEY: 'a key' });
      const other = connectKnex(database.url);
      for (const [store, words] of [
        [new MemoryStore(), 'needs SESSION_ENGINE db or cached_db'],
        [new SignedCookiesStore(settings), 'needs SESSION_ENGINE db or cached_db'],
        [new DatabaseStore(other), 'the same knex instance'],
      ] as const) {
        expect(() => new UserSessions(database.knex, { settings, store })).to.throw(ImproperlyConfigured, words);
      }
      await other.destroy();
    });

    it('of several models and of several tables are told apart, though their ids are alike', async () => {
      await database.knex.raw('CREATE SCHEMA other; CREATE TABLE other.sessions (LIKE django_session INCLUDING ALL)');
      const sites = [
        await startSite(),
        await startSite({ SESSION_TABLE: 'other.sessions' }),
        await startSite({ AUTH_USER_MODEL: 'accounts.Member' }),
      ];
      for (const { browser, userSessions } of sites) {
        await browser().run(logIn(alice));
        expect(await userSessions.sessionsOf(alice)).to.have.lengthOf(1);
      }
      expect(await sites[1]?.userSessions.revokeOthers(alice)).to.equal(1);
      for (const [index, count] of [1, 0, 1].entries()) {
        expect(await sites[index]?.userSessions.sessionsOf(alice)).to.have.lengthOf(count);
      }
      expect(await database.knex('other.sessions')).to.deep.equal([]);
    });

    for (const id of [
      '0f8fad5b-d9cb-469f-a165-70867728950e',
      'Ünal "o\'Hara"',
      9_007_199_254_740_993n,
      'x'.repeat(255),
    ]) {
      it(`take an id as it is: ${String(id).slice(0, 40)}`, async () => {
        const settings = defineSettings({ SECRET_KEY: 'a key' });
        const store = new DatabaseStore(database.knex, { now: clock });
        const userSessions = new UserSessions(database.knex, { settings, store, now: clock });
        const user: BaseUser = { is_authenticated: true, id, password: 'p', get_username: () => 'u' };
        const app = new Koa();
        app.use(sessions(app, { settings, store, now: clock }));
        const backend = { path: 'b', authenticate: async () => null, get_user: async () => user };
        app.use(authentication(app, { settings, backends: [backend as never], now: clock }));
        app.use(userSessions.middleware);
        app.use(async (ctx) => {
          await login(ctx, user);
          ctx.body = 'done';
        });
        expect((await (await serve(app)).ask()).status).to.equal(200);
        expect(await userSessions.sessionsOf({ id: String(id) })).to.have.lengthOf(1);
      });
    }
  });

  it('names of ids and keys: a sealed key is opened by its own id and key alone', () => {
    const settings = { SECRET_KEY: 'a', SECRET_KEY_FALLBACKS: [] };
    const seal = new KeySeal(settings);
    const sealed = seal.seal('k'.repeat(32));
    expect(seal.open(sealed, 'another id')).to.equal(null);
    expect(new KeySeal({ ...settings, SECRET_KEY: 'b' }).open(sealed, 'x')).to.equal(null);
    fc.assert(fc.property(fc.string(), (text) => seal.open(text, 'x') === null));
  });
});

describe('a network', () => {
  for (const [address, network] of [
    ['203.0.113.7', '203.0.113.0/24'],
    ['::ffff:203.0.113.7', '203.0.113.0/24'],
    ['2001:db8:1:2::3', '2001:db8:1::/48'],
    ['::1', '::/48'],
    ['fe80::1%eth0', 'fe80::/48'],
    ['2001:0DB8::1', '2001:db8::/48'],
    ['', ''],
    ['unix:', ''],
  ] as const) {
    it(`of ${address || 'nothing'} is ${network || 'nothing'}`, () => {
      expect(addressNetwork(address)).to.equal(network);
    });
  }
});

describe('a user agent', () => {
  for (const [text, browser, system] of [
    [FIREFOX, 'Firefox 128', 'Linux'],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
      'Safari 17',
      'iOS',
    ],
    [
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0',
      'Microsoft Edge 126',
      'Windows',
    ],
    ['curl/8.5.0', 'curl', null],
    ['', null, null],
    ['Mozilla/5.0', null, null],
    ['<script>alert(1)</script>', null, null],
  ] as const) {
    it(`${text.slice(0, 60) || '(none)'} is ${browser} on ${system}`, async () => {
      expect(await readUserAgent(text)).to.deep.equal({ browser, system });
    });
  }

  it('of any text is read', async () => {
    await fc.assert(fc.asyncProperty(fc.string({ maxLength: 2000 }), async (text) => void (await readUserAgent(text))));
  });
});
