/** A request without a port is answered as by the real server: each application here is asked both ways. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { expect } from 'chai';
import Koa from 'koa';
import { csrf } from '../../server/csrf/index.js';
import { exceptions } from '../../server/http/index.js';
import { sessions } from '../../server/session/middleware.js';
import { Client, MemoryStore } from '../../server/testing/index.js';
import { type Answer, type Ask, closeServers, NOW, serve, settings } from '../http/serve.js';

const execFileAsync = promisify(execFile);

const BIG = Buffer.alloc(3_000_000, 'a');

const answering =
  (body: unknown): Koa.Middleware =>
  (ctx) => {
    ctx.body = body;
  };

function appOf(handler: Koa.Middleware): Koa {
  const app = new Koa();
  const [given, store] = [settings(), new MemoryStore({ now: () => NOW })];
  const keys = ['a', 'b'].map((letter) => letter.repeat(32));
  const options = { settings: given, store, now: () => NOW, newSessionKey: () => keys.pop() ?? '' };
  app.use(sessions(app, options));
  app.use(exceptions());
  app.use(handler);
  app.on('error', () => {});
  return app;
}

type Reading = Pick<Answer, 'status' | 'headers' | 'set_cookie' | 'text'> | { readonly failure: string | undefined };

async function overPort(app: Koa, ask: Ask): Promise<Reading> {
  const { port: _, ...server } = await serve(app);
  return server.ask(ask).catch((error: NodeJS.ErrnoException) => ({ failure: error.code }));
}

async function inMemory(app: Koa, { method = 'GET', path = '/', headers = {}, body }: Ask): Promise<Reading> {
  const request = { headers: headers as Readonly<Record<string, string>> };
  try {
    const answer = await new Client(app).request(method, path, body, request);
    const { status, set_cookie, text } = answer;
    return { status, headers: answer.headers, set_cookie, text };
  } catch (error) {
    return { failure: (error as NodeJS.ErrnoException).code };
  }
}

const withoutDate = (reading: Reading): Reading => {
  if ('failure' in reading) return reading;
  const { date: _, ...headers } = reading.headers;
  return { ...reading, headers };
};

const octets = { 'content-type': 'application/octet-stream' };
const cases: Readonly<Record<string, { readonly handler: Koa.Middleware; readonly ask?: Ask; readonly is: object }>> = {
  'a text': { handler: answering('äöü'), is: { status: 200, text: 'äöü' } },
  JSON: { handler: answering({ a: [1] }), is: { text: '{"a":[1]}' } },
  'nothing at all': { handler: () => {}, is: { status: 404 } },
  'no content': { handler: answering(null), is: { status: 204, text: '' } },
  'a new session': {
    handler: (ctx) => {
      ctx.session['a'] = 1;
      ctx.set_cookie('second', 'ä');
    },
    is: { status: 404 },
  },
  HEAD: {
    handler: answering('text'),
    ask: { method: 'HEAD' },
    is: { status: 200, text: '' },
  },
  'HEAD of a stream': {
    handler: (ctx) => {
      ctx.body = Readable.from(['a', 'b']);
    },
    ask: { method: 'HEAD' },
    is: { status: 200, text: '' },
  },
  '304': {
    handler: (ctx) => {
      ctx.body = 'text';
      ctx.set('ETag', '"1"');
      if (ctx.fresh) ctx.status = 304;
    },
    ask: { headers: { 'if-none-match': '"1"' } },
    is: { status: 304, text: '' },
  },
  'a stream': {
    handler: (ctx) => {
      ctx.body = Readable.from(['a', 'b', 'c']);
    },
    is: { status: 200, text: 'abc' },
  },
  'a stream that breaks': {
    handler: (ctx) => {
      const body = new PassThrough();
      ctx.body = body;
      body.write('begun');
      setImmediate(() => setImmediate(() => body.destroy(new Error('away'))));
    },
    is: { failure: 'ECONNRESET' },
  },
  'a connection that is closed': {
    handler: (ctx) => {
      ctx.req.socket.destroy();
    },
    is: { failure: 'ECONNRESET' },
  },
  'three megabytes, both ways': {
    handler: (ctx) => {
      ctx.type = 'bin';
      ctx.body = ctx.req;
    },
    ask: { method: 'PUT', body: BIG, headers: octets },
    is: { status: 200, text: BIG.toString() },
  },
  'a body that nobody reads': {
    handler: answering('no'),
    ask: { method: 'POST', body: BIG, headers: octets },
    is: { status: 200, text: 'no' },
  },
  'an error of the application': {
    handler: () => {
      throw new Error('secret');
    },
    is: { status: 500 },
  },
  'a refusal': { handler: (ctx) => ctx.throw(418, 'no coffee'), is: { status: 418 } },
  'an answer by hand': {
    handler: (ctx) => {
      ctx.respond = false;
      ctx.res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      ctx.res.write('data: 1\n\n');
      setImmediate(() => ctx.res.end('data: 2\n\n'));
    },
    is: { status: 200, text: 'data: 1\n\ndata: 2\n\n' },
  },
  'a question before the body': {
    handler: async (ctx) => {
      const [chunk] = await once(ctx.req, 'data');
      ctx.body = String(chunk);
    },
    ask: { method: 'POST', body: 'yes', headers: { ...octets, expect: '100-continue' } },
    is: { status: 200, text: 'yes' },
  },
  'headers beyond the bound': {
    handler: answering('no'),
    ask: { headers: { 'x-long': 'a'.repeat(20_000) } },
    is: { status: 431 },
  },
  'who asks': {
    handler: (ctx) => {
      ctx.body = `${ctx.ip} ${ctx.protocol} ${ctx.method} ${ctx.url}`;
    },
    ask: { method: 'PATCH', path: '/a%20b?c=d&c=e' },
    is: { text: '127.0.0.1 http PATCH /a%20b?c=d&c=e' },
  },
};

describe('a request without a port', () => {
  afterEach(closeServers);

  for (const [name, { handler, ask = {}, is }] of Object.entries(cases)) {
    it(`is answered as by the real server: ${name}`, async () => {
      // One host for both, whatever the port.
      const question = { ...ask, headers: { host: 'localhost', ...ask.headers } };
      const real = withoutDate(await overPort(appOf(handler), question));
      expect(real).to.deep.include(is);
      expect(withoutDate(await inMemory(appOf(handler), question))).to.deep.equal(real);
    });
  }

  it('tells the application that a client went away', async () => {
    const app = new Koa();
    const asked = new AbortController();
    const closed = new Promise<boolean>((resolve) => {
      app.use((ctx) => {
        ctx.respond = false;
        ctx.res.write('data: 1\n\n');
        ctx.res.once('close', () => resolve(ctx.res.writableFinished));
        asked.abort();
      });
    });
    const failure = await new Client(app).get('/', { signal: asked.signal }).catch((error: Error) => error.name);
    expect(failure).to.equal('AbortError');
    expect(await closed).to.equal(false);
  });

  it('is waited for until its signal comes, in a program that has nothing else open', async () => {
    const program = `
      import Koa from 'koa';
      import { PassThrough } from 'node:stream';
      import { Client } from './server/testing/index.ts';
      const app = new Koa();
      app.silent = true;
      app.use((ctx) => { ctx.body = new PassThrough(); });
      await new Client(app).get('/', { signal: AbortSignal.timeout(100) }).catch(({ name }) => console.log(name));
    `;
    const { stdout } = await execFileAsync(process.execPath, [
      ...['--import', 'tsx', '--input-type=module'],
      ...['--eval', program],
    ]);
    expect(stdout).to.equal('AbortError\n');
  });

  it('comes over https where that is said', async () => {
    const app = new Koa();
    app.use((ctx) => {
      ctx.body = [ctx.secure, `${ctx.protocol}://${ctx.host}`];
    });
    expect((await new Client(app, { secure: true }).get('/')).json()).to.deep.equal([true, 'https://localhost']);
    expect((await new Client(app).get('/', { secure: true })).json()).to.deep.equal([true, 'https://localhost']);
    const headers = { Host: 'shop.example' };
    expect((await new Client(app, { headers }).get('/')).json()).to.deep.equal([false, 'http://shop.example']);
  });

  it('is answered side by side with others', async () => {
    const app = new Koa();
    const waiting = new Set<() => void>();
    app.use(async (ctx) => {
      await new Promise<void>((resolve) => {
        waiting.add(resolve);
        if (waiting.size === 20) for (const go of waiting) go();
      });
      ctx.body = ctx.path;
    });
    const client = new Client(app);
    const paths = Array.from({ length: 20 }, (_, index) => `/${index}`);
    const answers = await Promise.all(paths.map((path) => client.get(path)));
    expect(answers.map(({ text }) => text)).to.deep.equal(paths);
  });

  it('needs a CSRF token only where that is asked for', async () => {
    const app = new Koa();
    const given = settings();
    app.use(csrf(app, { settings: given }));
    app.use((ctx) => {
      ctx.body = ctx.method === 'GET' ? ctx.csrf_token : 'done';
    });
    app.on('error', () => {});
    expect((await new Client(app).post('/')).text).to.equal('done');
    const browser = new Client(app, { enforce_csrf_checks: true });
    expect((await browser.post('/')).status).to.equal(403);
    const { text } = await browser.get('/');
    expect((await browser.post('/', '', { headers: { 'X-CSRFToken': text } })).text).to.equal('done');
  });
});
