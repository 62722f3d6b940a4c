/** What a session refuses that TypeScript would not compile: taken, it would cost the visitor the session. */
import { expect } from 'chai';
import { ImproperlyConfigured, SuspiciousOperation, ValueError } from '../../server/errors.js';
import { SessionCodec } from '../../server/session/codec.js';
import type { SessionDictionary } from '../../server/session/dictionary.js';
import { newSessionKey } from '../../server/session/key.js';
import { Session } from '../../server/session/session.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { defineSettings } from '../../server/settings.js';
import { rejection } from '../support/reason.js';

const settings = defineSettings({ SECRET_KEY: 'given-test-key' });
const now = (): number => 1_767_225_600;

describe('A session that is given by JavaScript', () => {
  const codec = new SessionCodec(settings, { now });
  let store: MemoryStore;

  beforeEach(() => {
    store = new MemoryStore({ now });
  });

  async function open(session_key: string | null, make: () => unknown = newSessionKey): Promise<Session> {
    const session = new Session({ store, codec, settings, now, newSessionKey: make as () => string }, session_key);
    await session.load();
    return session;
  }

  for (const [name, key] of [
    ['a number', 5],
    ['undefined', undefined],
    ['null', null],
    ['a list', ['a', 'b']],
    ['an object', {}],
    ['a symbol', Symbol('key')],
  ] as const) {
    it(`refuses ${name} as a key, and the rest of the session is saved`, async () => {
      const session = await open(null);
      session.set('cart', 1);
      const given = key as unknown as string;
      const pairs = [
        ['more', 2],
        [given, 2],
      ] as [string, unknown][];
      for (const work of [
        () => session.set(given, 2),
        () => session.setdefault(given, 2),
        () => session.update(pairs),
        () => session.update(new Map(pairs)),
      ]) {
        expect(work).to.throw(ValueError, 'texts');
      }
      await session.save();
      expect(await rejection(session.atomic((fresh) => fresh.set(given, 2)))).to.be.instanceOf(ValueError);
      expect(await rejection(session.cycle_key({ values: pairs }))).to.be.instanceOf(ValueError);
      const again = await open(session.session_key);
      expect([again.items(), again.hasUnreadableRow]).to.deep.equal([[['cart', 1]], false]);
    });
  }

  for (const [name, mapping] of [
    ['a promise', Promise.resolve({ cart: 1 })],
    ['nothing', undefined],
    ['null', null],
    ['a text', 'ab'],
  ] as const) {
    it(`refuses ${name} as keys and values`, async () => {
      const session = await open(null);
      expect(() => session.update(mapping as unknown as Record<string, unknown>)).to.throw(ValueError, '`await`');
      expect(session.modified).to.equal(false);
    });
  }

  it('has items in the dictionary of atomic as outside of it', async () => {
    for (const isNew of [true, false]) {
      const session = await open(null);
      session.update({ n: 1, old: 1 });
      if (!isNew) await session.save();
      const seen = await session.atomic((fresh) => {
        fresh['n'] = Number(fresh['n']) + 1;
        delete fresh['old'];
        expect(() => {
          fresh['save'] = 1;
        }).to.throw(SuspiciousOperation);
        return ['n' in fresh, 'old' in fresh, Object.keys(fresh), JSON.stringify(fresh)];
      });
      expect(seen).to.deep.equal([true, false, ['n'], '{"n":2}']);
      expect(session.items()).to.deep.equal([['n', 2]]);
      await session.atomic((fresh) => fresh.clear());
      expect(session.items()).to.deep.equal([]);
    }
  });

  it('refuses the dictionary of atomic after it, where a change would be lost', async () => {
    const session = await open(null);
    let kept: SessionDictionary | undefined;
    await session.atomic((fresh) => {
      kept = fresh;
      fresh.set('n', 1);
    });
    expect(() => kept?.set('n', 2)).to.throw(ValueError, '`atomic` is over');
  });

  it('refuses keys of sessions that are none, which several visitors would share', async () => {
    for (const make of [async () => newSessionKey(), () => undefined, () => '', () => 'short', () => 12_345_678]) {
      const session = await open(null, make);
      session.set('cart', 1);
      const error = await rejection(session.save());
      expect(error).to.be.instanceOf(ImproperlyConfigured).with.property('message').that.includes('`newSessionKey`');
      expect(session.session_key).to.equal(null);
    }
  });
});
