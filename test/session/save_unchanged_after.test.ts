import { expect } from 'chai';
import Koa from 'koa';
import { SessionCodec } from '../../server/session/codec.js';
import type { SessionEvent } from '../../server/session/events.js';
import { sessions } from '../../server/session/middleware.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { defineSettings, type Settings } from '../../server/settings.js';
import { portless } from '../http/serve.js';

const KEY = 'abcdefghijklmnopqrstuvwxyz012345';

describe('SESSION_SAVE_UNCHANGED_AFTER', () => {
  let now: number;
  let store: MemoryStore;

  beforeEach(() => {
    now = 1_767_225_600;
    store = new MemoryStore({ now: () => now });
  });

  const settingsWith = (given: Partial<Settings>): Settings =>
    defineSettings({ SECRET_KEY: 'a test key', SESSION_SAVE_EVERY_REQUEST: true, ...given });

  /** A row written by another server at this second. */
  async function row(json: string, key = 'a test key'): Promise<void> {
    const codec = new SessionCodec(settingsWith({ SECRET_KEY: key }), { now: () => now });
    const expire_date = new Date((now + 1_209_600) * 1000);
    await store.create({ session_key: KEY, session_data: codec.encode(json), expire_date });
  }

  /** One request with the row's key: whether it was saved, and whether a cookie came. */
  async function visit(
    given: Partial<Settings>,
    handler: (ctx: Koa.Context) => unknown = (ctx) => ctx.session.get('a'),
    cookie: string | null = KEY,
  ): Promise<{ saved: boolean; cookie: boolean }> {
    const app = new Koa();
    const events: SessionEvent[] = [];
    app.use(
      sessions(app, { settings: settingsWith(given), store, now: () => now, observe: (event) => events.push(event) }),
    );
    app.use(async (ctx) => {
      ctx.body = 'a page';
      await handler(ctx);
    });
    const server = portless(app);
    const answer = await server.ask({ headers: cookie === null ? {} : { cookie: `sessionid=${cookie}` } });
    expect(answer.status).to.equal(200);
    return { saved: events.includes('save'), cookie: answer.set_cookie.length > 0 };
  }

  const written = { saved: true, cookie: true };
  const left = { saved: false, cookie: false };

  it('is 0 unless given: every request saves, as in Django', async () => {
    await row('{"a":1}');
    expect(await visit({})).to.deep.equal(written);
  });

  it('leaves a row alone that was just written, and sends no cookie, so that both end together', async () => {
    await row('{"a":1}');
    now += 59;
    expect(await visit({ SESSION_SAVE_UNCHANGED_AFTER: 60 })).to.deep.equal(left);
  });

  it('leaves it alone also when nobody looked into the session', async () => {
    await row('{"a":1}');
    expect(await visit({ SESSION_SAVE_UNCHANGED_AFTER: 60 }, () => {})).to.deep.equal(left);
  });

  it('saves once its time is over, and then leaves it alone again', async () => {
    await row('{"a":1}');
    now += 60;
    expect(await visit({ SESSION_SAVE_UNCHANGED_AFTER: 60 })).to.deep.equal(written);
    now += 1;
    expect(await visit({ SESSION_SAVE_UNCHANGED_AFTER: 60 })).to.deep.equal(left);
  });

  it('saves a change at once: a value, a key more, a key less, another order', async () => {
    const changes: ((ctx: Koa.Context) => void)[] = [
      ({ session }) => session.set('a', 2),
      ({ session }) => session.set('c', 3),
      ({ session }) => session.pop('b'),
      ({ session }) => session.clear(),
      ({ session }) => session.set('a', session.pop('a')),
      ({ session }) => session.set_expiry(500),
    ];
    for (const change of changes) {
      store = new MemoryStore({ now: () => now });
      await row('{"a":1,"b":2}');
      expect(await visit({ SESSION_SAVE_UNCHANGED_AFTER: 60 }, change)).to.deep.equal(written);
    }
  });

  it('leaves alone what was set to what it was', async () => {
    await row('{"a":1,"b":2}');
    const again = visit({ SESSION_SAVE_UNCHANGED_AFTER: 60 }, ({ session }) => session.set('a', 1));
    expect(await again).to.deep.equal(left);
  });

  it('holds for `modified` without a change, too', async () => {
    await row('{"a":1}');
    const given = { SESSION_SAVE_UNCHANGED_AFTER: 60, SESSION_SAVE_EVERY_REQUEST: false };
    const touch = ({ session }: Koa.Context): void => {
      session.get('a');
      session.modified = true;
    };
    expect(await visit(given, touch)).to.deep.equal(left);
    now += 60;
    expect(await visit(given, touch)).to.deep.equal(written);
  });

  it('puts the end of a short session off in time: at half of its life', async () => {
    await row('{"a":1,"_session_expiry":100}');
    now += 49;
    expect(await visit({ SESSION_SAVE_UNCHANGED_AFTER: 86_400 })).to.deep.equal(left);
    now += 1;
    expect(await visit({ SESSION_SAVE_UNCHANGED_AFTER: 86_400 })).to.deep.equal(written);
  });

  it('does not let a cookie end that lives shorter than the session', async () => {
    await row('{"a":1,"_session_expiry":2592000}');
    now += 900;
    const given = { SESSION_SAVE_UNCHANGED_AFTER: 3600, SESSION_COOKIE_AGE: 1800 };
    expect(await visit(given)).to.deep.equal(written);
  });

  it('sends the cookie of a row that the handler wrote', async () => {
    await row('{"a":1}');
    const saving = visit({ SESSION_SAVE_UNCHANGED_AFTER: 60 }, ({ session }) => session.save());
    expect(await saving).to.deep.equal(written);
    const cycling = visit({ SESSION_SAVE_UNCHANGED_AFTER: 60 }, ({ session }) => session.cycle_key());
    expect(await cycling).to.deep.equal(written);
  });

  it('sends the cookie of a new session', async () => {
    const first = visit({ SESSION_SAVE_UNCHANGED_AFTER: 60 }, ({ session }) => session.set('a', 1), null);
    expect(await first).to.deep.equal(written);
  });

  it('believes no time in a text that somebody else signed', async () => {
    await row('{"a":1}', 'another key');
    expect(await visit({ SESSION_SAVE_UNCHANGED_AFTER: 60 })).to.deep.equal(written);
  });

  it('does not take a text from the far future for fresh', async () => {
    now += 1000;
    await row('{"a":1}');
    now -= 1000;
    expect(await visit({ SESSION_SAVE_UNCHANGED_AFTER: 60 })).to.deep.equal(written);
  });
});
