import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { openStore } from '../../../server/session/stores/index.js';
import { defineSettings, SESSION_ENGINES } from '../../../server/settings.js';
import { databaseOfSuite } from '../../support/database.js';

const given = { SECRET_KEY: 'a secret', SESSION_FILE_PATH: tmpdir(), CACHE_URL: 'redis://127.0.0.1:1/0' };

const codeOf = (opening: Promise<unknown>): Promise<unknown> =>
  opening.then(
    () => undefined,
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  );

describe('openStore', () => {
  const database = databaseOfSuite();

  const CLASSES: Readonly<Record<(typeof SESSION_ENGINES)[number], string>> = {
    db: 'DatabaseStore',
    cache: 'CacheStore',
    cached_db: 'CachedDatabaseStore',
    file: 'FileStore',
    signed_cookies: 'SignedCookiesStore',
  };
  for (const engine of SESSION_ENGINES) {
    for (const SESSION_ENGINE of [engine, `django.contrib.sessions.backends.${engine}`]) {
      it(`opens ${SESSION_ENGINE}`, async () => {
        const store = await openStore({ settings: defineSettings({ ...given, SESSION_ENGINE }), knex: database.knex });
        expect(store.constructor.name).to.equal(CLASSES[engine]);
        await store.close?.();
      });
    }
  }

  for (const SESSION_ENGINE of ['db', 'cached_db', 'cache']) {
    it(`derives the deadline of a request from the timeout with ${SESSION_ENGINE}`, async () => {
      const settings = defineSettings({ ...given, SESSION_ENGINE });
      const store = await openStore({ settings, knex: database.knex, timeout: 4 });
      expect(store.deadline?.()?.left()).to.equal(10_000);
      await store.close?.();
    });
  }

  for (const SESSION_ENGINE of ['db', 'cached_db']) {
    it(`refuses ${SESSION_ENGINE} without a database`, async () => {
      const settings = defineSettings({ ...given, SESSION_ENGINE });
      expect(await codeOf(openStore({ settings }))).to.equal('IMPROPERLY_CONFIGURED');
    });
  }

  for (const SESSION_ENGINE of ['cache', 'cached_db']) {
    it(`refuses ${SESSION_ENGINE} without CACHE_URL`, async () => {
      const settings = defineSettings({ ...given, SESSION_ENGINE, CACHE_URL: null });
      expect(await codeOf(openStore({ settings, knex: database.knex }))).to.equal('IMPROPERLY_CONFIGURED');
    });
  }

  it('refuses file without its folder', async () => {
    const settings = defineSettings({ ...given, SESSION_ENGINE: 'file', SESSION_FILE_PATH: '/not/there' });
    expect(await codeOf(openStore({ settings }))).to.equal('IMPROPERLY_CONFIGURED');
  });
});
