/** Work at the head of a response, however the response is begun. */
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import Koa from 'koa';
import { beforeHead, type HeadWork, headSent, keepHeaders } from '../../server/http/head.js';
import { appWith, closeServers, serve } from './serve.js';

const BEGINNINGS: Readonly<Record<string, (ctx: Koa.Context) => void>> = {
  'a body of Koa': (ctx) => {
    ctx.body = 'ok';
  },
  'res.end': (ctx) => {
    ctx.respond = false;
    ctx.res.statusCode = 200;
    ctx.res.end('ok');
  },
  'res.write': (ctx) => {
    ctx.respond = false;
    ctx.res.statusCode = 200;
    ctx.res.write('o');
    ctx.res.end('k');
  },
  'res.writeHead': (ctx) => {
    ctx.respond = false;
    ctx.res.writeHead(200).end('ok');
  },
  flushHeaders: (ctx) => {
    ctx.status = 200;
    ctx.flushHeaders();
    ctx.body = 'ok';
  },
};

/** Work as a function. */
const atHead = (work: () => unknown): HeadWork => ({
  atHead() {
    work();
  },
});

describe('beforeHead', () => {
  afterEach(closeServers);

  for (const [name, begin] of Object.entries(BEGINNINGS)) {
    it(`does its work once when the head goes out by ${name}`, async () => {
      let done = 0;
      const server = await serve(
        appWith((ctx) => {
          beforeHead(
            ctx,
            atHead(() => {
              done += 1;
              ctx.res.setHeader('X-Work', String(ctx.res.statusCode));
            }),
          );
          begin(ctx);
        }),
      );
      const answer = await server.ask();
      expect([answer.status, answer.text, answer.headers['x-work'], done]).to.deep.equal([200, 'ok', '200', 1]);
    });

    it(`does it over HTTP/2 by ${name}`, async () => {
      const app = new Koa();
      app.use((ctx) => {
        beforeHead(
          ctx,
          atHead(() => ctx.res.setHeader('X-Work', 'done')),
        );
        begin(ctx);
      });
      const server = createHttp2Server(app.callback());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      try {
        const request = client.request({ ':path': '/' });
        const work = await new Promise((resolve, reject) => {
          request.on('response', (headers) => resolve(headers['x-work']));
          request.on('error', reject);
        });
        expect(work).to.equal('done');
      } finally {
        client.close();
        server.close();
      }
    });
  }

  it('does inner work before outer work', async () => {
    const order: string[] = [];
    const server = await serve(
      appWith(
        async (ctx, next) => {
          beforeHead(
            ctx,
            atHead(() => order.push('outer')),
          );
          await next();
        },
        (ctx) => {
          beforeHead(
            ctx,
            atHead(() => order.push('inner')),
          );
          ctx.body = 'ok';
        },
      ),
    );
    await server.ask();
    expect(order).to.deep.equal(['inner', 'outer']);
  });

  for (const [form, headers] of [
    ['an object', { 'Set-Cookie': ['b=2', 'c=3'], Vary: 'Accept' }],
    ['names and values in turn', ['Set-Cookie', 'b=2', 'Set-Cookie', 'c=3', 'Vary', 'Accept']],
    [
      'pairs',
      [
        ['Set-Cookie', 'b=2'],
        ['Set-Cookie', 'c=3'],
        ['Vary', 'Accept'],
      ],
    ],
  ] as const) {
    it(`joins cookies that are set with those which writeHead is given as ${form}`, async () => {
      const server = await serve(
        appWith((ctx) => {
          ctx.res.setHeader('Set-Cookie', ['a=1', 'b=1']);
          beforeHead(
            ctx,
            atHead(() => ctx.res.appendHeader('Set-Cookie', 'd=4')),
          );
          ctx.respond = false;
          ctx.res.writeHead(201, 'Made', headers as never).end();
        }),
      );
      const answer = await server.ask();
      expect(answer.status).to.equal(201);
      expect(answer.set_cookie).to.deep.equal(['a=1', 'b=2', 'c=3', 'd=4']);
      expect(answer.headers.vary).to.equal('Accept');
    });
  }

  it('goes through a writeHead of somebody else, put there before or after', async () => {
    const heads: number[] = [];
    const wrap = (ctx: Koa.Context): void => {
      const { res } = ctx;
      const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => typeof res;
      res.writeHead = (...args: unknown[]) => {
        heads.push(Number(args[0]));
        return writeHead(...args);
      };
    };
    const server = await serve(
      appWith((ctx) => {
        wrap(ctx);
        beforeHead(
          ctx,
          atHead(() => ctx.res.setHeader('X-Work', 'done')),
        );
        wrap(ctx);
        ctx.body = 'ok';
      }),
    );
    expect((await server.ask()).headers['x-work']).to.equal('done');
    expect(heads).to.deep.equal([200, 200]);
  });

  it('leaves a second writeHead its own error', async () => {
    const codes: unknown[] = [];
    const server = await serve(
      appWith((ctx) => {
        beforeHead(
          ctx,
          atHead(() => {}),
        );
        ctx.respond = false;
        ctx.res.writeHead(200);
        try {
          ctx.res.writeHead(200);
        } catch (error) {
          codes.push((error as NodeJS.ErrnoException).code);
        }
        ctx.res.end();
      }),
    );
    await server.ask();
    expect(codes).to.deep.equal(['ERR_HTTP_HEADERS_SENT']);
  });

  it('does nothing when the head is out, or where there is no response', async () => {
    let done = 0;
    const server = await serve(
      appWith((ctx) => {
        ctx.status = 200;
        ctx.flushHeaders();
        expect(headSent(ctx)).to.equal(true);
        beforeHead(
          ctx,
          atHead(() => {
            done += 1;
          }),
        );
        ctx.body = 'ok';
      }),
    );
    expect((await server.ask()).text).to.equal('ok');
    const upgrade = new Koa().createContext({ headers: {} } as never, undefined as never) as Koa.Context;
    expect(headSent(upgrade)).to.equal(true);
    beforeHead(
      upgrade,
      atHead(() => {
        done += 1;
      }),
    );
    expect(done).to.equal(0);
  });
});

describe('keepHeaders', () => {
  afterEach(closeServers);

  it('puts back what is missing, and leaves what was set anew', async () => {
    const server = await serve(
      appWith((ctx) => {
        ctx.set({ 'X-A': '1', 'X-B': '1' });
        keepHeaders(ctx, [
          ['X-A', '1'],
          ['X-B', '1'],
        ]);
        ctx.remove('X-A');
        ctx.set('X-B', '2');
        ctx.body = 'ok';
      }),
    );
    expect((await server.ask()).headers).to.include({ 'x-a': '1', 'x-b': '2' });
  });
});
