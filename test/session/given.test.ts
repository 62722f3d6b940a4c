/** What a session refuses that TypeScript would not compile: taken, it would cost the visitor the session. */
import { expect } from 'chai';
import { ImproperlyConfigured, ValueError } from '../../server/errors.js';
import { SessionCodec } from '../../server/session/codec.js';
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

  it('refuses item access to the dictionary of atomic, which would change nothing', async () => {
    const session = await open(null);
    session.set('n', 1);
    await session.save();
    const counting = session.atomic((fresh) => {
      (fresh as unknown as Record<string, number>)['n'] = 2;
    });
    expect(await rejection(counting)).to.be.instanceOf(TypeError);
    expect(session.get('n')).to.equal(1);
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
