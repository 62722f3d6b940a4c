import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { ImproperlyConfigured, StoreUnavailable, UpdateError } from '../../../server/errors.js';
import { SessionCodec } from '../../../server/session/codec.js';
import { newSessionKey } from '../../../server/session/key.js';
import { FileStore } from '../../../server/session/stores/file.js';
import { defineSettings, type Settings } from '../../../server/settings.js';
import { compiled } from '../../support/programs.js';
import { rejects, storeContract } from './contract.js';

const NOW = 1_767_225_600;
const KEY = 'abcdefghijklmnopqrstuvwxyz012345';

describe('FileStore', () => {
  let folder: string;
  let settings: Settings;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'sessions-'));
    settings = defineSettings({ SECRET_KEY: 'a secret', SESSION_FILE_PATH: folder });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const name = (session_key: string): string => path.join(folder, `sessionid${session_key}`);
  const at = (now: number): FileStore => new FileStore(settings, { now: () => now });
  const encode = (json: string, now = NOW): string => new SessionCodec(settings, { now: () => now }).encode(json);
  const record = (session_data: string, lifetime: number, session_key = KEY) => ({
    session_key,
    session_data,
    expire_date: new Date((NOW + lifetime) * 1000),
  });

  storeContract(async (now) => ({ store: new FileStore(settings, { now }) }));

  describe('as a Django reads it', () => {
    it('is SESSION_COOKIE_NAME and the key, for the owner alone, with nothing else in the folder', async () => {
      await at(NOW).create(record(encode('{"a":1}'), settings.SESSION_COOKIE_AGE));
      expect(readdirSync(folder)).to.deep.equal([`sessionid${KEY}`]);
      expect(statSync(name(KEY)).mode & 0o777).to.equal(0o600);
      expect(readFileSync(name(KEY), 'latin1')).to.equal(encode('{"a":1}'));
    });

    it('is modified at the moment of the save, so that mtime and SESSION_COOKIE_AGE give its end', async () => {
      const store = at(NOW + 0.25);
      const row = record(encode('{"a":1}'), settings.SESSION_COOKIE_AGE + 0.25);
      await store.create(row);
      expect(statSync(name(KEY)).mtimeMs).to.equal((NOW + 0.25) * 1000);
      const kept = record(encode('{"_session_expiry":60}'), 60.25);
      expect(await store.replace(row.session_data, kept)).to.equal(true);
      expect(statSync(name(KEY)).mtimeMs).to.equal((NOW + 0.25) * 1000);
    });
  });

  describe('as a Django wrote it', () => {
    const djangoWrote = (json: string, modified = NOW): void => {
      writeFileSync(name(KEY), encode(json, modified));
      utimesSync(name(KEY), modified, modified);
    };

    it('lives SESSION_COOKIE_AGE from its modification', async () => {
      djangoWrote('{"a":1}');
      expect(await at(NOW + settings.SESSION_COOKIE_AGE - 0.1).load(KEY)).to.be.a('string');
      expect(await at(NOW + settings.SESSION_COOKIE_AGE).load(KEY)).to.equal(null);
    });

    it('lives as many seconds as its _session_expiry says', async () => {
      djangoWrote('{"_session_expiry":60}');
      expect(await at(NOW + 59.9).load(KEY)).to.be.a('string');
      expect(await at(NOW + 60).load(KEY)).to.equal(null);
    });

    it('lives until the date that its _session_expiry says, however long ago it was modified', async () => {
      djangoWrote('{"_session_expiry":"2026-03-01T00:00:00+00:00"}');
      const end = Date.parse('2026-03-01T00:00:00Z') / 1000;
      expect(await at(end - 0.1).load(KEY)).to.be.a('string');
      expect(await at(end).load(KEY)).to.equal(null);
    });

    it('is no session yet while the file is empty, and expires as one', async () => {
      writeFileSync(name(KEY), '');
      utimesSync(name(KEY), NOW, NOW);
      expect(await at(NOW).load(KEY)).to.equal(null);
      expect(await at(NOW).clear_expired()).to.equal(0);
      expect(await at(NOW + settings.SESSION_COOKIE_AGE + 1).clear_expired()).to.equal(1);
    });

    it('is noticed while modify works on what was there before', async () => {
      const store = at(NOW);
      await store.create(record('1', 60));
      const seen: string[] = [];
      await store.modify(KEY, async (session_data) => {
        seen.push(session_data);
        if (seen.length === 1) writeFileSync(name(KEY), '5');
        return record(`${session_data}+`, 60);
      });
      expect(seen).to.deep.equal(['1', '5']);
      expect(await store.load(KEY)).to.equal('5+');
    });

    it('stays logged out when Django deletes it while modify or cycle works', async () => {
      const store = at(NOW);
      const logsOut = async () => {
        unlinkSync(name(KEY));
        return record('later', 60, 'another0another0another0another0');
      };
      for (const change of ['modify', 'cycle'] as const) {
        await store.create(record('1', 60));
        await rejects(store[change](KEY, logsOut), UpdateError);
        expect(readdirSync(folder)).to.deep.equal([]);
      }
    });
  });

  describe("with a key that is none of Django's", () => {
    const strange = [
      '../../../../etc/passwd',
      'ABCDEFGHIJKL',
      'with space',
      'a/b/c/d/e',
      'é'.repeat(8),
      'a'.repeat(5000),
    ];
    for (const session_key of strange) {
      it(`knows no session ${session_key.slice(0, 24)} and touches nothing`, async () => {
        const store = at(NOW);
        expect(await store.load(session_key)).to.equal(null);
        expect(await store.exists(session_key)).to.equal(false);
        expect(await store.replace('text', record('text', 60, session_key))).to.equal(false);
        await rejects(
          store.modify(session_key, async () => record('text', 60)),
          UpdateError,
        );
        await store.delete(session_key);
        expect(readdirSync(folder)).to.deep.equal([]);
      });
    }

    it('does not take a folder for a session', async () => {
      mkdirSync(name(KEY));
      expect(await at(NOW).load(KEY)).to.equal(null);
    });
  });

  describe('over processes', () => {
    it('loses no change of two processes to one session', async function () {
      this.timeout(180_000);
      const store = new FileStore(settings);
      const row = { session_key: KEY, session_data: '0', expire_date: new Date(Date.now() + 600_000) };
      await store.create(row);
      const children = [1, 2].map(() =>
        fork(compiled('test/session/stores/file_child.ts'), [folder, KEY, '60'], { execArgv: [] }),
      );
      const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as unknown));
      expect(codes).to.deep.equal([0, 0]);
      expect(await store.load(KEY)).to.equal('120');
      expect(readdirSync(folder)).to.deep.equal([`sessionid${KEY}`]);
    });

    it('waits for the lock of another process, and says 503 when that does not end', async () => {
      const store = at(NOW);
      await store.create(record('1', 60));
      writeFileSync(path.join(folder, `.sessionid${KEY}.lock`), 'another process');
      await rejects(store.replace('1', record('2', 60)), StoreUnavailable);
      expect(await store.load(KEY)).to.equal('1');
    });

    it('takes over the lock that a killed process left behind', async () => {
      const store = at(NOW);
      await store.create(record('1', 60));
      const lock = path.join(folder, `.sessionid${KEY}.lock`);
      writeFileSync(lock, 'another process');
      const past = Date.now() / 1000 - 10;
      utimesSync(lock, past, past);
      expect(await store.replace('1', record('2', 60))).to.equal(true);
      expect(existsSync(lock)).to.equal(false);
    });

    it('writes nothing when its own lock was taken over meanwhile', async () => {
      const store = at(NOW);
      await store.create(record('1', 60));
      const stolen = async () => {
        writeFileSync(path.join(folder, `.sessionid${KEY}.lock`), 'another process');
        return record('2', 60);
      };
      await rejects(store.modify(KEY, stolen), StoreUnavailable);
      expect(await store.load(KEY)).to.equal('1');
    });
  });

  describe('clear_expired', () => {
    it('leaves files alone that are no sessions, and removes what a killed process left of writing', async () => {
      const strangers = ['notes.txt', `sessionid${KEY}_out_x1`, 'sessionid', '.sessionid.other'];
      for (const stranger of strangers) writeFileSync(path.join(folder, stranger), 'text');
      for (const ours of [`.sessionid${KEY}.lock`, `.sessionid${KEY}.aB3dE6gH.new`]) {
        writeFileSync(path.join(folder, ours), 'text');
      }
      expect(await at(Date.now() / 1000 + 3599).clear_expired()).to.equal(0);
      expect(readdirSync(folder)).to.have.length(6);
      expect(await at(Date.now() / 1000 + 3700).clear_expired()).to.equal(0);
      expect(readdirSync(folder).sort()).to.deep.equal(strangers.sort());
    });
  });

  describe('when the folder is away', () => {
    it('says 503 instead of knowing no session', async () => {
      const store = at(NOW);
      await store.create(record('1', 60));
      const elsewhere = `${folder}-elsewhere`;
      renameSync(folder, elsewhere);
      try {
        await rejects(store.load(KEY), StoreUnavailable);
        await rejects(store.exists(KEY), StoreUnavailable);
        await rejects(store.replace('1', record('2', 60)), StoreUnavailable);
        await rejects(store.create(record('1', 60, newSessionKey())), StoreUnavailable);
        await rejects(store.clear_expired(), StoreUnavailable);
      } finally {
        renameSync(elsewhere, folder);
      }
      expect(await store.load(KEY)).to.equal('1');
    });

    it('says 503 when something else is in its place', async () => {
      const store = at(NOW);
      rmSync(folder, { recursive: true });
      writeFileSync(folder, '');
      await rejects(store.load(KEY), StoreUnavailable);
    });

    it('does not start', () => {
      const missing = { ...settings, SESSION_FILE_PATH: path.join(folder, 'not-there') };
      expect(() => new FileStore(missing)).to.throw(ImproperlyConfigured, 'SESSION_FILE_PATH');
    });
  });

  it('gives a change up that never ends, and the file is free again', async () => {
    const store = at(NOW);
    await store.create(record(encode('{"n":1}'), 60));
    await rejects(
      store.modify(KEY, () => new Promise(() => {})),
      StoreUnavailable,
    );
    await store.delete(KEY);
    expect(await store.load(KEY)).to.equal(null);
  });
});
