/** CSRF protection over real sockets, held against Django's own answers. */
import { expect } from 'chai';
import Koa from 'koa';
import { type CsrfOptions, csrf } from '../../server/csrf/middleware.js';
import { rotate_token } from '../../server/csrf/secret.js';
import { exceptions } from '../../server/http/exceptions.js';
import { formBody } from '../../server/http/form.js';
import { type Answer, NOW, type Portless, portless, settings } from '../http/serve.js';
import { CASES, type CsrfCase, MASKED, OTHER, SECRET } from './cases.js';

type Session = Map<string, unknown>;

/** Stands in place of sessions: one dictionary for all requests. */
const withSession =
  (session: Session): Koa.Middleware =>
  async (ctx, next) => {
    (ctx.request as unknown as { session: Session }).session = session;
    await next();
  };

interface Site {
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly handle?: Koa.Middleware;
  readonly session?: Session;
  readonly render?: Parameters<typeof exceptions>[0];
}

/** Secrets and masks are numbered, as in the vectors. */
function site({ settings: values = {}, handle, session, render = {} }: Site = {}): Koa {
  const app = new Koa();
  app.proxy = true;
  let number = 0;
  const options: CsrfOptions = {
    settings: settings(values),
    now: () => NOW,
    newCsrfSecret: () => `csrf${String(++number).padStart(28, '0')}`,
  };
  if (session !== undefined) app.use(withSession(session));
  app.use(exceptions(render));
  app.use(formBody({ settings: settings(values) }));
  app.use(csrf(app, options));
  app.use(
    handle ??
      ((ctx) => {
        ctx.body = 'passed';
      }),
  );
  return app;
}

function send(
  server: Portless,
  { method = 'POST', secure = false, headers = {}, cookie, token }: Partial<CsrfCase>,
): Promise<Answer> {
  const body = token === null ? '' : new URLSearchParams({ csrfmiddlewaretoken: token ?? MASKED }).toString();
  const sent = cookie ?? `csrftoken=${SECRET}`;
  return server.ask({
    method,
    headers: {
      host: 'www.example.com',
      ...(sent === '' ? {} : { cookie: Buffer.from(sent, 'utf8').toString('latin1') }),
      ...(secure ? { 'x-forwarded-proto': 'https' } : {}),
      ...(body === '' ? {} : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length }),
      ...headers,
    },
    body,
  });
}

const unescaped = (html: string): string =>
  html.replaceAll('&#x27;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

const sessions: Session = new Map();
const COOKIE = (value: string): string =>
  `csrftoken=${value}; expires=Thu, 31 Dec 2026 00:00:00 GMT; Max-Age=31449600; Path=/; SameSite=Lax`;
const FIRST = 'csrf0000000000000000000000000001';

describe('csrf', () => {
  describe('decides as Django', () => {
    for (const entry of CASES) {
      it(`${entry.title}: ${entry.reason ?? 'passes'}`, async () => {
        const server = portless(site({ settings: entry.settings ?? {} }));
        const answer = await send(server, entry);
        expect(answer.status).to.equal(entry.reason === null ? 200 : 403);
        if (entry.reason !== null) {
          expect(unescaped(answer.text)).to.contain(`CSRF verification failed. Request aborted. ${entry.reason}</p>`);
        } else if (entry.method !== 'HEAD') expect(answer.text).to.equal('passed');
        expect(answer.set_cookie.map((line) => line.split('; ')[0])).to.deep.equal(entry.set ?? []);
      });
    }
  });

  describe('more strictly than Django, on purpose', () => {
    it('refuses what a browser marks as cross-site and has no Origin', async () => {
      const server = portless(site());
      for (const [headers, status] of [
        [{ 'sec-fetch-site': 'cross-site' }, 403],
        [{ 'sec-fetch-site': 'cross-site', origin: 'http://www.example.com' }, 200],
        [{ 'sec-fetch-site': 'same-site' }, 200],
        [{ 'sec-fetch-site': 'same-origin' }, 200],
        [{ 'sec-fetch-site': 'none' }, 200],
      ] as const) {
        expect((await send(server, { headers })).status, JSON.stringify(headers)).to.equal(status);
      }
      const get = await send(server, { method: 'GET', token: null, headers: { 'sec-fetch-site': 'cross-site' } });
      expect(get.status).to.equal(200);
    });

    it('lets a trusted origin post from another site', async () => {
      const server = portless(site({ settings: { CSRF_TRUSTED_ORIGINS: ['https://other.example'] } }));
      const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://other.example' };
      expect((await send(server, { headers })).status).to.equal(200);
    });
  });

  describe('the cookie', () => {
    const token: Koa.Middleware = (ctx) => {
      ctx.body = ctx.csrf_token;
    };

    it('is sent when a token was asked for, with Vary', async () => {
      const answer = await send(portless(site({ handle: token })), { method: 'GET', cookie: '', token: null });
      expect(answer.set_cookie).to.deep.equal([COOKIE(FIRST)]);
      expect(answer.headers.vary).to.equal('Cookie');
      expect(answer.text).to.have.length(64);
    });

    it('is not sent otherwise', async () => {
      const answer = await send(portless(site()), { method: 'GET', token: null });
      expect(answer.set_cookie).to.deep.equal([]);
      expect(answer.headers).not.to.have.property('vary');
    });

    it('keeps its secret and begins its time anew, unmasked if it was masked', async () => {
      for (const value of [SECRET, MASKED]) {
        const answer = await send(portless(site({ handle: token })), {
          method: 'GET',
          cookie: `csrftoken=${value}`,
          token: null,
        });
        expect(answer.set_cookie).to.deep.equal([COOKIE(SECRET)]);
      }
    });

    it('has the attributes of the settings', async () => {
      const values = {
        CSRF_COOKIE_NAME: '__Secure-c',
        CSRF_COOKIE_AGE: null,
        CSRF_COOKIE_DOMAIN: 'example.com',
        CSRF_COOKIE_PATH: '/app',
        CSRF_COOKIE_SECURE: true,
        CSRF_COOKIE_HTTPONLY: true,
        CSRF_COOKIE_SAMESITE: 'Strict',
      };
      const answer = await send(portless(site({ handle: token, settings: values })), {
        method: 'GET',
        cookie: '',
        token: null,
      });
      expect(answer.set_cookie).to.deep.equal([
        `__Secure-c=${FIRST}; Domain=example.com; HttpOnly; Path=/app; SameSite=Strict; Secure`,
      ]);
    });

    it('changes with rotate_token, and the old token is refused', async () => {
      const handle: Koa.Middleware = (ctx) => {
        rotate_token(ctx);
        ctx.body = 'passed';
      };
      const server = portless(site({ handle }));
      expect((await send(server, {})).set_cookie).to.deep.equal([COOKIE(FIRST)]);
      expect((await send(server, { cookie: `csrftoken=${FIRST}` })).status).to.equal(403);
    });

    it('is sent on a 500, as by Django', async () => {
      const handle: Koa.Middleware = (ctx) => {
        rotate_token(ctx);
        ctx.set_cookie('dropped', '1');
        throw new Error('x');
      };
      const answer = await send(portless(site({ handle })), { method: 'GET', cookie: '', token: null });
      expect([answer.status, answer.set_cookie]).to.deep.equal([500, [COOKIE(FIRST)]]);
      expect(answer.headers.vary).to.equal('Cookie');
    });

    it("is sent with an error's page that shows a token", async () => {
      const render = { render: (ctx: Koa.Context) => `<p>${ctx.csrf_token}` };
      const app = site({ render, handle: () => undefined });
      const answer = await send(portless(app), { method: 'GET', cookie: '', token: null });
      expect([answer.status, answer.set_cookie]).to.deep.equal([404, [COOKIE(FIRST)]]);
    });

    it('lets the next post pass with each of the tokens given', async () => {
      const handle: Koa.Middleware = (ctx) => {
        ctx.body = ctx.method === 'GET' ? JSON.stringify([ctx.csrf_token, ctx.csrf_token]) : 'passed';
      };
      const server = portless(site({ handle }));
      const page = await send(server, { method: 'GET', cookie: '', token: null });
      const tokens = JSON.parse(page.text) as string[];
      expect(new Set(tokens).size).to.equal(2);
      const cookie = page.set_cookie[0]?.split(';')[0] ?? '';
      for (const each of [...tokens, FIRST])
        expect((await send(server, { cookie, token: each })).text).to.equal('passed');
    });
  });

  describe('with CSRF_USE_SESSIONS', () => {
    const inSession = { CSRF_USE_SESSIONS: true };
    beforeEach(() => sessions.clear());

    it('keeps the secret in the session and sends no cookie', async () => {
      const handle: Koa.Middleware = (ctx) => {
        ctx.body = ctx.csrf_token;
      };
      const answer = await send(portless(site({ settings: inSession, session: sessions, handle })), {
        method: 'GET',
        token: null,
      });
      expect(answer.set_cookie).to.deep.equal([]);
      expect([...sessions]).to.deep.equal([['_csrftoken', FIRST]]);
    });

    it('takes the secret from the session and not from the cookie', async () => {
      sessions.set('_csrftoken', SECRET);
      const server = portless(site({ settings: inSession, session: sessions }));
      expect((await send(server, { cookie: `csrftoken=${OTHER}` })).status).to.equal(200);
      expect((await send(server, { token: OTHER, cookie: `csrftoken=${OTHER}` })).status).to.equal(403);
      sessions.set('_csrftoken', MASKED);
      expect((await send(server, { token: SECRET })).status).to.equal(200);
    });

    it('refuses a session without a secret, and whatever else stands there', async () => {
      const server = portless(site({ settings: inSession, session: sessions }));
      expect((await send(server, {})).text).to.contain('CSRF cookie not set.');
      for (const value of [1, '', 'x', [], {}, true, [SECRET], 'é'.repeat(32), 2n]) {
        sessions.set('_csrftoken', value);
        expect((await send(server, {})).status, String(value)).to.equal(403);
      }
    });

    it('says what is missing where no session is mounted', async () => {
      const answer = await send(portless(site({ settings: inSession, render: { debug: true } })), { token: null });
      expect([answer.status, answer.text]).to.satisfy(
        ([status, text]: [number, string]) => status === 500 && text.includes('sessions(app'),
      );
    });
  });
});
