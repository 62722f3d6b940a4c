/** openSession: a session outside of Koa. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { Deadline, inTime } from '../../server/db/deadline.js';
import { ImproperlyConfigured, StoreUnavailable, UpdateError, ValueError } from '../../server/errors.js';
import { openSession } from '../../server/session/open_session.js';
import type { SessionRecord } from '../../server/session/store.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import { NOW, settings } from '../http/serve.js';
import { reasonOf } from '../support/reason.js';

describe('openSession', () => {
  let store: MemoryStore;
  let now: number;
  const clock = (): number => now;
  beforeEach(() => {
    now = NOW;
    store = new MemoryStore({ now: clock });
  });
  const open = (from: Parameters<typeof openSession>[0]) =>
    openSession(from, { settings: settings(), store, now: clock });

  /** A session with this in it. */
  async function planted(values: Readonly<Record<string, unknown>>): Promise<string> {
    const session = await open('');
    session.update(values);
    await session.save();
    return session.session_key ?? '';
  }

  it('reads by key what a page has written', async () => {
    const session = await open(await planted({ name: 'alice' }));
    expect([session.accessed, session.modified]).to.deep.equal([false, false]);
    expect([...session.items()]).to.deep.equal([['name', 'alice']]);
  });

  it('is saved for as long as it is open, however long it has waited for the store altogether', async () => {
    /** Takes all the time of a request for each write. */
    class SlowStore extends MemoryStore {
      deadline(): Deadline {
        return new Deadline(0.01);
      }
      override async replace(loaded: string, record: SessionRecord, deadline = this.deadline()): Promise<boolean> {
        deadline.require(0.005);
        await inTime(pause(20), deadline).catch(() => {});
        return super.replace(loaded, record);
      }
    }
    store = new SlowStore({ now: clock });
    const session = await open(await planted({ n: 0 }));
    for (let n = 1; n <= 3; n += 1) {
      session['n'] = n;
      await session.save();
    }
    expect((await open(session.session_key ?? ''))['n']).to.equal(3);
  });

  it('reads by the Cookie header of a request, the last of two with one name as Django does', async () => {
    const session_key = await planted({ name: 'alice' });
    const session = await open({ headers: { cookie: `sessionid=${'x'.repeat(32)}; a=b; sessionid=${session_key}` } });
    expect(session['name']).to.equal('alice');
  });

  it("reads by the Cookie header of a request of fetch's API", async () => {
    const session_key = await planted({ name: 'alice' });
    const headers = { cookie: `sessionid=${session_key}` };
    const session = await open(new Request('http://localhost/', { headers }));
    expect(session['name']).to.equal('alice');
  });

  it('says what to give in place of nothing, of settings without their defaults, and of what is no store', async () => {
    expect(await reasonOf(open(undefined as never))).to.be.instanceOf(ValueError);
    expect(await reasonOf(open({} as never))).to.be.instanceOf(ValueError);
    for (const [given, word] of [
      [undefined, 'defineSettings'],
      [{ settings: { SECRET_KEY: 'plain' }, store }, 'defineSettings'],
      [{ settings: settings() }, 'store'],
    ] as const) {
      const reason = await reasonOf(openSession('', given as never));
      expect(reason, word).to.be.instanceOf(ImproperlyConfigured).with.property('message').that.includes(word);
    }
  });

  it('keeps what is saved, beside what others have changed meanwhile', async () => {
    const session_key = await planted({ name: 'alice' });
    const [job, page] = [await open(session_key), await open(session_key)];
    job['report'] = 'ready';
    page['name'] = 'bob';
    await page.save();
    await job.save();
    expect(Object.fromEntries((await open(session_key)).items())).to.deep.equal({ name: 'bob', report: 'ready' });
  });

  it('is empty and has no key where there is no such session, or none any more', async () => {
    const session_key = await planted({ name: 'alice' });
    now += settings().SESSION_COOKIE_AGE + 1;
    for (const from of [session_key, 'n'.repeat(32), 'short', '\0'.repeat(9), { headers: {} }]) {
      const session = await open(from);
      expect([session.session_key, session.is_empty()], String(from)).to.deep.equal([null, true]);
    }
  });

  it('never brings back a session that ended meanwhile', async () => {
    const session = await open(await planted({ name: 'alice' }));
    await store.delete(session.session_key ?? '');
    session['report'] = 'ready';
    expect(await reasonOf(session.save())).to.be.instanceOf(UpdateError);
  });

  it('rejects when the store does not answer', async () => {
    store.load = () => Promise.reject(new StoreUnavailable('away'));
    expect(await reasonOf(open('k'.repeat(32)))).to.be.instanceOf(StoreUnavailable);
  });

  it('reads the cookie of engine signed_cookies, which is signed with a salt of its own', async () => {
    const signed = new SignedCookiesStore(settings(), { now: clock });
    const options = { settings: settings(), store: signed, now: clock };
    const session = await openSession('', options);
    session['name'] = 'alice';
    await session.save();
    expect((await openSession(session.session_key ?? '', options))['name']).to.equal('alice');
  });
});
