/** formBody in one application with the body parsers that people use, each the real package, before and after ours. */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { expect } from 'chai';
import type Koa from 'koa';
import mount from 'koa-mount';
import { exceptions } from '../../server/http/exceptions.js';
import { formBody, jsonBody } from '../../server/http/form.js';
import { type Answer, type Ask, appWith, closeServers, serve, settings } from './serve.js';

// Without their types, which would add `body` to everybody's Koa.
const load = createRequire(import.meta.url);
type MakeParser = (options?: object) => Koa.Middleware;
interface Multer {
  any(): Koa.Middleware;
}
const koaBodyparser = load('koa-bodyparser') as MakeParser;
const { bodyParser } = load('@koa/bodyparser') as { readonly bodyParser: MakeParser };
const { koaBody } = load('koa-body') as { readonly koaBody: MakeParser };
const koaMulter = load('@koa/multer') as () => Multer;
const multer = load('multer') as () => {
  any(): (req: unknown, res: unknown, next: (error?: unknown) => void) => void;
};

/** multer as Express has it, which leaves the body on node's request. */
const plainMulter = (): Koa.Middleware => {
  const read = multer().any();
  return async (ctx, next) => {
    await new Promise<void>((resolve, reject) => {
      read(ctx.req, ctx.res, (error) => (error === undefined || error === null ? resolve() : reject(error as Error)));
    });
    await next();
  };
};

const PARSERS: Readonly<Record<string, () => Koa.Middleware>> = {
  'koa-bodyparser': () => koaBodyparser(),
  '@koa/bodyparser': () => bodyParser(),
  '@koa/bodyparser with patchNode': () => bodyParser({ patchNode: true }),
  'koa-body': () => koaBody({ multipart: true }),
  'koa-body with includeUnparsed': () => koaBody({ multipart: true, includeUnparsed: true }),
  'koa-body with patchNode alone': () => koaBody({ multipart: true, patchNode: true, patchKoa: false }),
  '@koa/multer': () => koaMulter().any(),
  multer: plainMulter,
};
const READS_MULTIPART = Object.keys(PARSERS).filter((name) => /multer|koa-body(?!parser)/.test(name));
const KEEPS_RAW = [
  'koa-bodyparser',
  '@koa/bodyparser',
  '@koa/bodyparser with patchNode',
  'koa-body with includeUnparsed',
];

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const MULTIPART = { 'content-type': 'multipart/form-data; boundary=X' };
const UPLOAD =
  '--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' +
  '--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n2\r\n' +
  '--X\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--X--\r\n';

/** Everything that a handler may look at. */
const show: Koa.Middleware = (ctx) => {
  const request = ctx.request as unknown as Readonly<Record<string, unknown>>;
  const node = ctx.req as unknown as Readonly<Record<string, unknown>>;
  ctx.body = {
    POST: ctx.request.POST && [...ctx.request.POST.lists()],
    files: ctx.request.FILES && [...ctx.request.FILES.lists()].map(([name, list]) => [name, list.map((f) => f.name)]),
    others: [request['body'], request['rawBody'], node['body'], node['rawBody']].map((each) => each ?? null),
    otherFiles: Object.keys((request['files'] ?? node['files'] ?? {}) as object).length,
  };
};

const ours = (): Koa.Middleware => formBody({ settings: settings() });

async function post(middleware: readonly Koa.Middleware[], ask: Ask): Promise<Answer> {
  const app = appWith(exceptions(), ...middleware, show);
  return (await serve(app)).ask({ method: 'POST', ...ask });
}

interface Shown {
  readonly POST: unknown;
  readonly files: unknown;
  readonly others: readonly unknown[];
  readonly otherFiles: number;
}

const shown = ({ status, text }: Answer): Shown => {
  expect(status, text).to.equal(200);
  return JSON.parse(text) as Shown;
};

describe('formBody beside', () => {
  afterEach(closeServers);

  for (const [name, make] of Object.entries(PARSERS)) {
    describe(name, () => {
      it('mounted before it, takes over the fields of a URL-encoded form', async () => {
        const { POST } = shown(await post([make(), ours()], { headers: FORM, body: 'a=1&a=2&b=%E6%B8%85' }));
        expect(POST).to.deep.equal([
          ['a', ['1', '2']],
          ['b', ['清']],
        ]);
      });

      it('mounted before it, has nested names where the text was kept, and passes them over otherwise', async () => {
        const { POST } = shown(await post([make(), ours()], { headers: FORM, body: 'a=1&b[c]=2&__proto__=3' }));
        const exact = KEEPS_RAW.includes(name) || name.includes('multer');
        const nested = [
          ['a', ['1']],
          ['b[c]', ['2']],
          ['__proto__', ['3']],
        ];
        expect(POST).to.deep.equal(exact ? nested : [['a', ['1']]]);
      });

      it('mounted after it, finds a URL-encoded form as if it were alone', async () => {
        const body = 'a=1&a=2&b[c]=3';
        for (const headers of [FORM, { ...FORM, 'transfer-encoding': 'chunked' }]) {
          const alone = shown(await post([make()], { headers, body }));
          const both = shown(await post([ours(), make()], { headers, body }));
          expect([both.others, both.otherFiles]).to.deep.equal([alone.others, alone.otherFiles]);
          expect(both.POST).to.deep.equal([
            ['a', ['1', '2']],
            ['b[c]', ['3']],
          ]);
        }
      });

      it('finds an empty form in either order', async () => {
        for (const order of [
          [make(), ours()],
          [ours(), make()],
        ]) {
          expect(shown(await post(order, { headers: FORM, body: '' })).POST).to.deep.equal([]);
          const chunked = { ...FORM, 'transfer-encoding': 'chunked' };
          expect(shown(await post(order, { headers: chunked, body: '' })).POST).to.deep.equal([]);
        }
      });

      it('finds JSON in either order, and other methods', async () => {
        const json = { headers: { 'content-type': 'application/json' }, body: '{"a":1}' };
        const alone = shown(await post([make()], json));
        for (const order of [
          [make(), ours()],
          [ours(), make()],
        ]) {
          const both = shown(await post(order, json));
          expect([both.others, both.POST]).to.deep.equal([alone.others, []]);
          const put = shown(await post(order, { method: 'PUT', headers: FORM, body: 'a=1' }));
          expect(put.POST).to.deep.equal([]);
        }
      });

      if (READS_MULTIPART.includes(name)) {
        it('mounted before it, takes over the fields of a multipart form and leaves the files where they are', async () => {
          const both = shown(await post([make(), ours()], { headers: MULTIPART, body: UPLOAD }));
          expect([both.POST, both.files]).to.deep.equal([[['a', ['1', '2']]], []]);
        });

        it('mounted after it, leaves it a multipart form where formBody is told to', async () => {
          const alone = shown(await post([make()], { headers: MULTIPART, body: UPLOAD }));
          const left = [formBody({ settings: settings(), multipart: false }), make()];
          const both = shown(await post(left, { headers: MULTIPART, body: UPLOAD }));
          expect([both.others, both.otherFiles, both.POST, both.files]).to.deep.equal([
            alone.others,
            alone.otherFiles,
            [],
            [],
          ]);
        });

        it('mounted after it, fails at a multipart form at once, with a warning that says why', async () => {
          const printers = process.listeners('warning');
          process.removeAllListeners('warning');
          try {
            const warning = once(process, 'warning') as Promise<[NodeJS.ErrnoException]>;
            const answer = await post([ours(), make()], { headers: MULTIPART, body: UPLOAD });
            expect(answer.status).to.be.greaterThanOrEqual(400);
            expect((await warning)[0].code).to.equal('KOA_DJANGO_SESSION_BODY_WAS_READ');
          } finally {
            for (const print of printers) process.on('warning', print);
          }
        });
      } else {
        it('leaves a multipart form to formBody in either order', async () => {
          for (const order of [
            [make(), ours()],
            [ours(), make()],
          ]) {
            const both = shown(await post(order, { headers: MULTIPART, body: UPLOAD }));
            expect([both.POST, both.files]).to.deep.equal([[['a', ['1', '2']]], [['f', ['x.txt']]]]);
          }
        });
      }

      it('answers the next request on the connection', async () => {
        const server = await serve(appWith(exceptions(), ours(), make(), show));
        const ask =
          'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n';
        const text = await server.raw(`${ask}\r\na=1${ask}Connection: close\r\n\r\na=2`);
        expect(text.match(/\["a",\["[12]"\]\]/g)).to.deep.equal(['["a",["1"]]', '["a",["2"]]']);
      });
    });
  }

  it('koa-body, which goes on before the stream has ended: its fields are taken and nothing is waited for', async () => {
    const parser = koaBody({ multipart: true });
    const server = await serve(appWith(exceptions(), parser, ours(), show));
    const head = `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${MULTIPART['content-type']}\r\n`;
    // The chunk that says that the body is over is never sent.
    const text = await server.raw(
      `${head}Transfer-Encoding: chunked\r\n\r\n${UPLOAD.length.toString(16)}\r\n${UPLOAD}\r\n`,
    );
    expect(text).to.contain('"POST":[["a",["1","2"]]]');
  });

  it('nothing at all, but a body that somebody has read to its end: an empty form', async () => {
    const drain: Koa.Middleware = async (ctx, next) => {
      ctx.req.resume();
      await once(ctx.req, 'end');
      await next();
    };
    for (const headers of [FORM, MULTIPART]) {
      expect(shown(await post([drain, ours()], { headers, body: UPLOAD })).POST).to.deep.equal([]);
    }
  });

  it('a platform that leaves the bytes as rawBody: reads forms of both kinds from there', async () => {
    const platform: Koa.Middleware = async (ctx, next) => {
      const chunks: Buffer[] = [];
      for await (const chunk of ctx.req.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer);
      Object.assign(ctx.req, { rawBody: Buffer.concat(chunks), body: {} });
      await next();
    };
    const form = shown(await post([platform, ours()], { headers: FORM, body: 'a=1&b[c]=2' }));
    expect(form.POST).to.deep.equal([
      ['a', ['1']],
      ['b[c]', ['2']],
    ]);
    const upload = shown(await post([platform, ours()], { headers: MULTIPART, body: UPLOAD }));
    expect([upload.POST, upload.files]).to.deep.equal([[['a', ['1', '2']]], [['f', ['x.txt']]]]);
  });

  it('a body that is another thing than fields: an empty form', async () => {
    for (const body of [null, 'text', 1, ['a'], Buffer.from('a=1'), { a: { b: 1 }, c: 2, d: [1, { e: 1 }] }]) {
      const odd: Koa.Middleware = async (ctx, next) => {
        ctx.req.resume();
        await once(ctx.req, 'end');
        Object.assign(ctx.request, { body });
        await next();
      };
      expect(shown(await post([odd, ours()], { headers: FORM, body: 'a=1' })).POST).to.deep.equal([]);
    }
  });

  it('middleware that listens to the stream: it hears every byte once, and the end before the handler', async () => {
    const heard: string[] = [];
    const listener: Koa.Middleware = async (ctx, next) => {
      ctx.req.on('data', (chunk: Buffer) => heard.push(chunk.toString()));
      ctx.req.on('end', () => heard.push('end'));
      await next();
    };
    const handler: Koa.Middleware = async (_ctx, next) => {
      heard.push('handler');
      await next();
    };
    for (const [headers, body] of [
      [FORM, 'a=1&b=2'],
      [MULTIPART, UPLOAD],
    ] as const) {
      heard.length = 0;
      const answer = await post([listener, ours(), handler], { headers, body });
      expect(answer.status).to.equal(200);
      expect(heard.join('|')).to.equal(`${body}|end|handler`);
    }
  });

  it('itself: the form is read once', async () => {
    const both = shown(await post([ours(), ours()], { headers: MULTIPART, body: UPLOAD }));
    expect([both.POST, both.files]).to.deep.equal([[['a', ['1', '2']]], [['f', ['x.txt']]]]);
  });

  it('itself in a mounted application: the form is read once, and its files are there in both', async () => {
    const sub = appWith(ours(), async (ctx, next) => {
      expect((await ctx.request.FILES.get('f')?.read())?.toString()).to.equal('hello');
      await next();
    });
    const both = shown(await post([ours(), mount('/sub', sub)], { path: '/sub', headers: MULTIPART, body: UPLOAD }));
    expect([both.POST, both.files]).to.deep.equal([[['a', ['1', '2']]], [['f', ['x.txt']]]]);
    const inner = shown(await post([mount('/sub', sub)], { path: '/sub', headers: MULTIPART, body: UPLOAD }));
    expect([inner.POST, inner.files]).to.deep.equal([[['a', ['1', '2']]], [['f', ['x.txt']]]]);
  });

  it('ctx.disableBodyParser: reads nothing', async () => {
    const disable: Koa.Middleware = async (ctx, next) => {
      ctx['disableBodyParser'] = true;
      await next();
      expect(ctx.req.readableDidRead).to.equal(false);
    };
    expect(shown(await post([disable, ours()], { headers: FORM, body: 'a=1' })).POST).to.deep.equal([]);
  });
});

/** Reads the body and keeps nothing. */
const drain: Koa.Middleware = async (ctx, next) => {
  ctx.req.resume();
  await once(ctx.req, 'end');
  await next();
};

describe('formBody after somebody who read the body and left nothing', () => {
  afterEach(closeServers);

  for (const [type, headers, body] of [
    ['urlencoded', FORM, 'a=1'],
    ['multipart', MULTIPART, UPLOAD],
  ] as const) {
    it(`warns once that POST is empty, and not of an empty body: ${type}`, async () => {
      const warnings: Error[] = [];
      const printers = process.listeners('warning');
      process.removeAllListeners('warning').on('warning', (warning) => warnings.push(warning));
      try {
        const app = appWith(drain, formBody({ settings: settings() }), async (ctx) => {
          ctx.body = [...ctx.request.POST.keys()].length;
        });
        const server = await serve(app);
        await server.ask({ method: 'POST', headers: { ...headers, 'content-length': '0' } });
        expect(warnings).to.deep.equal([]);
        for (let time = 0; time < 2; time += 1) {
          expect((await server.ask({ method: 'POST', headers, body })).text).to.equal('0');
        }
      } finally {
        process.removeAllListeners('warning');
        for (const print of printers) process.on('warning', print);
      }
      expect(warnings.map(({ message }) => message)).to.have.length(1);
      expect(warnings[0]?.message).to.match(/kept neither body nor rawBody, so POST is empty/);
    });
  }
});

describe('jsonBody beside', () => {
  afterEach(closeServers);
  const JSON_TYPE = { 'content-type': 'application/json' };
  const answer: Koa.Middleware = async (ctx) => {
    const value = (await jsonBody(ctx, settings())) as { readonly a: unknown };
    ctx.body = `${typeof value.a} ${String(value.a)}`;
  };
  const ask = { headers: JSON_TYPE, body: '{"a":9007199254740993}' };

  for (const [name, make] of Object.entries(PARSERS)) {
    it(`${name}: reads the text where it was kept, else takes the value`, async () => {
      const { text } = await (await serve(appWith(exceptions(), make(), answer))).ask({ method: 'POST', ...ask });
      const exact = KEEPS_RAW.includes(name) || name.includes('multer');
      expect(text).to.equal(exact ? 'bigint 9007199254740993' : 'number 9007199254740992');
    });
  }

  it('itself: can be called twice', async () => {
    const twice: Koa.Middleware = async (ctx, next) => {
      await jsonBody(ctx, settings());
      await next();
    };
    const { text } = await (await serve(appWith(exceptions(), twice, answer))).ask({ method: 'POST', ...ask });
    expect(text).to.equal('bigint 9007199254740993');
  });

  it('somebody who read the body and left nothing: says so to the programmer', async () => {
    const app = appWith(exceptions({ debug: true }), drain, answer);
    const { status, text } = await (await serve(app)).ask({ method: 'POST', ...ask });
    expect([status, text.includes('kept neither body nor rawBody')]).to.deep.equal([500, true]);
  });
});
