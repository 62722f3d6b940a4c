import { format, inspect } from 'node:util';
import { AssertionError, expect } from 'chai';
import {
  CreateError,
  KeyError,
  StoreUnavailable,
  SuspiciousOperation,
  UpdateError,
  ValueError,
} from '../../server/errors.js';
import { SessionCodec } from '../../server/session/codec.js';
import { withItemAccess } from '../../server/session/item_access.js';
import { newSessionKey } from '../../server/session/key.js';
import { Session } from '../../server/session/session.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { defineSettings } from '../../server/settings.js';
import { rejects } from './stores/contract.js';

const settings = defineSettings({ SECRET_KEY: 'a test key' });

function thrownBy(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}

describe('Session', () => {
  let now: number;
  let store: MemoryStore;
  let codec: SessionCodec;

  beforeEach(() => {
    now = 1_767_225_600;
    store = new MemoryStore({ now: () => now });
    codec = new SessionCodec(settings, { now: () => now });
  });

  async function open(session_key?: string | null): Promise<Session> {
    const session = withItemAccess(new Session({ store, codec, settings, session_key, now: () => now }));
    await session.load();
    return session;
  }

  /** A row with this JSON text, as another server wrote it. */
  async function row(json: string): Promise<string> {
    const session_key = newSessionKey();
    await store.create({ session_key, session_data: codec.encode(json), expire_date: new Date((now + 1000) * 1000) });
    return session_key;
  }

  const json = async (session_key: string | null): Promise<string | null> => {
    const text = await store.load(session_key ?? '');
    return text === null ? null : codec.decode(text);
  };

  describe('as a dictionary', () => {
    it('gets, sets, pops and removes, and tells access from change', async () => {
      const session = await open();
      expect([session.accessed, session.modified]).to.deep.equal([false, false]);
      expect(session.get('a')).to.equal(null);
      expect(session.get('a', 7)).to.equal(7);
      expect([session.accessed, session.modified]).to.deep.equal([true, false]);
      session.set('a', 1);
      expect(session.modified).to.equal(true);
      expect(session.pop('a')).to.equal(1);
      expect(() => session.pop('a')).to.throw(KeyError);
      expect(session.pop('a', null)).to.equal(null);
      expect(() => session.remove('a')).to.throw(KeyError);
    });

    it('does not count the pop of an absent key as a change', async () => {
      const session = await open();
      session.pop('absent', 1);
      expect(session.modified).to.equal(false);
    });

    it('takes __proto__, constructor, toString, numbers and the empty text as plain keys, in order', async () => {
      const session = await open();
      const keys = ['toString', '__proto__', '2', '1', '', 'constructor', 'then'];
      for (const key of keys) session.set(key, { key });
      await session.save();
      const again = await open(session.session_key);
      expect(again.keys()).to.deep.equal(keys);
      expect(again.items()).to.deep.equal(keys.map((key) => [key, { key }]));
      expect(({} as Record<string, unknown>)['key']).to.equal(undefined);
    });

    it('refuses at once a value that JSON cannot hold, and keeps the old one', async () => {
      const session = await open();
      session.set('a', 1);
      for (const value of [undefined, () => 1, Symbol('x'), new Date()]) {
        expect(() => session.set('a', value)).to.throw(TypeError);
      }
      expect(() => session.update({ a: 2, b: undefined })).to.throw(TypeError);
      expect(session.items()).to.deep.equal([['a', 1]]);
    });

    it('refuses at once a value that lies deeper than every Django can read', async () => {
      const nest = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
      const session = await open();
      session.set('a', nest(900));
      expect(() => session.set('a', nest(901))).to.throw(ValueError, /more than 900 deep/);
      await session.save();
      expect(await json(session.session_key)).to.have.length('{"a":}'.length + 1800);
    });

    it('lets setdefault keep what is there', async () => {
      const session = await open();
      expect(session.setdefault('a', 1)).to.equal(1);
      expect(session.setdefault('a', 2)).to.equal(1);
    });

    it('knows the test cookie', async () => {
      const session = await open();
      expect(session.test_cookie_worked()).to.equal(false);
      session.set_test_cookie();
      expect(session.test_cookie_worked()).to.equal(true);
      session.delete_test_cookie();
      expect(() => session.delete_test_cookie()).to.throw(KeyError);
    });

    it('encodes and decodes a dictionary as Django does', async () => {
      const session = await open();
      expect(session.decode(session.encode({ a: [1, 'x'] }))).to.deep.equal(new Map([['a', [1, 'x']]]));
      expect(session.decode('not:signed:text')).to.deep.equal(new Map());
    });
  });

  describe('by item access', () => {
    it('reads, writes, tests and deletes keys', async () => {
      const session = await open();
      session['cart'] = [1];
      expect(session['cart']).to.deep.equal([1]);
      expect('cart' in session).to.equal(true);
      expect('get' in session).to.equal(false);
      delete session['cart'];
      expect(session['cart']).to.equal(undefined);
      expect(() => delete session['cart']).to.throw(KeyError);
    });

    const INHERITED = [...Object.getOwnPropertyNames(Object.prototype), 'prototype', 'document', 'length'];

    it('never leads to what all sessions share: names that every object has read as undefined, or as data', async () => {
      const session = await open(await row('{"a":{"b":1}}'));
      for (const name of INHERITED) {
        expect(session[name], name).to.equal(undefined);
        expect(name in session, name).to.equal(false);
        expect(Object.hasOwn(session, name), name).to.equal(false);
      }
      for (const name of INHERITED) {
        session.set(name, { name });
        expect(session[name], name).to.deep.equal({ name });
        session.remove(name);
      }
    });

    it('gives functions of its own: what is written onto one is on no other session', async () => {
      const [one, two] = [await open(), await open()];
      for (const name of ['get', 'save', 'items', 'toJSON']) {
        (one[name] as Record<string, unknown>)['planted'] = true;
        for (const session of [one, two]) {
          expect((session[name] as Record<string, unknown>)['planted'], name).to.equal(undefined);
        }
      }
      // Everything that a name leads to: functions, and the values of the fields.
      const members = Object.getOwnPropertyNames(Session.prototype).filter((name) => name !== 'constructor');
      for (const name of [...members, ...INHERITED]) {
        const member = one[name];
        expect(member === null || typeof member !== 'object', name).to.equal(true);
      }
    });

    for (const name of [
      'save',
      'get',
      'session_key',
      'toJSON',
      'then',
      ...Object.getOwnPropertyNames(Object.prototype),
    ]) {
      it(`refuses ${name} as a key with a sentence and 400, and goes on working`, async () => {
        const session = await open();
        const record: Record<string, unknown> = session;
        const setting = thrownBy(() => {
          record[name] = [];
        });
        const removing = thrownBy(() => delete record[name]);
        for (const error of [setting, removing]) {
          expect(error).to.be.instanceOf(SuspiciousOperation).and.to.include({ status: 400, expose: true });
        }
        expect(setting.message).to.include(`call session.set("${name}", value).`);
        expect(removing.message).to.include(`call session.remove("${name}").`);
        expect(session.modified).to.equal(false);
        session.set(name, 1);
        await session.save();
        expect(await json(session.session_key)).to.equal(`{"${name}":1}`);
        expect((await open(session.session_key)).get(name)).to.equal(1);
      });
    }

    for (const name of ['modified', 'accessed']) {
      it(`takes true and false alone as ${name}: other values, whose name a visitor may have chosen, are refused`, async () => {
        const session = withItemAccess(await open(null));
        session['other'] = 1;
        for (const value of ['', 'x', 1, null, []]) {
          expect(() => {
            (session as unknown as Record<string, unknown>)[name] = value;
          }).to.throw(SuspiciousOperation);
        }
        expect(session.modified).to.equal(true);
      });
    }

    for (const [wrong, right] of [
      ['modifed', 'modified'],
      ['modfied', 'modified'],
      ['modifeid', 'modified'],
      ['modiffied', 'modified'],
      ['mod1fied', 'modified'],
      ['Modified', 'modified'],
      ['acessed', 'accessed'],
      ['accesed', 'accessed'],
      ['accessd', 'accessed'],
    ] as const) {
      it(`refuses session.${wrong} = true, and names session.${right}`, async () => {
        const session = await open();
        for (const value of [true, false]) {
          const error = thrownBy(() => Reflect.set(session, wrong, value));
          expect(error).to.be.instanceOf(SuspiciousOperation);
          expect(error.message).to.include(`write session.${right}; to set the key "${wrong}" call session.set(`);
        }
        expect(session.keys()).to.deep.equal([]);
        session.set(wrong, true);
        expect(session[wrong]).to.equal(true);
      });
    }

    it('takes other keys that are near to a name of its own', async () => {
      const session = await open();
      const keys = ['key', 'item', 'value', 'role', 'hash', 'notified', 'assessed', 'modified_at', 'modify', 'created'];
      for (const key of keys) session[key] = true;
      Reflect.set(session, 'accesses', 5);
      expect(session.keys()).to.deep.equal([...keys, 'accesses']);
    });

    it('cannot be given another prototype, be frozen, or have properties defined', async () => {
      const session = await open();
      expect(Reflect.setPrototypeOf(session, null)).to.equal(false);
      expect(Reflect.preventExtensions(session)).to.equal(false);
      expect(Reflect.defineProperty(session, 'a', { value: 1 })).to.equal(false);
      expect(() => Object.freeze(session)).to.throw(TypeError);
      expect(session).to.be.instanceOf(Session);
    });

    describe('shown as a dictionary', () => {
      const HASH = 'a-hash-that-nobody-may-see';
      const text = `{"_auth_user_id":"1","_auth_user_hash":"${HASH}","cart":[1,{"a":2}],"get":"a method's name","_csrftoken":"${HASH}"}`;
      const shown = { _auth_user_id: '1', cart: [1, { a: 2 }] };
      const all = { ...shown, get: "a method's name" };
      let session: Session;
      beforeEach(async () => {
        session = await open(await row(text));
      });

      it('by JSON.stringify, without the auth hash', () => {
        expect(JSON.parse(JSON.stringify(session))).to.deep.equal(all);
        expect(JSON.stringify({ session })).to.equal(JSON.stringify({ session: all }));
      });

      it('by JSON.stringify as Django has it: Maps as dictionaries, bigints as texts', () => {
        session.set('map', new Map([['a', [2n ** 64n, new Map([['__proto__', 1]])]]]));
        expect(JSON.stringify({ ...session.toJSON() }['map'])).to.equal(
          '{"a":["18446744073709551616",{"__proto__":1}]}',
        );
      });

      it('by JSON.stringify 1,000 levels deep, and with a sentence where it is deeper', async () => {
        const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
        const near = await open(await row(`{"d":${deep(1000)}}`));
        expect(JSON.stringify(near)).to.equal(`{"d":${deep(1000)}}`);
        for (const levels of [1001, 9_990]) {
          const far = await open(await row(`{"d":${deep(levels)}}`));
          expect(() => JSON.stringify(far)).to.throw(ValueError, /^session\["d"\] lies more than 1000 levels deep/);
          expect(inspect(far)).to.include('[Array]');
        }
      });

      it('by console.log and util.inspect, at any depth, without the auth hash and without the key', () => {
        expect(inspect(session)).to.equal(`Session ${inspect(all)}`);
        const nested = inspect({ ctx: { session } }, { depth: 5 });
        expect(nested).to.include("_auth_user_id: '1'").and.not.include(HASH).and.not.include(session.session_key);
        expect(format('%s %o %O %j', session, session, session, session)).to.not.include(HASH);
      });

      it('by spreading, Object.keys, Object.entries and for … in, but for what reads as a method', () => {
        expect({ ...session }).to.deep.equal(shown);
        expect(Object.keys(session)).to.deep.equal(Object.keys(shown));
        expect(Object.entries(session)).to.deep.equal(Object.entries(shown));
        expect(Object.assign({}, session)).to.deep.equal(shown);
        const keys: string[] = [];
        for (const key in session) keys.push(key);
        expect(keys).to.deep.equal(Object.keys(shown));
        expect(Object.hasOwn(session, 'cart')).to.equal(true);
      });

      it('with everything in it by keys, items and get', () => {
        expect(session.keys()).to.include.members(['_auth_user_hash', 'get', '_csrftoken']);
        expect(session.get('_auth_user_hash')).to.equal(HASH);
        expect(session['_auth_user_hash']).to.equal(HASH);
        expect('_auth_user_hash' in session).to.equal(true);
      });

      it('and neither is it changed by that, nor is being printed an access', async () => {
        inspect(session);
        expect([session.accessed, session.modified]).to.deep.equal([false, false]);
        JSON.stringify(session);
        expect([session.accessed, session.modified]).to.deep.equal([true, false]);
        // A cookie whose row is gone is deleted at the first access, and not by a look.
        const gone = newSessionKey();
        const stale = await open(gone);
        expect(inspect(stale)).to.equal('Session {}');
        expect([stale.session_key, stale.is_empty()]).to.deep.equal([gone, false]);
      });

      it('also with integers that only a bigint holds', async () => {
        const large = await open(await row('{"a":9007199254740993,"b":{"c":[9007199254740993,1.5]}}'));
        expect(JSON.stringify(large)).to.equal('{"a":"9007199254740993","b":{"c":["9007199254740993",1.5]}}');
      });

      it('and without a word of it as text, as number, and where it was not loaded', async () => {
        expect([`${session}`, String(session), Number(session)]).to.deep.equal([
          '[object Session]',
          '[object Session]',
          Number.NaN,
        ]);
        expect(Object.prototype.toString.call(session)).to.equal('[object Session]');
        const unloaded = withItemAccess(new Session({ store, codec, settings, session_key: newSessionKey() }));
        expect(inspect(unloaded)).to.equal('Session (not loaded)');
      });

      it('and structuredClone says that it cannot copy it, while it copies what is spread', () => {
        expect(() => structuredClone(session)).to.throw(/could not be cloned/);
        expect(structuredClone({ ...session })).to.deep.equal(shown);
      });

      it('and chai can say what is wrong with it', () => {
        expect(() => expect(session).to.deep.equal({ a: 1 }))
          .to.throw(AssertionError)
          .and.not.match(new RegExp(HASH));
        expect(() => expect(session).to.equal(null)).to.throw(AssertionError);
      });
    });

    it('lets a handler set modified, and can be awaited without being touched', async () => {
      const session = await open();
      session.modified = true;
      const awaited = await Promise.resolve(session);
      expect(awaited.modified).to.equal(true);
      expect(awaited.accessed).to.equal(false);
    });
  });

  describe('before its first use', () => {
    it("shows the cookie's key and is not empty, even if there is no such row", async () => {
      const session_key = newSessionKey();
      const session = await open(session_key);
      expect([session.session_key, session.is_empty()]).to.deep.equal([session_key, false]);
      session.get('a');
      expect([session.session_key, session.is_empty()]).to.deep.equal([null, true]);
    });

    it('keeps a fault of the store until somebody looks into the session', async () => {
      const away = Object.assign(Object.create(store) as MemoryStore, {
        load: () => Promise.reject(new StoreUnavailable('away')),
      });
      const session = new Session({ store: away, codec, settings, session_key: newSessionKey() });
      await session.load();
      expect(session.is_empty()).to.equal(false);
      expect(() => session.get('a')).to.throw(StoreUnavailable);
    });
  });

  describe('saving', () => {
    it('knows no row without a key', async () => {
      const session = await open();
      for (const none of [null, undefined, '']) expect(await session.exists(none)).to.equal(false);
      expect(await Reflect.apply(session.exists, session, [5])).to.equal(false);
    });

    it('creates a row under a new key, never under the one that was asked for', async () => {
      const planted = newSessionKey();
      const session = await open(planted);
      session.set('a', 1);
      await session.save();
      expect(session.session_key).to.match(/^[a-z0-9]{32}$/);
      expect(session.session_key).not.to.equal(planted);
      expect(await store.exists(planted)).to.equal(false);
    });

    it('writes an untouched member as it came, whatever JavaScript makes of its value', async () => {
      const raw = '{"one":1.0,"nan":NaN,"big":12345678901234567890,"deep":{"f":[1.0,-0.0,1e5]},"n":1}';
      const session = await open(await row(raw));
      session.get('deep');
      session.get('big');
      session.set('n', 2);
      await session.save();
      expect(await json(session.session_key)).to.equal(raw.replace('"n":1', '"n":2'));
    });

    it('writes what was changed inside a value once something else is saved', async () => {
      const session = await open(await row('{"list":[1]}'));
      (session.get('list') as number[]).push(2);
      expect(session.modified).to.equal(false);
      session.set('x', 1);
      await session.save();
      expect(await json(session.session_key)).to.equal('{"list":[1,2],"x":1}');
    });

    it("keeps another request's change of another key", async () => {
      const key = await row('{"a":1,"gone":1}');
      const [one, two] = [await open(key), await open(key)];
      one.set('b', 2);
      one.remove('gone');
      two.set('c', 3);
      await one.save();
      await two.save();
      expect(await json(key)).to.equal('{"a":1,"b":2,"c":3}');
      expect(two.items()).to.deep.equal([
        ['a', 1],
        ['b', 2],
        ['c', 3],
      ]);
    });

    it('never brings back a session that was logged out meanwhile', async () => {
      const key = await row('{"a":1}');
      const [slow, logout] = [await open(key), await open(key)];
      slow.set('b', 2);
      await logout.flush();
      await rejects(slow.save(), UpdateError);
      expect(await store.exists(key)).to.equal(false);
    });

    it('does not undo a login of another request, nor move it to a new key after a logout', async () => {
      const key = await row('{"a":1}');
      const [slow, login] = [await open(key), await open(key)];
      await login.cycle_key();
      slow.set('b', 2);
      await rejects(slow.save(), UpdateError);
      await rejects(slow.cycle_key(), UpdateError);
      expect(await json(login.session_key)).to.equal('{"a":1}');
    });

    it('says which expiry was written, so that cookie and row agree', async () => {
      const session = await open();
      session.set('a', 1);
      session.set_expiry(90);
      expect(await session.save()).to.deep.equal({ expire_date: new Date((now + 90) * 1000), max_age: 90 });
      session.set_expiry(0);
      expect((await session.save()).max_age).to.equal(null);
      const modification = new Date((now - 5) * 1000);
      expect(session.get_expiry_age({ expiry: new Date(now * 1000), modification })).to.equal(5);
      expect(session.get_expiry_date({ expiry: 5, modification })).to.deep.equal(new Date(now * 1000));
    });

    it('fails with must_create when the key is taken', async () => {
      const key = await row('{"a":1}');
      const session = await open(key);
      await rejects(session.save(true), CreateError);
    });

    it('overwrites a row that nobody can read, under the same key', async () => {
      const key = newSessionKey();
      await store.create({ session_key: key, session_data: 'garbage:x:y', expire_date: new Date((now + 9) * 1000) });
      const session = await open(key);
      expect(session.keys()).to.deep.equal([]);
      session.set('a', 1);
      await session.save();
      expect(await json(key)).to.equal('{"a":1}');
    });

    for (const payload of ['[1]', 'null', '1', '"x"', 'not json', '{"a":']) {
      it(`reads a signed ${payload} as an empty session`, async () => {
        const session = await open(await row(payload));
        expect(session.keys()).to.deep.equal([]);
        expect(session.session_key).not.to.equal(null);
      });
    }
  });

  describe('with an expiry that nobody can read', () => {
    let heard: [string, string | null][];
    beforeEach(() => {
      heard = [];
      codec = new SessionCodec(settings, { now: () => now, onSuspicious: (...line) => heard.push(line) });
    });

    for (const stored of ['"soon"', '"2026-02-30"', '[1]', '{"a":1}', '1e300', '9'.repeat(400), 'NaN', '""']) {
      it(`ends with the browser, the row after SESSION_COOKIE_AGE, and is reported at each save: ${stored.slice(0, 20)}`, async () => {
        const key = await row(`{"_session_expiry":${stored}}`);
        const session = await open(key);
        expect(session.get_expire_at_browser_close()).to.equal(true);
        expect(heard).to.deep.equal([]);
        session.set('a', 1);
        expect(await session.save()).to.deep.equal({
          max_age: null,
          expire_date: new Date((now + settings.SESSION_COOKIE_AGE) * 1000),
        });
        expect(heard).to.deep.equal([
          [
            'Session expiry cannot be read: what lies under _session_expiry is no expiry, so the session ends with the browser.',
            key,
          ],
        ]);
        session.set_expiry(60);
        expect((await session.save()).max_age).to.equal(60);
        expect(heard).to.have.length(1);
      });
    }

    it('is none of what Python 3.11 reads', async () => {
      for (const text of ['2091-02-03T09:35:06+0530', '20910203T040506Z', '2091-W05-6T04:05:06Z']) {
        const session = await open(await row(`{"_session_expiry":"${text}"}`));
        session.set('a', 1);
        const { max_age, expire_date } = await session.save();
        expect([expire_date.toISOString(), max_age]).to.deep.equal([
          '2091-02-03T04:05:06.000Z',
          Date.parse('2091-02-03T04:05:06Z') / 1000 - now,
        ]);
      }
      expect(heard).to.deep.equal([]);
    });
  });

  describe('keys', () => {
    it('are tried anew when one is taken', async () => {
      const taken = await row('{"theirs":1}');
      const keys = [taken, taken, 'a'.repeat(32)];
      const session = new Session({ store, codec, settings, newSessionKey: () => keys.shift() ?? 'none' });
      session.set('mine', 1);
      await session.save();
      expect(session.session_key).to.equal('a'.repeat(32));
      expect(await json(taken)).to.equal('{"theirs":1}');
    });

    it('are cycled with the data and without losing what another request wrote', async () => {
      const key = await row('{"a":1}');
      const [mine, other] = [await open(key), await open(key)];
      other.set('b', 2);
      await other.save();
      mine.set('c', 3);
      await mine.cycle_key();
      expect(await store.exists(key)).to.equal(false);
      expect(await json(mine.session_key)).to.equal('{"a":1,"b":2,"c":3}');
      mine.set('d', 4);
      await mine.save();
      expect(await json(mine.session_key)).to.equal('{"a":1,"b":2,"c":3,"d":4}');
    });

    it('are forgotten by flush, with row and data', async () => {
      const key = await row('{"a":1}');
      const session = await open(key);
      await session.flush();
      expect([session.session_key, session.keys(), session.is_empty()]).to.deep.equal([null, [], true]);
      expect(await store.exists(key)).to.equal(false);
      session.set('b', 1);
      await session.save();
      expect(session.session_key).not.to.equal(key);
    });

    it('with a NUL or fewer than 8 characters count as none', async () => {
      for (const key of ['', '1234567', 'aaaaaaaa\0b', null, undefined]) {
        expect((await open(key)).session_key).to.equal(null);
      }
      const session = await open();
      expect(await session.exists('aaaaaaaa\0b')).to.equal(false);
      await session.delete('aaaaaaaa\0b');
    });
  });

  describe('when two calls on one new session are under way at once', () => {
    let drawn: string[];
    let session: Session;
    beforeEach(() => {
      drawn = [];
      const draw = (): string => {
        const key = newSessionKey();
        drawn.push(key);
        return key;
      };
      session = withItemAccess(new Session({ store, codec, settings, now: () => now, newSessionKey: draw }));
      session.set('a', 1);
    });

    /** The keys that have a row. */
    async function rows(): Promise<string[]> {
      const there = await Promise.all(drawn.map((key) => store.exists(key)));
      return drawn.filter((_, index) => there[index]);
    }

    const calls: Readonly<Record<string, (session: Session) => Promise<unknown>>> = {
      save: (session) => session.save(),
      cycle_key: (session) => session.cycle_key({ values: { user: 'ann' } }),
      atomic: (session) => session.atomic((fresh) => fresh.set('b', 1)),
    };
    for (const [one, first] of Object.entries(calls)) {
      for (const [other, second] of Object.entries(calls)) {
        it(`(${one} and ${other}) makes one row, and the session has its key`, async () => {
          await Promise.all([first(session), second(session), first(session)]);
          expect(await rows()).to.deep.equal([session.session_key]);
          await session.save();
          expect(JSON.parse((await json(session.session_key)) ?? '')).to.include({ a: 1 });
          expect(await rows()).to.have.length(1);
        });
      }
    }
    for (const one of ['save', 'cycle_key'] as const) {
      it(`(${one} and flush) leaves no row, and nothing in the session`, async () => {
        await Promise.all([calls[one]?.(session), session.flush()]);
        expect(await rows()).to.deep.equal([]);
        expect([session.session_key, session.keys()]).to.deep.equal([null, []]);
      });
    }

    it('goes on after one that fails', async () => {
      const failed = session.cycle_key({
        joined: { database: undefined, write: () => Promise.reject(new RangeError()) },
      });
      const [refused] = await Promise.allSettled([failed, session.save(), session.save()]);
      expect(refused.status).to.equal('rejected');
      expect(await rows()).to.deep.equal([session.session_key]);
    });
  });

  describe('a call as other libraries have it', () => {
    for (const given of [() => {}, 'yes', 1, { must_create: false }, null]) {
      it(`save(${String(given)}) is refused, and the session can be saved`, async () => {
        const session = await open(await row('{"n":0}'));
        session.set('n', 1);
        await rejects(session.save(given as never), ValueError);
        await session.save();
        expect(await json(session.session_key)).to.equal('{"n":1}');
      });
    }

    it('delete of what is no key does nothing', async () => {
      const key = await row('{"n":0}');
      const session = await open(key);
      for (const given of [5, {}, [key]]) await session.delete(given as never);
      expect(await json(key)).to.equal('{"n":0}');
    });
  });

  describe('atomic', () => {
    it('counts every increment of parallel requests', async () => {
      const key = await row('{"n":0}');
      const sessions = await Promise.all(Array.from({ length: 20 }, () => open(key)));
      await Promise.all(
        sessions.map((session) => session.atomic((fresh) => fresh.set('n', (fresh.get('n') as number) + 1))),
      );
      expect(await json(key)).to.equal('{"n":20}');
    });

    it('hands a value that counts once to one request only', async () => {
      const key = await row('{"once":"answer"}');
      const sessions = await Promise.all(Array.from({ length: 10 }, () => open(key)));
      const taken = await Promise.all(sessions.map((session) => session.atomic((fresh) => fresh.pop('once', null))));
      expect(taken.filter((value) => value === 'answer')).to.have.length(1);
    });

    it('shows this request the fresh values and keeps its own unsaved changes unsaved', async () => {
      const key = await row('{"n":0}');
      const [mine, other] = [await open(key), await open(key)];
      mine.set('mine', 1);
      other.set('theirs', 1);
      await other.save();
      await mine.atomic((fresh) => fresh.set('n', 1));
      expect(await json(key)).to.equal('{"n":1,"theirs":1}');
      expect(mine.keys()).to.deep.equal(['n', 'theirs', 'mine']);
      await mine.save();
      expect(await json(key)).to.equal('{"n":1,"theirs":1,"mine":1}');
    });

    it('writes nothing when the change throws', async () => {
      const key = await row('{"n":0}');
      const session = await open(key);
      await rejects(
        session.atomic((fresh) => {
          fresh.set('n', 1);
          throw new RangeError('no');
        }),
        RangeError,
      );
      expect(await json(key)).to.equal('{"n":0}');
    });

    it('creates a row where there is none', async () => {
      const session = await open();
      expect(await session.atomic((fresh) => fresh.setdefault('a', 1))).to.equal(1);
      expect(await json(session.session_key)).to.equal('{"a":1}');
    });

    it('is refused once the row is gone', async () => {
      const key = await row('{"n":0}');
      const session = await open(key);
      await store.delete(key);
      await rejects(
        session.atomic((fresh) => fresh.set('n', 1)),
        UpdateError,
      );
    });
  });
});
