/** Sessions that end, or that a store fails to write, while one of their methods runs. */
import { expect } from 'chai';
import { StoreUnavailable, ValueError } from '../../server/errors.js';
import { SessionCodec } from '../../server/session/codec.js';
import type { SessionDictionary } from '../../server/session/dictionary.js';
import { Session } from '../../server/session/session.js';
import type { SessionStore } from '../../server/session/store.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import { defineSettings } from '../../server/settings.js';
import { reasonOf } from '../support/reason.js';
import { tick } from './late_store.js';

const settings = defineSettings({ SECRET_KEY: 'ended-meanwhile-test-key' });

async function open(store: SessionStore, session_key: string | null): Promise<Session> {
  const codec = new SessionCodec({ ...settings, SESSION_KEY_SALT: store.key_salt ?? settings.SESSION_KEY_SALT });
  const session = new Session({ store, codec, settings }, session_key);
  await session.load();
  session.keys();
  return session;
}
const valuesOf = (session: Session): unknown => Object.fromEntries(session.items());
const stored = async (store: SessionStore, key: string | null): Promise<unknown> => valuesOf(await open(store, key));

async function saved(store: SessionStore, values: Record<string, unknown>): Promise<Session> {
  const first = await open(store, null);
  first.update(values);
  await first.save();
  return open(store, first.session_key);
}

const count = (fresh: SessionDictionary): void => fresh.set('n', Number(fresh.get('n', 0)) + 1);

const ENGINES: Readonly<Record<string, () => SessionStore>> = {
  'a store of rows': () => new MemoryStore(),
  signed_cookies: () => new SignedCookiesStore(settings),
};

for (const [engine, newStore] of Object.entries(ENGINES)) {
  describe(`An atomic of a session without a row, with ${engine}`, () => {
    it('that ends with a flush leaves nothing in the next session', async () => {
      const store = newStore();
      const session = engine === 'signed_cookies' ? await saved(store, { a: 1 }) : await open(store, null);
      let go = (): void => {};
      const gate = new Promise<void>((resolve) => {
        go = resolve;
      });
      const changing = session.atomic(async (fresh) => {
        await gate;
        fresh.set('secret', 'of the former');
        return 'done';
      });
      await session.flush();
      session.set('next', 1);
      go();
      expect(await changing).to.equal('done');
      expect(valuesOf(session)).to.deep.equal({ next: 1 });
      expect(await stored(store, session.session_key)).to.deep.equal({});
    });

    it('beside a login as another user leaves nothing in the session of that user', async () => {
      const store = newStore();
      const session =
        engine === 'signed_cookies' ? await saved(store, { _auth_user_id: '1' }) : await open(store, null);
      const changing = session.atomic(async (fresh) => {
        await tick();
        fresh.set('orders', 'of user 1');
      });
      await Promise.all([changing, session.cycle_key({ values: { _auth_user_id: '2' }, forget: true })]);
      expect(valuesOf(session)).to.deep.equal({ _auth_user_id: '2' });
      expect(await stored(store, session.session_key)).to.deep.equal({ _auth_user_id: '2' });
    });

    it('that waits for others is not forgotten by a new key that waits for them too', async () => {
      for (const first of ['flush', 'save', 'cycle_key'] as const) {
        const store = newStore();
        const session = await saved(store, { a: 1 });
        session.set('b', 2);
        const changing = session[first]().then(() => {});
        const change = session.atomic(async (fresh) => {
          for (let ticks = 0; ticks < 10; ticks += 1) await tick();
          fresh.set('paid', 1);
        });
        await Promise.all([changing, change, session.cycle_key({ values: { _auth_user_id: '2' } })]);
        expect(session.get('paid'), first).to.equal(1);
        await session.save();
        expect(await stored(store, session.session_key), first).to.include({ paid: 1, _auth_user_id: '2' });
      }
    });

    it('that cannot be saved has changed nothing, so that a second try counts once', async () => {
      const store = newStore();
      const session = engine === 'signed_cookies' ? await saved(store, { a: 1 }) : await open(store, null);
      const [create, replace] = [store.create, store.replace];
      const fail = async (): Promise<never> => {
        throw new StoreUnavailable('No answer.');
      };
      Object.assign(store, { create: fail, replace: fail });
      expect(await reasonOf(session.atomic(count))).to.be.instanceOf(StoreUnavailable);
      expect([session.get('n'), session.modified]).to.deep.equal([null, false]);
      session.set('own', 1);
      expect(await reasonOf(session.atomic(count))).to.be.instanceOf(StoreUnavailable);
      expect([session.get('n'), session.get('own'), session.modified]).to.deep.equal([null, 1, true]);
      Object.assign(store, { create, replace });
      await session.atomic(count);
      expect(await stored(store, session.session_key)).to.include({ n: 1, own: 1 });
    });
  });
}

/** Whose deletions wait for `go`, and fail. */
class FailingDelete extends MemoryStore {
  go = (): void => {};
  readonly #gate = new Promise<void>((resolve) => {
    this.go = resolve;
  });
  override async delete(): Promise<void> {
    await this.#gate;
    throw new StoreUnavailable('No answer.');
  }
}

describe('A flush whose deletion fails', () => {
  it('leaves a session that was begun meanwhile its own key', async () => {
    const store = new FailingDelete();
    const session = await saved(store, { _auth_user_id: '1' });
    const former = session.session_key;
    const flushing = reasonOf(session.flush());
    const login = session.cycle_key({ values: { _auth_user_id: '2' } });
    await tick();
    store.go();
    expect(await flushing).to.be.instanceOf(StoreUnavailable);
    await login;
    expect(session.session_key).to.be.a('string').and.not.equal(former);
    await session.save();
    expect(await stored(store, session.session_key)).to.deep.equal({ _auth_user_id: '2' });
    expect(await stored(store, former)).to.not.include({ _auth_user_id: '2' });
  });

  it('is told to each of those that were called at once', async () => {
    const store = new FailingDelete();
    const session = await saved(store, { a: 1 });
    const flushes = Promise.allSettled([session.flush(), session.flush()]);
    store.go();
    expect((await flushes).map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    expect(await store.exists(session.session_key ?? '')).to.equal(true);
  });
});

describe('A session', () => {
  it('keeps what is set while it takes the key of another login', async () => {
    const store = new MemoryStore();
    const session = await saved(store, { former: 1 });
    const login = session.cycle_key({ values: { _auth_user_id: '2' }, forget: true });
    session.set('next', 1);
    await login;
    expect(valuesOf(session)).to.deep.equal({ _auth_user_id: '2', next: 1 });
    expect(session.modified).to.equal(true);
  });

  it('removes its own row at delete(null), as at delete()', async () => {
    const store = new MemoryStore();
    const session = await saved(store, { a: 1 });
    await session.delete(null);
    expect(await store.exists(session.session_key ?? '')).to.equal(false);
  });

  it('refuses the dictionary of an atomic that has thrown', async () => {
    const session = await saved(new MemoryStore(), { a: 1 });
    let kept: SessionDictionary | undefined;
    const failed = session.atomic((fresh) => {
      kept = fresh;
      throw new Error('failed');
    });
    expect(await reasonOf(failed)).to.have.property('message', 'failed');
    expect(() => kept?.set('b', 2)).to.throw(ValueError, 'is over');
  });
});
