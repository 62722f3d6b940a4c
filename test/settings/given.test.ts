/** Calls as JavaScript allows them: without the application, options or settings, or with the wrong kind of value. */
import { expect } from 'chai';
import type { Knex } from 'knex';
import Koa from 'koa';
import {
  AddressThrottle,
  AnonymousUser,
  authenticate,
  authentication,
  check_password,
  get_user,
  LoginThrottle,
  login,
  login_required,
  logout,
  ModelBackend,
  make_password,
  PBKDF2PasswordHasher,
  permission_required,
  staff_member_required,
  UserSessions,
  UserTable,
  update_session_auth_hash,
  user_passes_test,
  validate_password,
} from '../../server/auth/index.js';
import { acceptCaptcha, acceptProofOfWork, keepCaptcha, newProofOfWork } from '../../server/captcha/index.js';
import { csrf, get_token, rotate_token } from '../../server/csrf/index.js';
import { clear_expired } from '../../server/db/clear_expired.js';
import { connectKnex } from '../../server/db/knex.js';
import { migrate, migrationStatus, rollback } from '../../server/db/migrate.js';
import { BadSignature, CookieError, ImproperlyConfigured, ValueError } from '../../server/errors.js';
import { formBody, installCookies, jsonBody } from '../../server/http/index.js';
import { messages } from '../../server/messages/index.js';
import { RedisConnection } from '../../server/redis/connection.js';
import { SessionCodec } from '../../server/session/codec.js';
import { sessions } from '../../server/session/middleware.js';
import { openSession } from '../../server/session/open_session.js';
import { requestDeadline } from '../../server/session/request_deadline.js';
import { commitSession } from '../../server/session/response.js';
import { Session } from '../../server/session/session.js';
import { CacheStore } from '../../server/session/stores/cache.js';
import { CachedDatabaseStore } from '../../server/session/stores/cached_db.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { FileStore } from '../../server/session/stores/file.js';
import { openStore } from '../../server/session/stores/index.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import { defineSettings } from '../../server/settings.js';
import { dumps, get_random_string, loads, Signer, TimestampSigner } from '../../server/signing/index.js';
import { Client, testClock } from '../../server/testing/index.js';
import { reasonOf } from '../support/reason.js';

type Anything = (...given: unknown[]) => unknown;
const call = (made: unknown): Anything => made as Anything;
const construct =
  (made: unknown): Anything =>
  (...given) =>
    new (made as new (...given: unknown[]) => unknown)(...given);

describe('a call from JavaScript', () => {
  const app = new Koa();
  const settings = defineSettings({ SECRET_KEY: 'a secret' });
  const knex = { raw: async () => ({ rows: [] }), client: { config: {} } };
  const redis = { command: async () => null };
  const ann = { id: 1, password: 'x', is_authenticated: true, username: 'cucumbers' };
  const session = { get: () => null, set: () => {}, session_key: null };

  const refused: readonly [what: string, sentence: string, work: Anything, ...given: unknown[]][] = [
    ['csrf without arguments', 'csrf() needs the Koa application first', call(csrf)],
    ['csrf without options', 'csrf() needs `settings`', call(csrf), app],
    ['csrf with the settings as options', 'csrf() needs `settings`', call(csrf), app, settings],
    ['messages without the application', 'messages() needs the Koa application first', call(messages), { settings }],
    [
      'messages without defaults',
      'messages() needs `settings`',
      call(messages),
      app,
      { settings: { SECRET_KEY: 'a' } },
    ],
    ['authentication without options', 'authentication() needs `settings`', call(authentication), app],
    ['authentication without backends', 'needs `backends`', call(authentication), app, { settings }],
    ['formBody without options', 'formBody() needs `settings`', call(formBody)],
    ['installCookies without options', 'installCookies() needs `settings`', call(installCookies), app],
    ['keepCaptcha without options', 'keepCaptcha needs `now`', call(keepCaptcha), session, 'ACE235'],
    ['keepCaptcha without settings', 'keepCaptcha needs `settings`', call(keepCaptcha), session, 'ACE235', { now: 1 }],
    [
      'acceptCaptcha with the clock',
      'acceptCaptcha needs `now`',
      call(acceptCaptcha),
      session,
      '',
      { settings, now: () => 1 },
    ],
    ['newProofOfWork with a text', 'newProofOfWork needs `now`', call(newProofOfWork), session, { now: '1' }],
    ['acceptProofOfWork without options', 'acceptProofOfWork needs `now`', call(acceptProofOfWork), session, '1'],
    ['DatabaseStore without a knex', 'needs a knex first', construct(DatabaseStore), { knex: {} }],
    ['UserTable without arguments', 'needs a knex first', construct(UserTable)],
    ['UserTable with a promise', 'needs a knex first', construct(UserTable), Promise.resolve(knex)],
    ['UserTable with the settings as options', 'needs `settings`', construct(UserTable), knex, settings],
    ['UserTable with half of them', 'needs `settings`', construct(UserTable), knex, { settings: { SECRET_KEY: 'a' } }],
    ['UserTable with no class', '`userClass`', construct(UserTable), knex, { userClass: 'Member' }],
    ['UserTable with a text as timeout', 'DATABASE_TIMEOUT', construct(UserTable), knex, { timeout: '5' }],
    ['DatabaseStore with a timeout below 0', 'DATABASE_TIMEOUT', construct(DatabaseStore), knex, { timeout: -1 }],
    ['DatabaseStore with milliseconds', 'seconds up to 600', construct(DatabaseStore), knex, { timeout: 5000 }],
    ['DatabaseStore with Date.now', 'Unix seconds', construct(DatabaseStore), knex, { now: Date.now }],
    ['installCookies with Date.now', 'Unix seconds', call(installCookies), app, { settings, now: Date.now }],
    ['csrf with Date.now', 'Unix seconds', call(csrf), app, { settings, now: Date.now }],
    ['messages with Date.now', 'Unix seconds', call(messages), app, { settings, now: Date.now }],
    [
      'authentication with Date.now',
      'Unix seconds',
      call(authentication),
      app,
      { settings, backends: [new ModelBackend(new UserTable(knex as unknown as Knex))], now: Date.now },
    ],
    ['TimestampSigner with Date.now', 'Unix seconds', construct(TimestampSigner), { key: 'a', now: Date.now }],
    ['dumps with Date.now', 'Unix seconds', call(dumps), {}, { key: 'a', now: Date.now }],
    ['SessionCodec with Date.now', 'Unix seconds', construct(SessionCodec), settings, { now: Date.now }],
    ['LoginThrottle with Date.now', 'Unix seconds', construct(LoginThrottle), knex, { settings, now: Date.now }],
    [
      'UserSessions with Date.now',
      'Unix seconds',
      construct(UserSessions),
      knex,
      { settings, store: new DatabaseStore(knex as unknown as Knex), now: Date.now },
    ],
    [
      'clear_expired with Date.now, which would remove all',
      'Unix seconds',
      call(clear_expired),
      knex,
      { now: Date.now },
    ],
    ['a test client with Date.now', 'Unix seconds', construct(Client), app, { now: Date.now }],
    [
      'connectKnex with a pool',
      'connectKnex() has no pool',
      call(connectKnex),
      'postgresql://h/d',
      { pool: { max: 2 } },
    ],
    ['connectKnex with a misspelt option', 'Write poolSize', call(connectKnex), 'postgresql://h/d', { pool_size: 2 }],
    [
      'LoginThrottle with a misspelt limit',
      'Write account',
      construct(LoginThrottle),
      knex,
      { settings, limits: { acount: null } },
    ],
    [
      'LoginThrottle with a misspelt part of a limit',
      'Write healsIn',
      construct(LoginThrottle),
      knex,
      { settings, limits: { address: { free: 1, healIn: 1, firstWait: 1, longestWait: 1 } } },
    ],
    [
      'a cookie domain with a scheme',
      'SESSION_COOKIE_DOMAIN',
      call(defineSettings),
      { SECRET_KEY: 'a', SESSION_COOKIE_DOMAIN: 'https://example.com' },
    ],
    [
      'a cookie domain with a port',
      'without scheme, port',
      call(defineSettings),
      { SECRET_KEY: 'a', CSRF_COOKIE_DOMAIN: 'example.com:8000' },
    ],
    ['login without the context', "login() needs Koa's `ctx` first", call(login), ann],
    ['logout without the context', "logout() needs Koa's `ctx` first", call(logout)],
    [
      'authenticate without the context',
      "authenticate() needs Koa's `ctx`",
      call(authenticate),
      { username: 'a', password: 'b' },
    ],
    ['get_user without the context', "get_user() needs Koa's `ctx`", call(get_user), 7],
    ['update_session_auth_hash without the context', "needs Koa's `ctx`", call(update_session_auth_hash), ann],
    ['commitSession without the context', "commitSession() needs Koa's `ctx`", call(commitSession)],
    ['requestDeadline without the context', "requestDeadline() needs Koa's `ctx`", call(requestDeadline)],
    ['get_token without the context', "get_token() needs Koa's `ctx`", call(get_token)],
    ['rotate_token without the context', "rotate_token() needs Koa's `ctx`", call(rotate_token)],
    ['migrate without a knex', 'migrate() needs a knex first', call(migrate)],
    ['rollback with the options first', 'rollback() needs a knex first', call(rollback), { all: true }],
    ['migrationStatus with a promise', 'migrationStatus() needs a knex', call(migrationStatus), Promise.resolve(knex)],
    [
      'sessions with another engine than the settings name',
      'SESSION_ENGINE is cached_db in the settings, and the store’s is db'.replace('’', "'"),
      call(sessions),
      new Koa(),
      {
        settings: defineSettings({ SECRET_KEY: 'a', SESSION_ENGINE: 'cached_db', CACHE_URL: 'redis://h' }),
        store: new DatabaseStore(knex as unknown as Knex),
      },
    ],
    [
      'sessions with another table than the settings name',
      'openStore({ settings, knex })',
      call(sessions),
      new Koa(),
      {
        settings: defineSettings({ SECRET_KEY: 'a', SESSION_TABLE: 'accounts_session' }),
        store: new DatabaseStore(knex as unknown as Knex),
      },
    ],
    [
      'openSession with another engine than the settings name',
      'SESSION_ENGINE is file',
      call(openSession),
      'a'.repeat(32),
      {
        settings: defineSettings({ SECRET_KEY: 'a', SESSION_ENGINE: 'file' }),
        store: new SignedCookiesStore(settings),
      },
    ],
    [
      'sessions with a function as logger',
      'the method `warn`',
      call(sessions),
      new Koa(),
      { settings, store: new MemoryStore(), logger: console.warn },
    ],
    [
      'sessions with a text as observe',
      '`observe`',
      call(sessions),
      new Koa(),
      { settings, store: new MemoryStore(), observe: 'all' },
    ],
    [
      'sessions with a misspelt option',
      'Write logger',
      call(sessions),
      new Koa(),
      { settings, store: new MemoryStore(), loger: console },
    ],
    [
      'authentication with a misspelt option',
      'Write user_logged_in',
      call(authentication),
      app,
      { settings, backends: [new ModelBackend(new UserTable(knex as unknown as Knex))], userLoggedIn: () => {} },
    ],
    ['DatabaseStore with a misspelt table', 'Write table', construct(DatabaseStore), knex, { tabel: 'a' }],
    ['DatabaseStore with MySQL', 'not for mysql', construct(DatabaseStore), { ...knex, client: { dialect: 'mysql' } }],
    ['migrate with a misspelt option', 'Write only', call(migrate), knex, { onyl: [] }],
    ['login_required with a misspelt option', 'Write login_url', call(login_required), { loginUrl: '/a/' }],
    ['login_required with a function', 'are texts', call(login_required), { login_url: () => '/a/' }],
    ['permission_required without a permission', 'needs a permission', call(permission_required)],
    ['permission_required with a number', 'needs a permission', call(permission_required), [5]],
    ['user_passes_test without a test', 'needs a test', call(user_passes_test)],
    ['user_passes_test with a name', 'needs a test', call(user_passes_test), 'is_staff'],
    ['Signer with a misspelt salt', 'Write salt', construct(Signer), { key: 'a', slat: 'b' }],
    ['login with a misspelt option', 'Write backend', call(login), { request: {} }, ann, { backends: 'a' }],
    [
      'jsonBody with the settings as options',
      'jsonBody() needs `settings`',
      call(jsonBody),
      { request: {} },
      { settings },
    ],
    [
      'one name for two cookies',
      'are the same',
      call(defineSettings),
      { SECRET_KEY: 'a', SESSION_COOKIE_NAME: 'csrftoken' },
    ],
    ['logout with the request, as in Django', "needs Koa's `ctx`", call(logout), { ctx: {} }],
    ['messages.get_messages with the request', "needs Koa's `ctx`", call(messages.get_messages), { ctx: {} }],
    ['UserTable with a time as clock', 'Unix seconds', construct(UserTable), knex, { now: 1_767_225_600 }],
    ['MemoryStore with texts of time', 'Unix seconds', construct(MemoryStore), { now: () => '2026-01-01' }],
    ['SignedCookiesStore with Date.now', 'Unix seconds', construct(SignedCookiesStore), settings, { now: Date.now }],
    [
      'sessions with Date.now',
      'Unix seconds',
      call(sessions),
      new Koa(),
      { settings, store: new MemoryStore(), now: Date.now },
    ],
    ['keepCaptcha with milliseconds', '`now`', call(keepCaptcha), session, 'A', { settings, now: Date.now() }],
    ['RedisConnection with a timeout of 0', 'seconds up to', call(RedisConnection.open), 'redis://h', { timeout: 0 }],
    ['ModelBackend without users', 'needs the users', construct(ModelBackend)],
    ['ModelBackend with a knex', 'needs the users', construct(ModelBackend), knex],
    [
      'authentication with the users as backend',
      'An authentication backend has',
      call(authentication),
      app,
      { settings, backends: [new UserTable(knex as unknown as Knex)] },
    ],
    [
      'authentication with a class',
      'An authentication backend has',
      call(authentication),
      app,
      { settings, backends: [ModelBackend] },
    ],
    ['LoginThrottle without arguments', 'needs a knex first', construct(LoginThrottle)],
    ['LoginThrottle without options', 'new LoginThrottle() needs `settings`', construct(LoginThrottle), knex],
    ['AddressThrottle without a knex', 'needs a knex first', construct(AddressThrottle), { settings }],
    ['AddressThrottle without settings', 'needs `settings`', construct(AddressThrottle), knex, { name: 'a' }],
    [
      'AddressThrottle without a limit',
      'limit of the AddressThrottle "a"',
      construct(AddressThrottle),
      knex,
      { settings, name: 'a' },
    ],
    [
      'AddressThrottle without a name',
      'The name undefined',
      construct(AddressThrottle),
      knex,
      { settings, limit: { free: 1, healsIn: 1 } },
    ],
    [
      'LoginThrottle without the limit of accounts',
      'limit "account"',
      construct(LoginThrottle),
      knex,
      { settings, limits: { account: null } },
    ],
    ['UserSessions without arguments', 'needs a knex first', construct(UserSessions)],
    ['UserSessions without settings', 'new UserSessions() needs `settings`', construct(UserSessions), knex, {}],
    ['UserSessions without a store', 'new UserSessions() needs `store`', construct(UserSessions), knex, { settings }],
    ['Signer without a key', 'needs `key`', construct(Signer), {}],
    ['Signer with an empty key', 'needs `key`', construct(Signer), { key: '' }],
    [
      'Signer with a text as fallback_keys',
      '`fallback_keys` of a Signer is a list',
      construct(Signer),
      { key: 'a', fallback_keys: 'old-secret' },
    ],
    ['Signer with an empty fallback', 'is a list of keys', construct(Signer), { key: 'a', fallback_keys: [''] }],
    ['loads with a text as fallback_keys', 'is a list', call(loads), 'text', { key: 'a', fallback_keys: 'old' }],
    [
      'LoginThrottle with an empty SECRET_KEY',
      'needs `settings`',
      construct(LoginThrottle),
      knex,
      { settings: { SECRET_KEY: '' } },
    ],
    ['TimestampSigner without options', 'needs `key`', construct(TimestampSigner)],
    ['dumps without options', 'needs `key`', call(dumps), {}],
    ['loads without options', 'needs `key`', call(loads), 'text'],
    ['defineSettings without settings', 'SECRET_KEY is not set', call(defineSettings)],
    [
      'CacheStore with a promise',
      'needs a connection to Redis',
      construct(CacheStore),
      Promise.resolve(redis),
      settings,
    ],
    ['CacheStore without settings', 'needs `settings`', construct(CacheStore), redis],
    ['CachedDatabaseStore with a knex', 'needs `store`', construct(CachedDatabaseStore), () => {}, redis, settings],
    ['CachedDatabaseStore without Redis', 'a connection to Redis', construct(CachedDatabaseStore), new MemoryStore()],
    ['FileStore with options', 'needs `settings`', construct(FileStore), { settings }],
    ['SignedCookiesStore without settings', 'needs `settings`', construct(SignedCookiesStore)],
    ['openStore without options', 'openStore needs `settings`', call(openStore)],
    ['Client with a server', 'new Client() needs the Koa application first', construct(Client), app.callback()],
  ];
  for (const [what, sentence, work, ...given] of refused) {
    it(`is refused at once: ${what}`, async () => {
      const error = await reasonOf((async () => work(...given))());
      expect(error).to.be.instanceOf(ImproperlyConfigured);
      expect(error).to.have.property('message').that.includes(sentence);
    });
  }

  for (const max_age of [{ days: 1 }, {}, Number.NaN, '60', null, new Date(0)]) {
    it(`is refused, and no text passes, where its max_age is ${JSON.stringify(max_age)}`, () => {
      const signer = new TimestampSigner({ key: 'a', now: () => 0 });
      const [signed, packed] = [signer.sign('text'), signer.sign_object({ a: 1 })];
      for (const work of [
        () => call(signer.unsign.bind(signer))(signed, { max_age }),
        () => call(signer.unsign_object.bind(signer))(packed, { max_age }),
        () => call(loads)(dumps({ a: 1 }, { key: 'a', now: () => 0 }), { key: 'a', max_age }),
      ]) {
        expect(work).to.throw(ValueError, 'max_age');
      }
    });
  }

  it('is refused where the limits of a signed text are a number, or the most bytes are none', () => {
    const signer = new TimestampSigner({ key: 'a' });
    const packed = signer.sign_object({ a: 1 });
    for (const limits of [60, null]) {
      expect(() => call(signer.unsign.bind(signer))(signer.sign('text'), limits)).to.throw(
        ValueError,
        '{ max_age: 60 }',
      );
      expect(() => call(signer.unsign_object.bind(signer))(packed, limits)).to.throw(ValueError, '{ max_age: 60 }');
    }
    expect(() => call(signer.unsign_object.bind(signer))(packed, { maxBytes: '9' })).to.throw(ValueError, 'maxBytes');
    const plain = new Signer({ key: 'a' });
    expect(() => call(plain.unsign_object.bind(plain))(plain.sign_object(1), { maxBytes: Number.NaN })).to.throw(
      ValueError,
    );
  });

  for (const attempt of [undefined, 'alice', {}, { username: 'alice' }, { username: 1, address: '192.0.2.1' }]) {
    it(`is refused where a login attempt is ${JSON.stringify(attempt)}`, async () => {
      const throttle = construct(LoginThrottle)(knex, { settings }) as LoginThrottle;
      for (const method of ['check', 'succeeded', 'failures'] as const) {
        expect(await reasonOf(call(throttle[method].bind(throttle))(attempt) as Promise<unknown>))
          .to.be.instanceOf(ValueError)
          .with.property('message')
          .that.includes('{ username, address: ctx.ip }');
      }
    });
  }

  for (const user of [undefined, null, 7, '7', {}]) {
    it(`is refused where the user of sessions is ${JSON.stringify(user)}`, async () => {
      const store = new DatabaseStore(knex as unknown as Knex);
      const userSessions = new UserSessions(knex as unknown as Knex, { settings, store });
      for (const method of ['sessionsOf', 'revoke', 'revokeOthers'] as const) {
        expect(await reasonOf(call(userSessions[method].bind(userSessions))(user) as Promise<unknown>))
          .to.be.instanceOf(ValueError)
          .with.property('message')
          .that.includes(`${method}() needs the user`);
      }
    });
  }

  for (const value of [undefined, null, 7, {}, ['a:b'], Promise.resolve('a')]) {
    it(`is refused where the text to sign or to verify is ${JSON.stringify(value)}`, () => {
      for (const signer of [new Signer({ key: 'a' }), new TimestampSigner({ key: 'a' })]) {
        expect(() => call(signer.sign.bind(signer))(value)).to.throw(ValueError, 'signs texts');
        expect(() => call(signer.unsign.bind(signer))(value)).to.throw(BadSignature, 'no text');
        expect(() => call(signer.unsign_object.bind(signer))(value)).to.throw(BadSignature, 'no text');
        expect(call(signer.verify.bind(signer))(value)).to.equal(null);
      }
      expect(() => call(loads)(value, { key: 'a' })).to.throw(BadSignature, 'no text');
    });
  }

  for (const current of [
    null,
    'a'.repeat(32),
    Promise.resolve({ session_key: 'a' }),
    { session: { session_key: 'a' } },
  ]) {
    it(`is refused where the current session is ${JSON.stringify(current)}: the visitor's own would end too`, async () => {
      const store = new DatabaseStore(knex as unknown as Knex);
      const userSessions = new UserSessions(knex as unknown as Knex, { settings, store });
      for (const method of ['sessionsOf', 'revokeOthers'] as const) {
        const error = await reasonOf(
          call(userSessions[method].bind(userSessions))({ id: 1 }, current) as Promise<unknown>,
        );
        expect(error).to.be.instanceOf(ValueError).with.property('message').that.includes('`ctx.session`');
      }
    });
  }

  for (const user of [undefined, null, 7, {}, Promise.resolve({}), new AnonymousUser()]) {
    it(`is refused where the user of a login is ${JSON.stringify(user)}`, async () => {
      for (const work of [login, update_session_auth_hash]) {
        const error = await reasonOf(call(work)({ request: {} }, user) as Promise<unknown>);
        expect(error).to.be.instanceOf(ValueError).with.property('message').that.includes('authenticate(ctx');
      }
    });
  }

  it('is refused where it replaces the session or the user, which in code that is not strict did nothing', async () => {
    const site = new Koa();
    const told: string[] = [];
    site.use(sessions(site, { settings, store: new MemoryStore() }));
    site.use(
      authentication(site, {
        settings,
        backends: [{ path: 'a.B', authenticate: async () => null, get_user: async () => null }],
      }),
    );
    site.use((ctx) => {
      for (const [object, name] of [
        [ctx, 'session'],
        [ctx, 'user'],
        [ctx.request, 'user'],
      ] as const) {
        try {
          Reflect.set(object, name, null);
        } catch (error) {
          told.push(String(error));
        }
      }
      ctx.body = '';
    });
    await new Client(site).get('/');
    expect(told).to.have.length(3);
    expect(told[0]).to.include('ValueError').and.include('await logout(ctx)');
    expect(told[1]).to.include('ValueError').and.include('await login(ctx, user)');
  });

  it('is refused where options come by position, as in Django, where they would be ignored', async () => {
    const site = new Koa();
    site.use(sessions(site, { settings, store: new MemoryStore() }));
    site.use(messages(site, { settings }));
    const told: unknown[] = [];
    site.use((ctx) => {
      for (const work of [
        () => call(ctx.set_cookie.bind(ctx))('a', 'b', 3600),
        () => call(ctx.set_signed_cookie.bind(ctx))('a', 'b', 'salt'),
        () => call(ctx.delete_cookie.bind(ctx))('a', '/shop/'),
        () => call(ctx.get_signed_cookie.bind(ctx))('a', null, 'salt'),
        () => call(messages.success)(ctx, 'Saved.', 'card'),
      ]) {
        try {
          work();
        } catch (error) {
          told.push(error);
        }
      }
      ctx.body = '';
    });
    expect((await new Client(site).get('/')).headers['set-cookie']).to.equal(undefined);
    for (const work of [login_required, user_passes_test, permission_required, staff_member_required]) {
      const first = work === permission_required ? ['shop.view_good'] : work === user_passes_test ? [() => true] : [];
      told.push(await reasonOf((async () => call(work)(...first, '/login/'))()));
      told.push(await reasonOf((async () => call(work)(...first, () => {}))()));
    }
    for (const user of [ann, Promise.resolve(ann), 'ann']) {
      told.push(await reasonOf(call(validate_password)('a garden of cucumbers', user) as Promise<unknown>));
    }
    const pool = knex as unknown as Knex;
    for (const work of [
      () => call(migrate)(pool, ['0001_django_session']),
      () => call(rollback)(pool, 'all'),
      () => call(connectKnex)('postgresql://h/d', 10),
      () => construct(DatabaseStore)(pool, 'accounts_session'),
      () => construct(UserTable)(pool, 'auth_user'),
      () => call(login)({ request: {} }, ann, 'accounts.Backend'),
      () => call(authenticate)({ request: {} }, 'ann', 'a garden of cucumbers'),
    ]) {
      told.push(await reasonOf((async () => work())()));
    }
    expect(told).to.have.length(23);
    for (const error of told)
      expect(error).to.be.instanceOf(ValueError).with.property('message').that.includes('by name');
  });

  it('is refused where an id of a user, or the key of a session, is something else', async () => {
    const users = new UserTable(knex as unknown as Knex);
    const store = new MemoryStore();
    for (const work of [
      () => call(users.set_password.bind(users))(ann, `md5$a$${'0'.repeat(32)}`),
      () => call(users.update_last_login.bind(users))(ann, new Date()),
      () => call(login)({ request: {} }, { ...ann, id: { key: 1 } }),
      () => call(openSession)('csrftoken=a; sessionid=b', { settings, store }),
      () => call(make_password)(5),
      () => call(make_password)(),
      () => call(validate_password)(),
    ]) {
      const error = await reasonOf((async () => work())());
      expect(error).to.be.instanceOf(ValueError).with.property('message').that.matches(/needs/);
    }
  });

  it('is served where it is right, though unusual', async () => {
    const pool = knex as unknown as Knex;
    const logged = new Proxy(new DatabaseStore(pool, { table: 'accounts_session' }), {
      get(target, name, receiver) {
        const member: unknown = Reflect.get(target, name, receiver);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    const named = defineSettings({ SECRET_KEY: 'a', SESSION_TABLE: '"accounts_session"' });
    sessions(new Koa(), { settings: named, store: logged });
    const inSchema = defineSettings({ SECRET_KEY: 'a', SESSION_TABLE: 'public.django_session' });
    sessions(new Koa(), { settings: inSchema, store: new DatabaseStore(pool) });
    const cached = defineSettings({ SECRET_KEY: 'a', SESSION_ENGINE: 'cached_db', CACHE_URL: 'redis://h' });
    sessions(new Koa(), { settings: cached, store: new MemoryStore() });
    let time: number | undefined;
    call(sessions)(new Koa(), { settings, store: new MemoryStore(), logger: null, now: () => time });
    time = 1;
    call(sessions)(new Koa(), { settings, store: new MemoryStore(), now: () => 0, further: 1 });

    const users = new UserTable(pool);
    for (const encoded of [
      'a'.repeat(32),
      `!${'A'.repeat(40)}`,
      `!md5$salt$${'a'.repeat(32)}`,
      `sha512-crypt$a b$${'x'.repeat(86)}`,
      'my_hasher$salt$abcdef0123456789',
      'pbkdf2_sha256$1$salt$hash',
    ]) {
      const error = await reasonOf(users.set_password(1, encoded));
      expect(error).to.not.be.instanceOf(ValueError);
    }
    const objectId = { toString: () => '6553f0c2' };
    const error = await reasonOf(call(login)({ request: {} }, { ...ann, id: objectId }) as Promise<unknown>);
    expect(error).to.be.instanceOf(ImproperlyConfigured);
    const store = new MemoryStore();
    expect((await openSession('dGhlIGtleSBvZiBhIHNlc3Npb24=', { settings, store })).keys()).to.deep.equal([]);
  });

  it('authenticates nobody without credentials, where the backends need some', async () => {
    const site = new Koa();
    site.use(sessions(site, { settings, store: new MemoryStore() }));
    const backends = [new ModelBackend(new UserTable(knex as unknown as Knex))];
    site.use(authentication(site, { settings, backends }));
    site.use(async (ctx) => {
      ctx.body = String(await call(authenticate)(ctx));
    });
    expect((await new Client(site).get('/')).text).to.equal('null');
  });

  it('is refused where authentication and sessions have different keys, which would end every login', async () => {
    const site = new Koa();
    const told: unknown[] = [];
    site.on('error', (error) => told.push(error));
    site.use(sessions(site, { settings, store: new MemoryStore() }));
    const backends = [new ModelBackend(new UserTable(knex as unknown as Knex))];
    site.use(authentication(site, { settings: defineSettings({ SECRET_KEY: 'zucchini' }), backends }));
    site.use(async (ctx) => {
      await ctx.request.auser();
      ctx.body = 'served';
    });
    expect((await new Client(site).get('/')).status).to.equal(500);
    expect(String(told[0])).to.include('different SECRET_KEYs').and.not.include('zucchini');
  });

  it('warns once where another library has ctx.session', async () => {
    const site = new Koa();
    const warnings: unknown[] = [];
    Object.defineProperty(site.context, 'session', { configurable: true, get: () => ({}) });
    const logger = { warn: (_fields: unknown, message?: unknown) => warnings.push(message) };
    site.use(sessions(site, { settings, store: new MemoryStore(), logger }));
    site.use((ctx) => {
      ctx.request.session['n'] = 1;
      ctx.body = '';
    });
    const client = new Client(site);
    await client.get('/');
    await client.get('/');
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.include('`ctx.session`').and.include('`ctx.request.session`');
  });

  it('costs no session where observe fails, at once or later', async () => {
    const site = new Koa();
    const warnings: unknown[] = [];
    const logger = { warn: (_fields: unknown, message?: unknown) => warnings.push(message) };
    const observe = (event: string): unknown => {
      if (event === 'save') throw new Error('no such label');
      return Promise.reject(new Error('not now'));
    };
    const store = new MemoryStore();
    site.use(sessions(site, { settings, store, logger, observe: observe as () => void }));
    site.use(async (ctx) => {
      ctx.session['n'] = Number(ctx.session['n'] ?? 0) + 1;
      await ctx.session.cycle_key();
      ctx.body = String(ctx.session['n']);
    });
    const client = new Client(site);
    expect((await client.get('/')).text).to.equal('1');
    expect((await client.get('/')).text).to.equal('2');
    expect(warnings.join()).to.include('no such label').and.include('not now');
  });

  it('is refused where a promise or nothing is sent to the visitor', async () => {
    const site = new Koa();
    site.use(sessions(site, { settings, store: new MemoryStore() }));
    site.use(messages(site, { settings }));
    const told: unknown[] = [];
    site.use((ctx) => {
      for (const value of [Promise.resolve('a'), { a: 1 }, () => 'a']) {
        for (const set of [ctx.set_cookie.bind(ctx), ctx.set_signed_cookie.bind(ctx)]) {
          expect(() => call(set)('a', value)).to.throw(CookieError, 'text');
        }
      }
      expect(() => call(ctx.set_signed_cookie.bind(ctx))('a')).to.throw(CookieError, 'text');
      for (const message of [undefined, Promise.resolve('Saved.')]) {
        expect(() => call(messages.success)(ctx, message)).to.throw(ValueError, '`await`');
      }
      told.push(...messages.get_messages(ctx));
      ctx.body = 'asked';
    });
    const answer = await new Client(site).get('/');
    expect([answer.text, answer.headers['set-cookie'], told]).to.deep.equal(['asked', undefined, []]);
  });

  it('lets nobody in where a test of users returns a method that was not called', async () => {
    const site = new Koa();
    site.silent = true;
    site.use(sessions(site, { settings, store: new MemoryStore() }));
    const backends = [{ path: 'a.B', authenticate: async () => null, get_user: async () => null }];
    site.use(authentication(site, { settings, backends }));
    site.use(call(user_passes_test)((user: AnonymousUser) => user.has_perm) as Koa.Middleware);
    site.use((ctx) => {
      ctx.body = 'secret';
    });
    const answer = await new Client(site).get('/');
    expect([answer.status, answer.text.includes('secret')]).to.deep.equal([500, false]);
  });

  it('is refused where the limit is maxAge, which no age would be compared with', () => {
    const signer = new TimestampSigner({ key: 'a' });
    expect(() => call(signer.unsign.bind(signer))(signer.sign('a'), { maxAge: 1 })).to.throw(ValueError, '`max_age`');
    expect(() => call(loads)(dumps(1, { key: 'a' }), { key: 'a', maxAge: 1 })).to.throw(ValueError, '`max_age`');
  });

  it('is refused where a random text has no length', () => {
    for (const length of [undefined, Number.NaN, '32', -1, 1.5]) {
      expect(() => call(get_random_string)(length)).to.throw(ValueError, 'length');
    }
  });

  it('is refused where a part of a span is undefined: the session would end at once', () => {
    const dictionary = new Session({ settings, store: new MemoryStore(), codec: new SessionCodec(settings) }, null);
    for (const span of [{ days: undefined }, { days: 1, hours: Number.NaN }, { days: '1' }]) {
      expect(() => call(dictionary.set_expiry.bind(dictionary))(span)).to.throw(ValueError, 'span');
    }
  });

  it('is false where there is no stored password to check against', async () => {
    for (const encoded of [undefined, null, 7]) {
      expect(
        await call(check_password)('secret', encoded, { hashers: [new PBKDF2PasswordHasher({ iterations: 1 })] }),
      ).to.equal(false);
    }
  });

  it('is refused where the salt is an object: two of them would be one salt', () => {
    expect(() => construct(Signer)({ key: 'a', salt: { purpose: 'reset' } })).to.throw(ValueError, 'salt');
    expect(() => call(dumps)({}, { key: 'a', salt: 1 })).to.throw(ValueError, 'salt');
  });

  it('is refused where an address is none', async () => {
    const limit = { free: 1, healsIn: 1 };
    const throttle = construct(AddressThrottle)(knex, { settings, name: 'a', limit }) as AddressThrottle;
    for (const method of ['check', 'wait'] as const) {
      expect(await reasonOf(call(throttle[method].bind(throttle))(undefined) as Promise<unknown>))
        .to.be.instanceOf(ValueError)
        .with.property('message')
        .that.includes('ctx.ip');
    }
  });

  it('is refused where a test clock gets a text', () => {
    const now = testClock(1);
    expect(() => call(testClock)('1')).to.throw(ValueError, 'not "1"');
    expect(() => call(now.advance)('5')).to.throw(ValueError, 'not "5"');
    expect(now()).to.equal(1);
  });

  it('is a wrong solution where a captcha gets none', async () => {
    expect(await call(acceptCaptcha)(session, null, { settings, now: 1 })).to.equal(false);
    expect(await call(acceptProofOfWork)(session, undefined, { now: 1 })).to.equal(false);
  });

  it('is refused where a message is added to no context', () => {
    expect(() => call(messages.success)('Saved.', {})).to.throw(TypeError, 'must be a Koa context, not string');
  });
});
