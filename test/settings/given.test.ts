/** Calls as JavaScript allows them: without the application, options or settings, or with the wrong kind of value. */
import { expect } from 'chai';
import Koa from 'koa';
import { AddressThrottle, authentication, LoginThrottle, UserSessions, UserTable } from '../../server/auth/index.js';
import { acceptCaptcha, acceptProofOfWork, keepCaptcha, newProofOfWork } from '../../server/captcha/index.js';
import { csrf } from '../../server/csrf/index.js';
import { ImproperlyConfigured, ValueError } from '../../server/errors.js';
import { formBody, installCookies } from '../../server/http/index.js';
import { messages } from '../../server/messages/index.js';
import { CacheStore } from '../../server/session/stores/cache.js';
import { CachedDatabaseStore } from '../../server/session/stores/cached_db.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { FileStore } from '../../server/session/stores/file.js';
import { openStore } from '../../server/session/stores/index.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import { defineSettings } from '../../server/settings.js';
import { dumps, loads, Signer, TimestampSigner } from '../../server/signing/index.js';
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
  const knex = { raw: async () => ({ rows: [] }) };
  const redis = { command: async () => null };
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
    ['UserSessions without arguments', 'needs a knex first', construct(UserSessions)],
    ['UserSessions without settings', 'new UserSessions() needs `settings`', construct(UserSessions), knex, {}],
    ['UserSessions without a store', 'new UserSessions() needs `store`', construct(UserSessions), knex, { settings }],
    ['Signer without a key', 'needs `key`', construct(Signer), {}],
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
