/** The function of `atomic`: it has a dictionary of its own, and the session's methods wait outside. */
import { expect } from 'chai';
import { ValueError } from '../../server/errors.js';
import { SessionCodec } from '../../server/session/codec.js';
import { Session } from '../../server/session/session.js';
import type { MemoryStore } from '../../server/session/stores/memory.js';
import { defineSettings } from '../../server/settings.js';
import { reasonOf } from '../support/reason.js';

import { LateStore, tick } from './late_store.js';

const settings = defineSettings({ SECRET_KEY: 'atomic-test-key' });
const now = (): number => 1_767_225_600;

describe('Inside atomic', () => {
  const codec = new SessionCodec(settings, { now });
  let store: MemoryStore;

  async function open(session_key: string | null): Promise<Session> {
    const opened = new Session({ store, codec, settings, now }, session_key);
    await opened.load();
    opened.keys();
    return opened;
  }
  async function withRow(): Promise<Session> {
    const first = await open(null);
    first.set('n', 1);
    await first.save();
    return open(first.session_key);
  }
  const values = (session: Session): Record<string, unknown> => Object.fromEntries(session.items());
  const count = (session: Session): Promise<void> =>
    session.atomic(async (fresh) => {
      const n = Number(fresh.get('n', 0));
      await tick();
      fresh.set('n', n + 1);
    });

  async function refused(promise: Promise<unknown>, sentence: string): Promise<void> {
    const reason = await reasonOf(promise);
    expect(reason).to.be.instanceOf(ValueError);
    expect(String(reason)).to.include(sentence);
  }

  beforeEach(() => {
    store = new LateStore({ now });
  });

  const METHODS: Readonly<Record<string, (session: Session) => Promise<unknown>>> = {
    save: (session) => session.save(),
    create: (session) => session.create(),
    cycle_key: (session) => session.cycle_key(),
    flush: (session) => session.flush(),
    'delete of its own row': (session) => session.delete(),
    atomic: (session) => count(session),
  };
  for (const [name, method] of Object.entries(METHODS)) {
    for (const [which, made] of [['with a row', withRow] as const, ['without a row', () => open(null)] as const]) {
      it(`${name} of a session ${which} is refused with a sentence, and changes nothing`, async () => {
        const session = await made();
        session.set('mine', 1);
        const before = values(session);
        const { session_key } = session;
        await refused(
          session.atomic(() => method(session)),
          'Inside `atomic`',
        );
        expect([values(session), session.session_key]).to.deep.equal([before, session_key]);
        await session.save();
        expect(values(await open(session.session_key))).to.deep.equal(before);
      });
    }
  }

  it('another session can be saved, changed and deleted', async () => {
    const [session, other, third] = [await withRow(), await withRow(), await withRow()];
    await session.atomic(async (fresh) => {
      await count(other);
      await session.delete(third.session_key);
      fresh.set('n', 5);
    });
    expect([values(await open(session.session_key)), values(await open(other.session_key))]).to.deep.equal([
      { n: 5 },
      { n: 2 },
    ]);
    expect(await store.exists(third.session_key ?? '')).to.equal(false);
  });

  it('what the request does beside it, and after it, is not refused', async () => {
    const session = await withRow();
    await Promise.all([count(session), session.save()]);
    await session.cycle_key();
    expect(values(await open(session.session_key))).to.deep.equal({ n: 2 });
  });

  it('several at once on a session without a row make one row, and count each', async () => {
    const session = await open(null);
    session.set('mine', 1);
    await Promise.all([count(session), count(session), count(session), session.save(), count(session)]);
    expect(values(await open(session.session_key))).to.deep.equal({ mine: 1, n: 4 });
    expect(session.modified).to.equal(true);
  });

  it('without a row, what the function changed before it threw is not in the session', async () => {
    const session = await open(null);
    session.set('mine', 1);
    const [failed, counted] = await Promise.allSettled([
      session.atomic(async (fresh) => {
        fresh.set('n', 7);
        await tick();
        throw new RangeError('no');
      }),
      count(session),
    ]);
    expect([failed.status, counted.status]).to.deep.equal(['rejected', 'fulfilled']);
    expect(values(session)).to.deep.equal({ mine: 1, n: 1 });
  });

  it('without a row, what the request sets and removes meanwhile is kept', async () => {
    const session = await open(null);
    session.update({ a: 1, b: 1 });
    const counting = count(session);
    session.set('c', 1);
    session.pop('a');
    await counting;
    expect(values(await open(session.session_key))).to.deep.equal({ b: 1, c: 1, n: 1 });
  });

  for (const made of [withRow, () => open(null)]) {
    it(`what it wrote while a login waited for the users stays written (${made === withRow ? 'with' : 'without'} a row)`, async () => {
      const session = await made();
      session.update({ n: 1, token: 'once' });
      await session.save();
      // last_login is stored in another database, before the session's row.
      const write = async (): Promise<void> => {
        for (let ticks = 0; ticks < 20; ticks += 1) await tick();
      };
      const login = (): Promise<void> =>
        session.cycle_key({ values: { user: 'ann' }, joined: { database: undefined, write } });
      const [, taken] = await Promise.all([count(session), session.atomic((fresh) => fresh.pop('token')), login()]);
      expect(taken).to.equal('once');
      expect(values(await open(session.session_key))).to.deep.equal({ n: 2, user: 'ann' });
      expect(values(session)).to.deep.equal({ n: 2, user: 'ann' });
    });
  }

  it('beside a save and a logout it leaves no key of a row that is gone', async () => {
    // So that the logout removes the row after `atomic` has written it.
    store = new (class extends LateStore {
      override async delete(...given: Parameters<LateStore['delete']>): Promise<void> {
        for (let ticks = 0; ticks < 20; ticks += 1) await tick();
        return super.delete(...given);
      }
    })({ now });
    for (const last of [async () => {}, (session: Session) => session.cycle_key()]) {
      const session = await withRow();
      session.set('mine', 1);
      await Promise.all([session.save(), count(session), session.flush(), last(session)]);
      session.set('next', 1);
      await session.save();
      expect(values(await open(session.session_key))).to.deep.equal({ next: 1 });
    }
  });

  it('create waits for it, so that nothing is counted or taken twice', async () => {
    const session = await withRow();
    session.set('token', 'once');
    await session.save();
    const take = (): Promise<unknown> => session.atomic((fresh) => fresh.pop('token', null));
    const [, first, , second] = await Promise.all([count(session), take(), session.create(), take(), count(session)]);
    expect([first, second]).to.deep.equal(['once', null]);
    expect(values(await open(session.session_key))).to.deep.equal({ n: 3 });
  });

  it('what is no function is refused with a sentence', async () => {
    const session = await withRow();
    await refused(session.atomic('n' as never), 'atomic() needs the function');
  });
});
