import { expect } from 'chai';
import Koa from 'koa';
import { ValueError } from '../../../server/errors.js';
import { SessionCodec } from '../../../server/session/codec.js';
import { sessions } from '../../../server/session/middleware.js';
import type { SessionRecord } from '../../../server/session/store.js';
import { SignedCookiesStore } from '../../../server/session/stores/signed_cookies.js';
import { defineSettings, type Settings } from '../../../server/settings.js';
import { TimestampSigner } from '../../../server/signing/signer.js';
import { portless } from '../../http/serve.js';
import { reasonOf } from '../../support/reason.js';
import { storeContract } from './contract.js';

const NOW = 1_767_225_600;
const SALT = 'django.contrib.sessions.backends.signed_cookies';
const settings = defineSettings({ SECRET_KEY: 'a secret' });

const signer = (now: number, key = settings.SECRET_KEY): TimestampSigner =>
  new TimestampSigner({ key, salt: SALT, now: () => now });

const IN_THE_COOKIE = 'the cookie is the session, and a new text is another cookie; the old one stays good';

describe('SignedCookiesStore', () => {
  const at = (now: number, changes: Partial<Settings> = {}): SignedCookiesStore =>
    new SignedCookiesStore({ ...settings, ...changes }, { now: () => now });

  storeContract(
    async (now) => ({
      store: new SignedCookiesStore({ ...settings, SESSION_COOKIE_AGE: 60 }, { now }),
      accepted: ({ session_data, expire_date }) => {
        const text = signer(NOW).sign_object({ text: session_data, _session_expiry: expire_date.toISOString() });
        return { session_key: text, session_data: text, expire_date };
      },
    }),
    {
      'loads a row until the very second of its expire_date, and not from then on':
        "a cookie says in whole seconds when it was signed, and as at Django's the last second counts",
      'says that an expired row exists as long as it is there': 'there is no place to look',
      'refuses to create a key twice and leaves the first row as it is': 'no key is drawn',
      'replaces a text that nobody changed meanwhile, and its expire_date': IN_THE_COOKIE,
      'replaces nothing when the row holds another text': 'what the visitor brought is the only copy there is',
      'never brings a deleted row back': 'the server cannot take back what it has signed',
      'hands the present text to modify and writes what it gives': IN_THE_COOKIE,
      'lets modify calls of one row wait for each other, so that none is lost': 'each request has its own copy',
      'merges the changes of saves that wait for each other, so that none is lost': 'each request has its own copy',
      'cycles a row to a new key: the new one is there, the old one gone': IN_THE_COOKIE,
      'keeps the old row when the new key is taken': 'no key is drawn',
      'deletes one row, and nothing when there is none': 'the server cannot take back what it has signed',
      'clears what expired before now, and nothing else': 'nothing is kept that could be cleared',
    },
  );

  describe('what it loads', () => {
    const text = signer(NOW).sign_object({ a: 1 });

    it('is what Django signed, for SESSION_COOKIE_AGE and not longer', async () => {
      expect(await at(NOW + settings.SESSION_COOKIE_AGE).load(text)).to.equal(text);
      expect(await at(NOW + settings.SESSION_COOKIE_AGE + 1).load(text)).to.equal(null);
    });

    it('ends earlier when set_expiry said so', async () => {
      const short = signer(NOW).sign_object({ _session_expiry: 60 });
      expect(await at(NOW + 60).load(short)).to.equal(short);
      expect(await at(NOW + 61).load(short)).to.equal(null);
    });

    it('does not live longer than SESSION_COOKIE_AGE, whatever set_expiry said, as at Django', async () => {
      const long = signer(NOW).sign_object({ _session_expiry: 10 * settings.SESSION_COOKIE_AGE });
      expect(await at(NOW + settings.SESSION_COOKIE_AGE).load(long)).to.equal(long);
      expect(await at(NOW + settings.SESSION_COOKIE_AGE + 1).load(long)).to.equal(null);
    });

    it('may be signed with an older key', async () => {
      const old = signer(NOW, 'an older secret').sign_object({ a: 1 });
      expect(await at(NOW).load(old)).to.equal(null);
      expect(await at(NOW, { SECRET_KEY_FALLBACKS: ['an older secret'] }).load(old)).to.equal(old);
    });

    it('is nothing that was signed for another purpose, changed, or no text of ours at all', async () => {
      const row = new SessionCodec(settings, { now: () => NOW }).encode('{"a":1}');
      const others = [row, text.replace('ey', 'eZ'), `${text}x`, text.slice(1), 'a'.repeat(32), '::', ''];
      for (const other of others) expect(await at(NOW).load(other)).to.equal(null);
    });
  });

  it('refuses a session that does not fit into a cookie, and says what to do', async () => {
    const large: SessionRecord = { session_key: 'any', session_data: 'x'.repeat(4000), expire_date: new Date() };
    const writes = [
      at(NOW).create(large),
      at(NOW).replace('text', large),
      at(NOW).modify('text', async () => large),
      at(NOW).cycle('text', async () => large),
    ];
    for (const write of writes) {
      const error = await reasonOf(write);
      expect(error).to.be.instanceOf(ValueError);
      expect(String(error)).to.contain('4096').and.contain('SESSION_ENGINE');
    }
  });

  describe('behind the middleware', () => {
    /** One request; the handler works on the session. */
    async function request(
      work: (ctx: Koa.Context) => unknown,
      cookie: string | null = null,
    ): Promise<{ status: number; cookie: string | null; set: string | null; body: string }> {
      const app = new Koa();
      const now = (): number => NOW;
      app.use(sessions(app, { settings, store: new SignedCookiesStore(settings, { now }), now }));
      app.use(async (ctx) => {
        ctx.body = { result: (await work(ctx)) ?? null };
      });
      const server = portless(app);
      const answer = await server.ask({ headers: cookie === null ? {} : { cookie: `sessionid=${cookie}` } });
      const set = answer.set_cookie[0] ?? null;
      const sent = set === null ? null : (/^sessionid=([^;]*)/.exec(set)?.[1] ?? null);
      return { status: answer.status, cookie: sent, set, body: answer.text };
    }

    it('sends the session itself as the cookie, byte for byte as Django would', async () => {
      const { set } = await request((ctx) => ctx.session.set('a', 1));
      const value = signer(NOW).sign_object({ a: 1 });
      expect(set).to.equal(
        `sessionid=${value}; expires=Thu, 15 Jan 2026 00:00:00 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax`,
      );
    });

    it('reads what came, changes it, and sends the rest as it was', async () => {
      const came = signer(NOW - 5).sign(Buffer.from('{"f":1.0,"n":1}').toString('base64url'));
      const { cookie } = await request((ctx) => ctx.session.set('n', Number(ctx.session.get('n')) + 1), came);
      expect(cookie).to.equal(signer(NOW).sign(Buffer.from('{"f":1.0,"n":2}').toString('base64url')));
    });

    it('sends nothing when nothing changed', async () => {
      const { set, body } = await request((ctx) => ctx.session.get('a'), signer(NOW).sign_object({ a: 'here' }));
      expect(set).to.equal(null);
      expect(body).to.contain('here');
    });

    it('counts by atomic, keeps the data through cycle_key, and has the text as its key', async () => {
      const { cookie, body } = await request(
        async (ctx) => {
          await ctx.session.atomic((fresh) => fresh.set('n', Number(fresh.get('n')) + 1));
          await ctx.session.cycle_key();
          ctx.session.set('m', 1);
          return ctx.session.session_key;
        },
        signer(NOW - 5).sign_object({ n: 1 }),
      );
      expect(JSON.parse(body)).to.deep.equal({ result: signer(NOW).sign_object({ n: 2 }) });
      expect(cookie).to.equal(signer(NOW).sign_object({ n: 2, m: 1 }));
    });

    it('sends what atomic alone has changed', async () => {
      const { cookie } = await request(
        (ctx) => ctx.session.atomic((fresh) => fresh.set('n', Number(fresh.get('n')) + 1)),
        signer(NOW - 5).sign_object({ n: 1 }),
      );
      expect(cookie).to.equal(signer(NOW).sign_object({ n: 2 }));
    });

    it('deletes the cookie at flush, and one that is not ours or too old when it is looked at', async () => {
      const flushed = await request((ctx) => ctx.session.flush(), signer(NOW).sign_object({ a: 1 }));
      const strange = await request((ctx) => ctx.session.get('a'), 'not-one-of-ours');
      const old = await request((ctx) => ctx.session.get('a'), signer(1).sign_object({ a: 1 }));
      for (const { set, cookie } of [flushed, strange, old]) {
        expect(cookie).to.equal('""');
        expect(set).to.contain('Max-Age=0');
      }
    });

    it('answers 500 and keeps the cookie when the session has grown too large', async () => {
      const { status, set } = await request((ctx) => {
        ctx.session.set(
          'much',
          Array.from({ length: 3000 }, (_, place) => (place * 7919) % 10007),
        );
      });
      expect([status, set]).to.deep.equal([500, null]);
    });
  });
});
