/** A row with a good signature that cannot be read here stays as it is, at every engine and in every way of writing. */
import { expect } from 'chai';
import Koa from 'koa';
import { CreateError, UpdateError } from '../../../server/errors.js';
import { SessionCodec } from '../../../server/session/codec.js';
import type { SessionEvent } from '../../../server/session/events.js';
import { newSessionKey } from '../../../server/session/key.js';
import { sessions } from '../../../server/session/middleware.js';
import { Session } from '../../../server/session/session.js';
import type { SessionStore } from '../../../server/session/store.js';
import { VerifiedTexts } from '../../../server/session/verified.js';
import type { Settings } from '../../../server/settings.js';
import { type Answer, portless, settings } from '../../http/serve.js';
import { rejects } from './contract.js';

export const SMALL = { SESSION_MAX_BYTES: 32_768 } as const;

const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

/** What a Django with the same key may have left, and is not read here. */
const KINDS: Readonly<Record<string, string>> = {
  'is larger than SESSION_MAX_BYTES': JSON.stringify({ _auth_user_id: '1', cart: 'x'.repeat(40_000) }),
  'is nested deeper than any Python reads': `{"_auth_user_id":"1","a":${deep(10_001)}}`,
  'is a list': '["_auth_user_id"]',
  'is null': 'null',
  'is no JSON': '{"_auth_user_id":"1"',
};

/** A session that cannot be read, and one that can. */
const LARGE = KINDS['is larger than SESSION_MAX_BYTES'] as string;

/** @param open makes a store for these settings with nothing in it, on the machine's clock */
export function keepsUnreadableRows(open: (settings: Settings) => Promise<SessionStore>): void {
  describe('leaves a row as it is that it cannot read', () => {
    let store: SessionStore;
    let texts: Map<string, string>;
    const small = settings(SMALL);
    const large = new SessionCodec(settings({ SESSION_MAX_BYTES: 1_000_000 }));
    const codec = new SessionCodec(small);

    beforeEach(async () => {
      store = await open(small);
      texts = new Map();
    });

    /** As Django wrote it. */
    async function row(json: string): Promise<string> {
      const session_key = newSessionKey();
      const session_data = large.encode(json);
      texts.set(session_key, session_data);
      await store.create({ session_key, session_data, expire_date: new Date(Date.now() + 1_000_000) });
      return session_key;
    }
    async function untouched(session_key: string): Promise<void> {
      expect((await store.load(session_key)) === texts.get(session_key), 'the row is as it was').to.equal(true);
    }
    async function opened(session_key: string): Promise<Session> {
      const session = new Session({
        store,
        codec,
        settings: small,
        verified: new VerifiedTexts(codec, 1e6),
        session_key,
      });
      await session.load();
      return session;
    }
    async function kept(session_key: string | null): Promise<string | null> {
      return codec.decode((await store.load(session_key ?? '')) ?? '');
    }

    for (const [kind, json] of Object.entries(KINDS)) {
      it(`and that ${kind}: it reads as empty, and what is written goes into a new row`, async () => {
        const key = await row(json);
        const session = await opened(key);
        expect(session.items()).to.deep.equal([]);
        expect([session.session_key, session.is_empty()]).to.deep.equal([key, false]);
        session.set('a', 1);
        await session.save();
        expect(session.session_key)
          .to.match(/^[a-z0-9]{32}$/)
          .and.not.equal(key);
        expect(await kept(session.session_key)).to.equal('{"a":1}');
        await untouched(key);
        session.set('b', 2);
        const mine = session.session_key;
        await session.save();
        expect(session.session_key).to.equal(mine);
        expect(await kept(mine)).to.equal('{"a":1,"b":2}');
        await untouched(key);
      });
    }

    it('but reads what a Django reads, 5,000 levels deep, and writes it back as it came', async () => {
      const value = `[1.0,${deep(2_500)},${'{"a":['.repeat(2_500)}1.0${']}'.repeat(2_500)}]`;
      const key = await row(`{"deep":${value},"n":1}`);
      const session = await opened(key);
      session.set('n', 2);
      await session.save();
      expect([session.session_key, (await kept(key)) === `{"deep":${value},"n":2}`]).to.deep.equal([key, true]);
      // Also where somebody asked for the value, and where they changed it.
      const again = await opened(key);
      const items = again.get('deep') as unknown[];
      again.set('n', 3);
      await again.save();
      expect((await kept(key)) === `{"deep":${value},"n":3}`).to.equal(true);
      items.push('new');
      await again.save();
      expect((await kept(key)) === `{"deep":${value.replaceAll('1.0', '1').slice(0, -1)},"new"],"n":3}`).to.equal(true);
    });

    const writes: Readonly<Record<string, (session: Session) => Promise<unknown>>> = {
      'is cleared': async (session) => {
        session.clear();
        await session.save();
      },
      'is saved with nothing changed': (session) => session.save(),
      'takes a new key, as at a login': (session) => session.cycle_key(),
      'is created anew': (session) => session.create(),
      'is changed by atomic': (session) => session.atomic((fresh) => fresh.set('n', 1)),
    };
    for (const [how, write] of Object.entries(writes)) {
      it(`and whose session ${how}`, async () => {
        const key = await row(LARGE);
        const session = await opened(key);
        expect(session.get('cart')).to.equal(null);
        await write(session);
        expect(session.session_key).to.not.equal(key);
        expect(await store.exists(session.session_key ?? '')).to.equal(true);
        await untouched(key);
      });
    }

    it('and whose key is asked for again with must_create', async () => {
      const key = await row(LARGE);
      const session = await opened(key);
      session.set('a', 1);
      await rejects(session.save(true), CreateError);
      await untouched(key);
    });

    it('but for a logout, which is final', async () => {
      const key = await row(LARGE);
      const session = await opened(key);
      expect(session.is_empty()).to.equal(false);
      await session.flush();
      expect([await store.exists(key), session.session_key, session.is_empty()]).to.deep.equal([false, null, true]);
      session.set('a', 1);
      await session.save();
      expect(await kept(session.session_key)).to.equal('{"a":1}');
    });

    const races: Readonly<Record<string, (session: Session) => Promise<unknown>>> = {
      save: (session) => session.save(),
      atomic: (session) => session.atomic((fresh) => fresh.set('n', 1)),
      cycle_key: (session) => session.cycle_key(),
    };
    for (const [how, write] of Object.entries(races)) {
      it(`and that somebody else wrote between the reading and ${how}`, async () => {
        const key = await row('{"a":1}');
        const session = await opened(key);
        session.set('b', 2);
        const theirs = large.encode(LARGE);
        texts.set(key, theirs);
        await store.modify(key, async () => ({
          session_data: theirs,
          expire_date: new Date(Date.now() + 1_000_000),
        }));
        await rejects(write(session), UpdateError);
        await untouched(key);
        // The next request starts anew.
        const next = await opened(key);
        next.set('b', 2);
        await next.save();
        expect(await kept(next.session_key)).to.equal('{"b":2}');
        await untouched(key);
      });
    }

    it('while a wrong signature is overwritten, as at Django', async () => {
      const key = newSessionKey();
      const session_data = new SessionCodec(settings({ SECRET_KEY: 'another' })).encode('{"a":1}');
      await store.create({ session_key: key, session_data, expire_date: new Date(Date.now() + 1_000_000) });
      const session = await opened(key);
      session.set('b', 2);
      await session.save();
      expect([session.session_key, await kept(key)]).to.deep.equal([key, '{"b":2}']);
    });

    describe('behind the middleware', () => {
      let lines: [object, string][];
      let events: SessionEvent[];

      async function get(
        session_key: string,
        handler: Koa.Middleware,
        more: { readonly [Name in keyof Settings]?: unknown } = {},
      ): Promise<Answer> {
        lines = [];
        events = [];
        const app = new Koa();
        app.use(
          sessions(app, {
            settings: settings({ ...SMALL, ...more }),
            store,
            logger: { warn: (details, message) => lines.push([details, message]) },
            sessionHash: () => 'a hash',
            observe: (event) => events.push(event),
          }),
        );
        app.use(handler);
        return portless(app).ask({ headers: { Cookie: `sessionid=${session_key}` } });
      }

      for (const every of [false, true]) {
        it(`keeps cookie and row for who only looks${every ? ', with SESSION_SAVE_EVERY_REQUEST' : ''}`, async () => {
          const key = await row(LARGE);
          const look: Koa.Middleware = (ctx) => {
            ctx.body = String(ctx.session.get('cart'));
          };
          const { text, set_cookie } = await get(key, look, { SESSION_SAVE_EVERY_REQUEST: every });
          expect([text, set_cookie]).to.deep.equal(['null', []]);
          const idle: Koa.Middleware = (ctx) => {
            ctx.body = 'idle';
          };
          expect((await get(key, idle, { SESSION_SAVE_EVERY_REQUEST: every })).set_cookie).to.deep.equal([]);
          await untouched(key);
        });
      }

      it('sends who changes something a new key, and warns once, without a value', async () => {
        const key = await row(LARGE);
        const { set_cookie } = await get(key, (ctx) => {
          ctx.session['a'] = 1;
          ctx.body = 'changed';
        });
        const [, sent = ''] = /^sessionid=([a-z0-9]{32});/.exec(set_cookie[0] ?? '') ?? [];
        expect([sent === key, await kept(sent)]).to.deep.equal([false, '{"a":1}']);
        await untouched(key);
        expect(lines).to.deep.equal([
          [
            { logger: 'django.security.SuspiciousSession', session: 'a hash' },
            'Session data cannot be read here, and its row is left as it is. The payload is larger than 32768 bytes.',
          ],
        ]);
        expect(events).to.deep.equal(['load', 'suspicious', 'save']);
      });
    });
  });
}
