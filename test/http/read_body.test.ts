/** A multipart body that was read already, and those who read it further in: nobody waits for what does not come. */
import { request as httpRequest } from 'node:http';
import { PassThrough, Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import Koa from 'koa';
import { csrf } from '../../server/csrf/middleware.js';
import { ImproperlyConfigured } from '../../server/errors.js';
import { formBody } from '../../server/http/form.js';
import { reasonOf } from '../support/reason.js';
import { type Answer, closeServers, type Server, serve, settings } from './serve.js';

const TOKEN = 'a'.repeat(32);
const FIELD = '--X\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n';
const BODY = `${FIELD}${TOKEN}\r\n--X\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n${'x'.repeat(5000)}\r\n--X--\r\n`;
const MULTIPART = { 'content-type': 'multipart/form-data; boundary=X', cookie: `csrftoken=${TOKEN}` };

describe('a multipart body that was read already', () => {
  let upstream: Server;
  let printers: NodeJS.WarningListener[];
  let warnings: Error[];
  const note = (warning: Error): void => {
    warnings.push(warning);
  };

  beforeEach(async () => {
    const echo = new Koa().use(async (ctx) => {
      ctx.body = await text(ctx.req);
    });
    upstream = await serve(echo);
    warnings = [];
    printers = process.listeners('warning');
    process.removeAllListeners('warning');
    process.on('warning', note);
  });
  afterEach(async () => {
    process.off('warning', note);
    for (const print of printers) process.on('warning', print);
    await closeServers();
  });

  /** A proxy as people write it: the visitor's headers, and its body. */
  const proxied = (ctx: Koa.Context): Promise<void> =>
    new Promise((resolve, reject) => {
      const { port } = upstream;
      const { method, headers } = ctx.req;
      const there = httpRequest({ host: '127.0.0.1', port, method, headers, agent: false }, (answer) => {
        ctx.status = answer.statusCode ?? 502;
        ctx.body = answer;
        resolve();
      });
      there.on('error', reject);
      ctx.req.pipe(there);
    });

  const READERS: Readonly<Record<string, (ctx: Koa.Context) => Promise<unknown>>> = {
    'a proxy': proxied,
    pipeline: ({ req }) =>
      pipeline(req, new PassThrough(), new Writable({ write: (_chunk, _encoding, done) => done() })),
    'async iteration': ({ req }) => text(req),
    'a web stream': ({ req }) => text(Readable.toWeb(req)),
    'listeners to data': ({ req }) =>
      new Promise((resolve, reject) => {
        req.on('data', () => {});
        req.on('end', resolve);
        req.on('error', reject);
      }),
    'listeners to readable': ({ req }) =>
      new Promise((resolve, reject) => {
        req.on('error', reject).on('end', resolve);
        req.on('readable', () => {
          while (req.read() !== null);
        });
      }),
  };

  const READ_BY: Readonly<Record<string, (app: Koa) => Koa.Middleware>> = {
    csrf: (app) => csrf(app, { settings: settings() }),
    formBody: () => formBody({ settings: settings() }),
  };

  async function post(by: (app: Koa) => Koa.Middleware, handler: Koa.Middleware, times = 1): Promise<Answer> {
    const app = new Koa();
    app.use(by(app)).use(handler);
    const server = await serve(app);
    let answer = await server.ask({ method: 'POST', headers: MULTIPART, body: BODY });
    for (let time = 1; time < times; time += 1) {
      answer = await server.ask({ method: 'POST', headers: MULTIPART, body: BODY });
    }
    return answer;
  }

  for (const [by, make] of Object.entries(READ_BY)) {
    for (const [reader, read] of Object.entries(READERS)) {
      it(`by ${by} fails at once for ${reader}, and one warning says why`, async () => {
        let reason: unknown;
        const answer = await post(
          make,
          async (ctx) => {
            reason = await reasonOf(read(ctx));
            throw reason;
          },
          2,
        );
        expect(answer.status).to.equal(500);
        expect(reason)
          .to.be.instanceOf(ImproperlyConfigured)
          .and.have.property('message')
          .that.matches(/multipart: false/);
        expect(warnings.map((warning) => (warning as NodeJS.ErrnoException).code)).to.deep.equal([
          'KOA_DJANGO_SESSION_BODY_WAS_READ',
        ]);
      });
    }

    it(`by ${by} ends at once for who listens to no errors, and ends no process`, async () => {
      const answer = await post(make, async (ctx) => {
        let received = 0;
        for (const stream of [ctx.req.pipe(new PassThrough()), ctx.req]) {
          stream.on('data', (chunk: Buffer) => {
            received += chunk.length;
          });
          await new Promise((resolve) => stream.on('end', resolve));
        }
        ctx.body = { received };
      });
      expect([answer.status, answer.text]).to.deep.equal([200, '{"received":0}']);
    });

    it(`by ${by} leaves a destination open that is not to be ended`, async () => {
      const answer = await post(make, async (ctx) => {
        const there = new PassThrough();
        ctx.req.pipe(there, { end: false });
        await new Promise((resolve) => setImmediate(resolve));
        there.end('more');
        ctx.body = { piped: await text(there) };
      });
      expect(answer.text).to.equal('{"piped":"more"}');
    });
  }

  it('is what the visitor sent where a page said the token in the header and formBody leaves it', async () => {
    const app = new Koa();
    app.use(csrf(app, { settings: settings() }));
    app.use(formBody({ settings: settings(), multipart: false }));
    app.use(proxied);
    const server = await serve(app);
    const headers = { ...MULTIPART, 'x-csrftoken': TOKEN };
    expect((await server.ask({ method: 'POST', headers, body: BODY })).text).to.equal(BODY);
  });
});
