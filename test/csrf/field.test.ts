/** The token field, wherever a body parser has left it; each parser is the real package. */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { expect } from 'chai';
import Koa from 'koa';
import { csrf } from '../../server/csrf/middleware.js';
import { exceptions } from '../../server/http/exceptions.js';
import { formBody } from '../../server/http/form.js';
import { type Answer, type Ask, portless, settings } from '../http/serve.js';
import { MASKED, OTHER, SECRET } from './cases.js';

const load = createRequire(import.meta.url);
type MakeParser = (options?: object) => Koa.Middleware;
const koaBodyparser = load('koa-bodyparser') as MakeParser;
const { bodyParser } = load('@koa/bodyparser') as { readonly bodyParser: MakeParser };
const { koaBody } = load('koa-body') as { readonly koaBody: MakeParser };
const koaMulter = load('@koa/multer') as () => { any(): Koa.Middleware };

const URLENCODED: Readonly<Record<string, () => Koa.Middleware>> = {
  'koa-bodyparser': () => koaBodyparser(),
  '@koa/bodyparser': () => bodyParser(),
  'koa-body': () => koaBody(),
  'koa-body with patchNode alone': () => koaBody({ patchNode: true, patchKoa: false }),
};
const MULTIPART: Readonly<Record<string, () => Koa.Middleware>> = {
  'koa-body': () => koaBody({ multipart: true }),
  'koa-body with patchNode alone': () => koaBody({ multipart: true, patchNode: true, patchKoa: false }),
  '@koa/multer': () => koaMulter().any(),
};

const ours = (): Koa.Middleware => formBody({ settings: settings() });

/** `csrf` stands for the middleware, whose place is what is tried. */
function site(order: readonly (Koa.Middleware | 'csrf')[], handle: Koa.Middleware = passed): Koa {
  const app = new Koa();
  app.use(exceptions());
  for (const each of order) app.use(each === 'csrf' ? csrf(app, { settings: settings() }) : each);
  app.use(handle);
  return app;
}

const passed: Koa.Middleware = (ctx) => {
  ctx.body = 'passed';
};

async function post(app: Koa, { headers = {}, ...ask }: Ask): Promise<Answer> {
  const server = portless(app);
  return server.ask({ method: 'POST', ...ask, headers: { cookie: `csrftoken=${SECRET}`, ...headers } });
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const field = (name: string, value: string): string =>
  `--X\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const upload = (token: string): Ask => ({
  headers: { 'content-type': 'multipart/form-data; boundary=X' },
  body: `${field('csrfmiddlewaretoken', token)}--X\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--X--\r\n`,
});
const form = (token: string): Ask => ({ headers: FORM, body: `a=1&csrfmiddlewaretoken=${token}` });

/** The answers to the right token and to a wrong one. */
async function bothTokens(make: () => Koa, ask: (token: string) => Ask): Promise<readonly number[]> {
  return [(await post(make(), ask(MASKED))).status, (await post(make(), ask(OTHER))).status];
}

describe('the token field', () => {
  for (const [name, parser] of Object.entries(URLENCODED)) {
    it(`is found where ${name} has left it, alone and in either order with formBody`, async () => {
      for (const order of [
        [parser(), 'csrf'],
        [parser(), ours(), 'csrf'],
        [ours(), parser(), 'csrf'],
        [parser(), 'csrf', ours()],
        ['csrf', ours(), parser()],
        ['csrf', parser()],
      ] as const) {
        expect(await bothTokens(() => site(order), form)).to.deep.equal([200, 403]);
      }
    });

    it(`leaves the whole form to ${name} where csrf has read it first`, async () => {
      const show: Koa.Middleware = (ctx) => {
        ctx.body = (ctx.request as { body?: unknown }).body ?? (ctx.req as { body?: unknown }).body;
      };
      const { text } = await post(site(['csrf', parser()], show), form(MASKED));
      expect(JSON.parse(text)).to.deep.equal({ a: '1', csrfmiddlewaretoken: MASKED });
    });
  }

  for (const [name, parser] of Object.entries(MULTIPART)) {
    it(`is found in an upload that ${name} has read, with and without formBody`, async () => {
      for (const order of [
        [parser(), 'csrf'],
        [parser(), ours(), 'csrf'],
        [parser(), 'csrf', ours()],
      ] as const) {
        expect(await bothTokens(() => site(order), upload)).to.deep.equal([200, 403]);
      }
    });

    it(`leaves an upload with a good header to ${name} further in`, async () => {
      const show: Koa.Middleware = (ctx) => {
        const { files } = ctx.request as { files?: object };
        ctx.body = Object.keys(files ?? (ctx.req as { files?: object }).files ?? {}).length;
      };
      for (const order of [
        ['csrf', parser()],
        ['csrf', formBody({ settings: settings(), multipart: false }), parser()],
      ] as const) {
        const ask = upload('');
        const headers = { ...ask.headers, 'x-csrftoken': MASKED };
        expect((await post(site(order, show), { ...ask, headers })).text).to.equal('1');
      }
    });
  }

  it('is found in an upload by formBody, in either order, and without it', async () => {
    for (const order of [[ours(), 'csrf'], ['csrf', ours()], ['csrf']] as const) {
      expect(await bothTokens(() => site(order), upload)).to.deep.equal([200, 403]);
    }
  });

  it('decides before the header, which counts where the field is empty or absent', async () => {
    const ask = (token: string, header: string): Ask => {
      const { headers, body = '' } = form(token);
      return { headers: { ...headers, 'x-csrftoken': header }, body };
    };
    for (const order of [
      [ours(), 'csrf'],
      ['csrf', ours()],
    ] as const) {
      const status = async (token: string, header: string): Promise<number> =>
        (await post(site(order), ask(token, header))).status;
      expect([await status('', MASKED), await status('', OTHER), await status(MASKED, OTHER)]).to.deep.equal([
        200, 403, 200,
      ]);
    }
    for (const order of [
      [ours(), 'csrf'],
      ['csrf', ours()],
    ] as const) {
      expect((await post(site(order), ask(OTHER, MASKED))).status).to.equal(403);
    }
  });

  it('is not looked for in other methods, nor is their body read', async () => {
    const seen: boolean[] = [];
    const look: Koa.Middleware = async (ctx, next) => {
      await next().finally(() => seen.push(ctx.req.readableDidRead));
    };
    for (const method of ['PUT', 'PATCH']) {
      expect((await post(site([look, 'csrf', ours()]), { method, ...form(MASKED) })).status).to.equal(403);
      expect((await post(site([koaBody(), 'csrf']), { method, ...form(MASKED) })).status).to.equal(403);
    }
    expect(seen).to.deep.equal([false, false]);
  });

  describe('of a form that another parser has read', () => {
    /** What a parser might have left, whoever wrote it. */
    const leaving =
      (body: unknown): Koa.Middleware =>
      async (ctx, next) => {
        ctx.req.resume();
        await once(ctx.req, 'end');
        Object.assign(ctx.request, { body });
        await next();
      };
    const status = async (body: unknown): Promise<number> =>
      (await post(site([leaving(body), 'csrf']), form(''))).status;

    it('counts with its last value where it was sent twice, as in Django', async () => {
      for (const parser of Object.values(URLENCODED)) {
        const twice = (one: string, other: string): Ask => ({
          headers: FORM,
          body: `csrfmiddlewaretoken=${one}&csrfmiddlewaretoken=${other}`,
        });
        expect((await post(site([parser(), 'csrf']), twice(OTHER, MASKED))).status).to.equal(200);
        expect((await post(site([parser(), 'csrf']), twice(MASKED, OTHER))).status).to.equal(403);
      }
    });

    it('is refused where it is no text', async () => {
      const odd: readonly unknown[] = [
        null,
        1,
        true,
        {},
        [],
        [null],
        [[MASKED]],
        { 0: MASKED },
        { toString: () => MASKED },
      ];
      for (const value of odd) expect(await status({ csrfmiddlewaretoken: value })).to.equal(403);
      for (const body of [null, 'text', 1, [], [MASKED], Buffer.from(MASKED)]) expect(await status(body)).to.equal(403);
    });

    it('is a member of the form, not of what it inherits from', async () => {
      expect(await status(Object.create({ csrfmiddlewaretoken: MASKED }))).to.equal(403);
      expect(await status(Object.assign(Object.create(null), { csrfmiddlewaretoken: MASKED }))).to.equal(200);
    });

    it('is refused for its length, however long it is', async () => {
      const app = site([leaving({ csrfmiddlewaretoken: MASKED + 'x'.repeat(64 * 1024 * 1024) }), 'csrf']);
      const answer = await post(app, form(''));
      expect([answer.status, answer.text.includes('has incorrect length')]).to.deep.equal([403, true]);
      expect(await status({ csrfmiddlewaretoken: '😀'.repeat(33) })).to.equal(403);
    });
  });

  describe('of a form that nobody has read', () => {
    /** Whether anything was read of the body when csrf was done. */
    async function readBy(ask: Ask): Promise<{ readonly status: number; readonly read: boolean }> {
      let read = false;
      const look: Koa.Middleware = async (ctx, next) => {
        await next().finally(() => {
          read = ctx.req.readableDidRead;
        });
      };
      const { status } = await post(site([look, 'csrf']), ask);
      return { status, read };
    }
    const with_headers = (headers: Ask['headers']): Ask => ({
      ...upload(MASKED),
      headers: { ...upload('').headers, ...headers },
    });

    it('is not looked for in a request of another site, whose upload is not read', async () => {
      const other = with_headers({ origin: 'https://evil.example' });
      expect(await readBy(other)).to.deep.equal({ status: 403, read: false });
    });

    it('is not looked for where the cookie is missing or none', async () => {
      for (const cookie of ['', 'csrftoken=short']) {
        expect(await readBy(with_headers({ cookie }))).to.deep.equal({ status: 403, read: false });
      }
    });

    it('is not looked for in an upload where the header is good, and is where it is not', async () => {
      expect(await readBy(with_headers({ 'x-csrftoken': MASKED }))).to.deep.equal({ status: 200, read: false });
      expect(await readBy(with_headers({ 'x-csrftoken': OTHER }))).to.deep.equal({ status: 200, read: true });
    });

    it('keeps the bounds of forms', async () => {
      const large = { headers: FORM, body: `a=${'x'.repeat(3_000_000)}` };
      expect((await readBy(large)).status).to.equal(413);
      const cut = { ...upload(MASKED), body: field('csrfmiddlewaretoken', MASKED) };
      expect((await readBy(cut)).status).to.equal(400);
    });
  });
});
