/** What a request does to its session while a method of the same session runs: nothing of it is lost, nothing comes back. */
import { expect } from 'chai';
import { acceptCaptcha, keepCaptcha } from '../../server/captcha/index.js';
import { UpdateError } from '../../server/errors.js';
import { SessionCodec } from '../../server/session/codec.js';
import { Session } from '../../server/session/session.js';
import type { MemoryStore } from '../../server/session/stores/memory.js';
import { defineSettings } from '../../server/settings.js';
import { LateStore, tick } from './late_store.js';

const settings = defineSettings({ SECRET_KEY: 'meanwhile-test-key' });
const NOW = 1_767_225_600;
const now = (): number => NOW;

describe('A session while one of its methods runs', () => {
  const codec = new SessionCodec(settings, { now });
  let store: MemoryStore;
  let key: string;
  let session: Session;

  async function open(session_key: string | null): Promise<Session> {
    const opened = new Session({ store, codec, settings, now }, session_key);
    await opened.load();
    opened.keys();
    return opened;
  }
  const stored = async (session_key: string | null): Promise<Record<string, unknown>> =>
    Object.fromEntries((await open(session_key)).items());

  beforeEach(async () => {
    store = new LateStore({ now });
    const first = await open(null);
    first.update({ base: 1, list: ['a'] });
    keepCaptcha(first, 'ACE235', { settings, now: NOW });
    await first.save();
    key = first.session_key ?? '';
    session = await open(key);
  });

  /** Another request writes the row, so that what comes next is joined with it. */
  async function another(): Promise<void> {
    const other = await open(key);
    other.set('theirs', 2);
    await other.save();
  }
  const count = (): Promise<void> =>
    session.atomic((fresh) => {
      fresh.set('n', Number(fresh.get('n', 0)) + 1);
    });
  const accept = (): Promise<boolean> => acceptCaptcha(session, 'ACE235', { settings, now: NOW });

  const METHODS: readonly { readonly name: string; readonly run: () => Promise<unknown> }[] = [
    { name: 'atomic', run: count },
    { name: 'acceptCaptcha', run: accept },
    { name: 'save', run: () => session.save() },
    { name: 'cycle_key', run: () => session.cycle_key() },
    { name: 'create', run: () => session.create() },
  ];
  for (const { name, run } of METHODS) {
    for (const isJoined of [false, true]) {
      for (const waits of [false, true]) {
        const when = `${waits ? 'a tick after' : 'at once with'} ${name}${isJoined ? ', which joins the change of another' : ''}`;

        it(`keeps what is set, removed and given an end ${when}`, async () => {
          if (isJoined) await another();
          const running = run();
          if (waits) await tick();
          session.set('x', 1);
          session.pop('base');
          session.set_expiry(300);
          await running;
          expect([session.get('x'), session.has_key('base'), session.get_expiry_age()]).to.deep.equal([1, false, 300]);
          expect(session.modified).to.equal(true);
          await session.save();
          const { x, base, list, _session_expiry } = await stored(session.session_key);
          expect([x, base, list, _session_expiry]).to.deep.equal([1, undefined, ['a'], 300]);
          if (isJoined && name !== 'create') expect(await stored(session.session_key)).to.have.property('theirs', 2);
        });
      }
    }

    it(`is empty if it is cleared at once with ${name}`, async () => {
      const running = run();
      session.clear();
      await running;
      await session.save();
      const left = await stored(session.session_key);
      expect(left).to.not.have.any.keys('base', 'list', 'captcha');
    });

    it(`is still the owner of a list that was asked for before ${name}`, async () => {
      if (name !== 'save') await another();
      const list = session.get('list') as string[];
      await run();
      list.push('b');
      session.modified = true;
      await session.save();
      expect((await stored(session.session_key))['list']).to.deep.equal(['a', 'b']);
    });

    it(`is gone with its row if it is flushed at once with ${name}`, async () => {
      const results = await Promise.allSettled([run(), session.flush()]);
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).to.be.instanceOf(UpdateError);
      expect([session.session_key, session.keys()]).to.deep.equal([null, []]);
      // A row under the old key stays after `create`, as in Django.
      if (name !== 'create') expect(await stored(key)).to.deep.equal({});
    });
  }

  for (const isJoined of [false, true]) {
    it(`counts each atomic${isJoined ? ' and each of another request' : ''}, and keeps what is set and saved between them`, async () => {
      const other = await open(key);
      const countThere = (): Promise<void> =>
        other.atomic((fresh) => {
          fresh.set('n', Number(fresh.get('n', 0)) + 1);
        });
      const running: Promise<unknown>[] = [];
      for (let round = 0; round < 5; round += 1) {
        running.push(count());
        if (isJoined) running.push(countThere());
        session.set(`x${round}`, round);
        running.push(session.save(), count());
        if (round === 2) running.push(session.cycle_key());
        await tick();
      }
      const results = await Promise.allSettled(running);
      // The other request cannot follow to the new key, and an atomic that came after it neither.
      const isGone = (result: PromiseSettledResult<unknown>): boolean =>
        result.status === 'rejected' && result.reason instanceof UpdateError;
      const done = results.filter((result) => result.status === 'fulfilled').length;
      expect(results.filter((result) => result.status === 'rejected' && !isGone(result))).to.deep.equal([]);
      const before = Number((await stored(session.session_key))['n']);
      session.set('last', true);
      await session.save();
      const { n, last, ...rest } = await stored(session.session_key);
      expect([Number(n), last]).to.deep.equal([before, true]);
      for (let round = 0; round < 5; round += 1) expect(rest).to.have.property(`x${round}`, round);
      // Of what was done, five were saves and one took a new key.
      expect(before).to.equal(done - 6);
    });
  }

  const PAIRS = METHODS.filter(({ name }) => name !== 'create').flatMap((first) =>
    METHODS.filter(({ name }) => name !== first.name).map((second) => [first, second] as const),
  );
  for (const [first, second] of PAIRS) {
    for (const ticks of [0, 1, 2, 3, 4]) {
      it(`takes back what was not saved before ${first.name} and ${second.name}, ${ticks} ticks later`, async () => {
        for (const left of [[['base', 1]], []]) {
          session.update({ token: 1, base: 2 });
          const running = [first.run(), second.run()];
          for (let n = 0; n < ticks; n += 1) await tick();
          if (left.length === 0) session.clear();
          else {
            session.pop('token');
            session.set('base', 1);
          }
          await Promise.all(running);
          await session.save();
          for (const pairs of [session.items(), Object.entries(await stored(session.session_key))]) {
            expect(pairs.filter(([name]) => name === 'token' || name === 'base')).to.deep.equal(left);
          }
        }
      });
    }
  }

  for (const { name, run } of METHODS) {
    it(`keeps for the next session what is set after a flush at once with ${name}`, async () => {
      session.set('secret', 1);
      const running = [run(), session.flush()];
      session.set('bye', 1);
      await Promise.allSettled(running);
      await session.save();
      expect(await stored(session.session_key)).to.deep.equal({ bye: 1 });
      expect(session.session_key).to.not.equal(key);
    });
  }

  it('accepts one captcha once, whatever new rows are made between', async () => {
    const answers = await Promise.all([accept(), session.create(), accept()]);
    expect([answers[0], answers[2]]).to.deep.equal([true, false]);
    expect(await stored(session.session_key)).to.not.have.property('captcha');
  });

  it('gives nothing of the former user to the next, who logs in while an atomic runs', async () => {
    session.set('secret', 'of the first');
    const running = session.atomic(async (fresh) => {
      await tick();
      fresh.set('n', 'of the first');
    });
    const login = session.cycle_key({ forget: true, values: { _auth_user_id: '2' } });
    await Promise.allSettled([running, login]);
    expect(Object.fromEntries(session.items())).to.deep.equal({ _auth_user_id: '2' });
    await session.save();
    expect(await stored(session.session_key)).to.deep.equal({ _auth_user_id: '2' });
    expect(await stored(key)).to.deep.equal({});
  });
});
