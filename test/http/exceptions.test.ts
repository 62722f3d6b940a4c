/** Errors as responses: what visitors see, what is logged, what survives. */
import { PassThrough } from 'node:stream';
import Router from '@koa/router';
import { expect } from 'chai';
import Koa from 'koa';
import { PermissionDenied, SessionInterrupted, StoreUnavailable } from '../../server/errors.js';
import { installCookies } from '../../server/http/cookies.js';
import { afterErrorPage, type ExceptionOptions, exceptions } from '../../server/http/exceptions.js';
import { appWith, closeServers, serve, settings } from './serve.js';

const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
const JSON_ONLY = { accept: 'application/json' };

function failing(error: unknown, options: ExceptionOptions = {}): Koa {
  return appWith(exceptions(options), () => {
    throw error;
  });
}

describe('exceptions', () => {
  afterEach(closeServers);

  describe('an unexpected error', () => {
    const secretive = new Error('password=hunter2');

    it('is a 500 that says nothing of it', async () => {
      const server = await serve(failing(secretive));
      for (const headers of [HTML, JSON_ONLY]) {
        const answer = await server.ask({ headers });
        expect(answer.status).to.equal(500);
        expect(answer.text).not.to.contain('hunter2');
        expect(answer.headers['cache-control']).to.equal('no-store');
      }
    });

    it('shows name and message with debug, escaped, and no stack', async () => {
      const server = await serve(failing(new TypeError('<script>'), { debug: true }));
      const answer = await server.ask({ headers: HTML });
      expect(answer.text).to.contain('TypeError: &lt;script&gt;').and.not.to.contain(' at ');
    });

    it('may be anything that can be thrown', async () => {
      const circular: Record<string, unknown> = {};
      circular['cause'] = circular;
      const self = new Error('x');
      self.cause = self;
      const hostile = [
        null,
        undefined,
        0,
        '',
        'text',
        [],
        {},
        circular,
        self,
        Symbol('x'),
        { status: 200 },
        { status: 'x' },
      ];
      const logged: object[] = [];
      const logger = { warn: () => {}, error: (details: object) => logged.push(details) };
      for (const error of [...hostile, { status: 999 }, { status: 302, expose: true, message: 'x' }, () => {}]) {
        const server = await serve(failing(error, { logger }));
        expect((await server.ask()).status).to.equal(500);
      }
      expect(() => JSON.stringify(logged)).not.to.throw();
    });
  });

  describe('an error with status and expose', () => {
    it('shows its message where expose says so', async () => {
      const denied = await (await serve(failing(new PermissionDenied('Not <here>.')))).ask({ headers: HTML });
      expect([denied.status, denied.text]).to.satisfy(
        ([status, text]: [number, string]) => status === 403 && text.includes('Not &lt;here&gt;.'),
      );
      const interrupted = await (await serve(failing(new SessionInterrupted('Gone.')))).ask({ headers: JSON_ONLY });
      expect([interrupted.status, interrupted.text]).to.deep.equal([400, '{"error":"Gone.","status":400}']);
    });

    it('is a 503 with Retry-After when the store is away', async () => {
      const error = new StoreUnavailable('connect ECONNREFUSED 10.0.0.5:5432');
      const answer = await (await serve(failing(error, { retry_after: 3 }))).ask();
      expect([answer.status, answer.headers['retry-after']]).to.deep.equal([503, '3']);
      expect(answer.text).not.to.contain('10.0.0.5');
    });

    it('may bring headers', async () => {
      const app = appWith(exceptions(), (ctx) => ctx.throw(429, 'Slow down.', { headers: { 'Retry-After': '17' } }));
      const answer = await (await serve(app)).ask();
      expect([answer.status, answer.headers['retry-after']]).to.deep.equal([429, '17']);
    });
  });

  it('prefers HTML, and JSON only for whoever prefers it', async () => {
    const server = await serve(failing(new Error('x')));
    const type = async (accept?: string): Promise<string | undefined> =>
      (await server.ask({ headers: accept === undefined ? {} : { accept } })).headers['content-type'];
    expect(await type()).to.equal('text/html; charset=utf-8');
    expect(await type('*/*')).to.equal('text/html; charset=utf-8');
    expect(await type('image/png')).to.equal('text/html; charset=utf-8');
    expect(await type('text/html;q=0.5, application/json')).to.equal('application/json; charset=utf-8');
    expect(await type('application/json;q=0.1, text/html')).to.equal('text/html; charset=utf-8');
    expect(await type('\u00ff;;q=,')).to.equal('text/html; charset=utf-8');
  });

  it('drops what the failed handler had set and keeps what was there before', async () => {
    const app = new Koa();
    installCookies(app, { settings: settings() });
    app.use(async (ctx, next) => {
      ctx.set('X-Before', 'kept');
      ctx.set_cookie('before', '1');
      await next();
      ctx.set_cookie('before', '2', { httponly: true });
    });
    app.use(exceptions());
    app.use((ctx) => {
      ctx.set('X-Handler', 'dropped');
      ctx.set('X-Before', 'changed');
      ctx.set_cookie('handler', '1');
      ctx.set_cookie('before', '9', { path: '/x' });
      ctx.body = { half: 'made' };
      ctx.status = 201;
      throw new Error('x');
    });
    const answer = await (await serve(app)).ask();
    expect(answer.status).to.equal(500);
    expect(answer.headers['x-before']).to.equal('kept');
    expect(answer.headers).not.to.have.property('x-handler');
    expect(answer.set_cookie).to.deep.equal(['before=2; HttpOnly; Path=/']);
    expect(answer.text).not.to.contain('half');
  });

  it('destroys a stream that the failed handler had begun to send', async () => {
    const stream = new PassThrough();
    const app = appWith(exceptions(), (ctx) => {
      ctx.body = stream;
      throw new Error('x');
    });
    expect((await (await serve(app)).ask()).status).to.equal(500);
    expect(stream.destroyed).to.equal(true);
  });

  it('ends a connection whose answer was half sent', async () => {
    const app = appWith(exceptions(), (ctx) => {
      ctx.res.write('half');
      throw new Error('x');
    });
    const server = await serve(app);
    let failed = false;
    await server.ask().catch(() => {
      failed = true;
    });
    expect(failed).to.equal(true);
    expect(app.listenerCount('error')).to.equal(1);
  });

  describe('the page', () => {
    it('is the one that render makes, returned or set', async () => {
      const returned = await serve(
        failing(new Error('x'), { render: (_, status, message) => `<p>${status} ${message}` }),
      );
      expect((await returned.ask()).text).to.match(/^<p>500 Something went wrong/);
      const render = async (ctx: Koa.Context, status: number): Promise<void> => {
        ctx.status = 200;
        ctx.body = `<b>${status}`;
      };
      const set = await (await serve(failing(new Error('x'), { render }))).ask();
      expect([set.status, set.text]).to.deep.equal([500, '<b>500']);
    });

    it('is a plain one when render fails or makes nothing', async () => {
      for (const render of [
        () => {
          throw new Error('the database is away too');
        },
        () => undefined,
      ]) {
        const answer = await (await serve(failing(new Error('x'), { render }))).ask();
        expect(answer.status).to.equal(500);
        expect(answer.text).to.match(/^<!DOCTYPE html>\n<html lang="en">/);
      }
    });

    it('may change the response through afterErrorPage', async () => {
      const app = new Koa();
      installCookies(app, { settings: settings() });
      app.use(exceptions());
      app.use(async (ctx, next) => {
        afterErrorPage(ctx, () => ctx.set_cookie('survives', '1'));
        await next();
      });
      app.use((ctx) => {
        if (ctx.path === '/ok') ctx.body = 'ok';
        else throw new Error('x');
      });
      const server = await serve(app);
      expect((await server.ask()).set_cookie).to.deep.equal(['survives=1; Path=/']);
      expect((await server.ask({ path: '/ok' })).set_cookie).to.deep.equal([]);
    });
  });

  describe('without an error', () => {
    const router = new Router().get('/goods/:id', (ctx) => {
      ctx.body = String(ctx.params['id']);
    });
    const routed = (): Koa =>
      appWith(
        exceptions(),
        router.routes() as unknown as Koa.Middleware,
        router.allowedMethods() as unknown as Koa.Middleware,
      );

    it('makes a page where there is no route, and none for HEAD', async () => {
      const server = await serve(routed());
      const answer = await server.ask({ path: '/nowhere', headers: HTML });
      expect([answer.status, answer.text]).to.satisfy(
        ([status, text]: [number, string]) => status === 404 && text.includes('There is no such page.'),
      );
      const head = await server.ask({ path: '/nowhere', method: 'HEAD' });
      expect([head.status, head.text]).to.deep.equal([404, '']);
    });

    it('keeps Allow on 405 and answers 501 to unknown methods', async () => {
      const server = await serve(routed());
      const put = await server.ask({ path: '/goods/1', method: 'PUT' });
      expect([put.status, put.headers.allow]).to.deep.equal([405, 'HEAD, GET']);
      expect((await server.ask({ path: '/goods/1', method: 'PROPFIND' })).status).to.equal(501);
      expect((await server.ask({ path: '/goods/1', method: 'OPTIONS' })).status).to.equal(200);
    });

    it('leaves a 404 with a body alone', async () => {
      const app = appWith(exceptions(), (ctx) => {
        ctx.status = 404;
        ctx.body = 'mine';
      });
      expect((await (await serve(app)).ask()).text).to.equal('mine');
    });

    it('never fails on a malformed path', async () => {
      const server = await serve(routed());
      for (const path of [
        '/goods/%',
        '/goods/%E0%A4%A',
        '/%',
        '/goods/%FF',
        '/goods/%00',
        '//',
        '/?%',
        '/goods/%2F%2e',
        '/\xff',
      ]) {
        expect((await server.ask({ path })).status, path).to.be.below(500);
      }
      for (const target of ['*', 'http://[', 'http://x/%', '//[', '?', '/goods/%C3%28']) {
        const answer = await server.raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
        expect(answer, target).to.match(/^HTTP\/1\.1 [24]/);
      }
    });

    it("takes a URIError for the visitor's fault only when the path is malformed", async () => {
      const app = appWith(exceptions(), () => {
        decodeURIComponent('%');
      });
      const server = await serve(app);
      expect((await server.ask({ path: '/%E0' })).status).to.equal(400);
      expect((await server.ask({ path: '/fine' })).status).to.equal(500);
    });
  });

  describe('the log', () => {
    it('has what failed and where, and no header, cookie or body', async () => {
      const lines: [string, object, string][] = [];
      const logger = {
        warn: (details: object, message: string) => lines.push(['warn', details, message]),
        error: (details: object, message: string) => lines.push(['error', details, message]),
      };
      const driver = Object.assign(new Error('timeout'), {
        code: '57014',
        query: 'select canary',
        parameters: ['canary'],
      });
      const errors: Readonly<Record<string, Error>> = {
        '/503': new StoreUnavailable('The store is away.', { cause: driver }),
        '/403': new PermissionDenied('No.'),
      };
      const app = appWith(exceptions({ logger }), (ctx) => {
        const error = errors[ctx.path];
        if (error !== undefined) throw error;
      });
      const server = await serve(app);
      const headers = { cookie: 'sessionid=canary', authorization: 'canary' };
      for (const path of ['/503?q=canary', '/403', '/404'])
        await server.ask({ path, method: 'POST', headers, body: 'canary' });
      expect(lines.map(([level, , message]) => [level, message])).to.deep.equal([
        ['error', 'Service Unavailable: /503'],
        ['warn', 'Forbidden: No.'],
      ]);
      expect(lines[0]?.[1]).to.nested.include({
        'err.code': 'STORE_UNAVAILABLE',
        'err.cause.code': '57014',
        method: 'POST',
      });
      expect(JSON.stringify(lines)).not.to.contain('canary');
    });

    it("goes to the application's 'error' event where there is no logger", async () => {
      const app = failing(new Error('told'));
      const told: Error[] = [];
      app.on('error', (error: Error) => told.push(error));
      await (await serve(app)).ask();
      expect(told.map(({ message }) => message)).to.deep.equal(['told']);
    });
  });

  it('may be mounted twice', async () => {
    const app = appWith(
      exceptions(),
      async (_, next) => {
        await next();
        throw new StoreUnavailable('away');
      },
      exceptions(),
      () => {
        throw new Error('x');
      },
    );
    expect((await (await serve(app)).ask()).status).to.equal(503);
  });
});
