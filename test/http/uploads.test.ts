/** Uploaded files over real sockets: what handlers get, and that nothing is left of them, whatever happens. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import type Koa from 'koa';
import { csrf } from '../../server/csrf/middleware.js';
import { ImproperlyConfigured } from '../../server/errors.js';
import { exceptions } from '../../server/http/exceptions.js';
import { formBody } from '../../server/http/form.js';
import { heldSpace } from '../../server/http/upload_space.js';
import { InMemoryUploadedFile, TemporaryUploadedFile, type UploadedFile } from '../../server/http/uploaded_file.js';
import { compiled } from '../support/programs.js';
import { type Ask, appWith, closeServers, type Server, serve, settings } from './serve.js';

// Without its types, which would add `body` to everybody's Koa.
const { bodyParser } = createRequire(import.meta.url)('@koa/bodyparser') as { bodyParser(): Koa.Middleware };

const TYPE = { 'content-type': 'multipart/form-data; boundary=X' };
const field = (name: string, value: string): string =>
  `--X\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const file = (name: string, content: string): string =>
  `--X\r\nContent-Disposition: form-data; name="f"; filename="${name}"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${content}\r\n`;
const END = '--X--\r\n';
const upload = (body: string, headers: Ask['headers'] = {}): Ask => ({
  method: 'POST',
  headers: { ...TYPE, ...headers },
  body,
});
const CHUNKED = { 'transfer-encoding': 'chunked' };

const reached: Koa.Middleware = (ctx) => {
  ctx.body = 'reached';
};

/** A promise that a test resolves. */
function signal(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('uploaded files', () => {
  let folder: string;
  /** What an earlier test that failed may have left. */
  let held: ReturnType<typeof heldSpace>;
  beforeEach(() => {
    held = heldSpace();
    folder = mkdtempSync(path.join(tmpdir(), 'uploads-'));
  });
  afterEach(async () => {
    await closeServers();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Every file goes to disk, into a folder of this test. */
  const onDisk = (values: Parameters<typeof settings>[0] = {}): ReturnType<typeof settings> =>
    settings({ FILE_UPLOAD_TEMP_DIR: folder, FILE_UPLOAD_MAX_MEMORY_SIZE: 0, ...values });
  const site = (handle: Koa.Middleware, values: Parameters<typeof settings>[0] = {}): Koa =>
    appWith(exceptions(), formBody({ settings: onDisk(values) }), handle);
  const firstOf = (ctx: Koa.Context): UploadedFile => {
    const found = ctx.request.FILES.get('f');
    if (found === undefined) throw new Error('There is no file f.');
    return found;
  };
  const pathOf = (found: UploadedFile): string => (found as TemporaryUploadedFile).temporary_file_path();

  /** Resolves when no file and no space is held any more; the test's time is the bound. */
  async function nothingLeft(): Promise<void> {
    while (heldSpace().files !== held.files || heldSpace().bytes !== held.bytes) await nextTurn();
    expect(readdirSync(folder)).to.deep.equal([]);
  }

  /** Resolves when a file has been begun. */
  async function somethingThere(): Promise<void> {
    while (readdirSync(folder).length === 0) await nextTurn();
  }

  async function open(server: Server, head: string, body: string): Promise<Socket> {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=X\r\n${head}\r\n${body}`);
    return socket;
  }

  describe('in the handler', () => {
    const describeFile = async (found: UploadedFile): Promise<unknown> => {
      const pieces: string[] = [];
      for await (const piece of found.chunks(4)) pieces.push(piece.toString());
      const { field_name, name, size, content_type, charset } = found;
      const content = (await found.read()).toString();
      return { field_name, name, size, content_type, charset, content, pieces, multiple: found.multiple_chunks(4) };
    };
    const told = { field_name: 'f', name: 'x.txt', content_type: 'text/plain', charset: 'utf-8' };

    it('are in memory where the form is small', async () => {
      const app = site(
        async (ctx) => {
          expect(firstOf(ctx)).to.be.instanceOf(InMemoryUploadedFile);
          ctx.body = await describeFile(firstOf(ctx));
        },
        { FILE_UPLOAD_MAX_MEMORY_SIZE: 1000 },
      );
      for (const headers of [{}, CHUNKED]) {
        const { text } = await (await serve(app)).ask(upload(file('x.txt', 'hello!') + END, headers));
        const content = 'hello!';
        expect(JSON.parse(text)).to.deep.equal({ ...told, size: 6, content, pieces: [content], multiple: false });
      }
      await nothingLeft();
    });

    it('are temporary files where it is large, which only this user can read', async () => {
      const app = site(async (ctx) => {
        const found = firstOf(ctx);
        expect(found).to.be.instanceOf(TemporaryUploadedFile);
        expect(path.dirname(pathOf(found))).to.equal(folder);
        expect(pathOf(found)).to.match(/\.upload\.txt$/);
        expect(statSync(pathOf(found)).mode & 0o777).to.equal(0o600);
        expect(readFileSync(pathOf(found), 'utf8')).to.equal('hello!');
        ctx.body = await describeFile(found);
      });
      const { text } = await (await serve(app)).ask(upload(file('x.txt', 'hello!') + END));
      const content = 'hello!';
      const pieces = ['hell', 'o!'];
      expect(JSON.parse(text)).to.deep.equal({ ...told, size: 6, content, pieces, multiple: true });
      await nothingLeft();
    });

    it('begin in memory and go to disk where the size of the form was not told', async () => {
      const app = site(
        async (ctx) => {
          const contents = await Promise.all(ctx.request.FILES.getlist('f').map((each) => each.read()));
          ctx.body = ctx.request.FILES.getlist('f').map((each, index) => [
            each instanceof TemporaryUploadedFile,
            contents[index]?.equals(Buffer.alloc(each.size, 'x')),
          ]);
        },
        { FILE_UPLOAD_MAX_MEMORY_SIZE: 100_000 },
      );
      const body = file('a', 'x'.repeat(60_000)) + file('b', 'x'.repeat(300_000)) + file('c', 'x'.repeat(10)) + END;
      const { text } = await (await serve(app)).ask(upload(body, CHUNKED));
      expect(JSON.parse(text)).to.deep.equal([
        [false, true],
        [true, true],
        [false, true],
      ]);
      await nothingLeft();
    });

    it('have their bytes whole, however the network cuts them', async () => {
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index) % 251));
      const app = site(async (ctx) => {
        ctx.body = (await firstOf(ctx).read()).equals(bytes) ? 'same' : 'different';
      });
      const body = Buffer.concat([Buffer.from(file('x', '').slice(0, -2)), bytes, Buffer.from(`\r\n${END}`)]);
      const server = await serve(app);
      const socket = await open(server, `Content-Length: ${body.length}\r\nConnection: close\r\n`, '');
      for (let at = 0; at < body.length; at += 40_009) {
        if (!socket.write(body.subarray(at, at + 40_009))) await once(socket, 'drain');
      }
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).toString()).to.match(/same$/);
    });

    it('come from FormData with their names and types', async () => {
      const app = site(async (ctx) => {
        const files = ctx.request.FILES.getlist('f');
        const contents = await Promise.all(files.map(async (each) => (await each.read()).toString()));
        ctx.body = [
          ctx.request.POST.getlist('a'),
          files.map(({ name, content_type }) => [name, content_type]),
          contents,
        ];
      });
      const form = new FormData();
      form.append('a', '清\r\n"');
      form.append('f', new File(['one'], '清"单\n.txt', { type: 'text/plain' }));
      form.append('f', new Blob(['two']));
      const server = await serve(app);
      const answer = await fetch(`http://127.0.0.1:${server.port}/`, { method: 'POST', body: form });
      expect(await answer.json()).to.deep.equal([
        ['清\r\n"'],
        [
          ['清%22单%0A.txt', 'text/plain'],
          ['blob', 'application/octet-stream'],
        ],
        ['one', 'two'],
      ]);
    });

    it('are none for other methods and other types', async () => {
      const app = site((ctx) => {
        ctx.body = [ctx.request.POST.size, ctx.request.FILES.size, ctx.request.FILES.get('f') === undefined];
      });
      const body = file('x.txt', 'hello') + END;
      for (const ask of [
        { ...upload(body), method: 'PUT' },
        { ...upload(body), headers: { 'content-type': 'multipart/mixed; boundary=X' } },
        { method: 'GET' },
      ]) {
        expect((await (await serve(app)).ask(ask)).text).to.equal('[0,0,true]');
      }
    });
  });

  describe('are removed', () => {
    const body = file('x.txt', 'hello') + file('y.txt', 'there') + END;
    const seen: string[] = [];
    beforeEach(() => {
      seen.length = 0;
    });
    const look = (ctx: Koa.Context): void => {
      for (const each of ctx.request.FILES.getlist('f')) {
        expect(existsSync(pathOf(each))).to.equal(true);
        seen.push(pathOf(each));
      }
    };

    it('after the answer', async () => {
      const app = site((ctx) => {
        look(ctx);
        ctx.body = 'done';
      });
      expect((await (await serve(app)).ask(upload(body))).text).to.equal('done');
      expect(seen).to.have.length(2);
      await nothingLeft();
    });

    it('after a handler that throws', async () => {
      const app = site((ctx) => {
        look(ctx);
        throw new Error('on purpose');
      });
      app.silent = true;
      expect((await (await serve(app)).ask(upload(body))).status).to.equal(500);
      expect(seen).to.have.length(2);
      await nothingLeft();
    });

    it('after a handler that throws where nobody makes a page of it', async () => {
      const app = appWith(formBody({ settings: onDisk() }), (ctx) => {
        look(ctx);
        throw new Error('on purpose');
      });
      expect((await (await serve(app)).ask(upload(body))).status).to.equal(500);
      expect(seen).to.have.length(2);
      await nothingLeft();
    });

    it('after an answer that is streamed from one of them, and not before', async () => {
      const app = site((ctx) => {
        ctx.body = Readable.from(firstOf(ctx).chunks(1000));
      });
      const content = 'x'.repeat(1_000_000);
      expect((await (await serve(app)).ask(upload(file('x', content) + END))).text).to.equal(content);
      await nothingLeft();
    });

    it('after a handler that answers by itself', async () => {
      const app = site((ctx) => {
        look(ctx);
        ctx.respond = false;
        ctx.res.end('by itself');
      });
      expect((await (await serve(app)).ask(upload(body))).text).to.equal('by itself');
      await nothingLeft();
    });

    it('when the client goes away half way', async () => {
      const errors: unknown[] = [];
      const logger = { warn: () => {}, error: (details: object) => errors.push(details) };
      let handled = false;
      const app = appWith(exceptions({ logger }), formBody({ settings: onDisk() }), () => {
        handled = true;
      });
      for (const head of ['Content-Length: 100000\r\n', 'Transfer-Encoding: chunked\r\n']) {
        const begun = file('x.txt', 'hello');
        const sent = head.startsWith('T') ? `${begun.length.toString(16)}\r\n${begun}\r\n` : begun;
        const socket = await open(await serve(app), head, sent);
        await somethingThere();
        socket.destroy();
        await nothingLeft();
      }
      expect([handled, errors]).to.deep.equal([false, []]);
    });

    it('when the client goes away while the handler works, and not before it is done', async () => {
      let content = '';
      const events: string[] = [];
      const started = signal();
      const app = site(async (ctx) => {
        started.resolve();
        await once(ctx.res, 'close');
        await nextTurn();
        content = (await firstOf(ctx).read()).toString();
        events.push('read');
      });
      const socket = await open(await serve(app), `Content-Length: ${body.length}\r\n`, body);
      await started.promise;
      socket.destroy();
      await nothingLeft();
      expect([content, events]).to.deep.equal(['there', ['read']]);
    });

    it('when the client goes away while its answer waits behind another one', async () => {
      const release = signal();
      let handled = 0;
      const app = site(async (ctx) => {
        handled += 1;
        if (ctx.method === 'GET') await release.promise;
        ctx.body = 'done';
      });
      const first = connect((await serve(app)).port, '127.0.0.1');
      first.on('error', () => {});
      first.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      first.write(
        `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=X\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      while (handled < 2) await nextTurn();
      first.destroy();
      await nothingLeft();
      release.resolve();
    });

    it('where a form has too many or too large parts, or is malformed', async () => {
      const large = 'x'.repeat(5000);
      const rows: readonly (readonly [body: string, status: number, says: string])[] = [
        [file('a', '1') + file('b', '2') + file('c', '3') + END, 400, 'DATA_UPLOAD_MAX_NUMBER_FILES'],
        [file('a', '1') + field('a', '').repeat(4) + END, 400, 'DATA_UPLOAD_MAX_NUMBER_FIELDS'],
        [file('a', '1') + field('a', 'x'.repeat(300)) + END, 413, 'DATA_UPLOAD_MAX_MEMORY_SIZE'],
        [file('a', '1') + file('b', large) + END, 413, 'FILE_UPLOAD_MAX_BYTES'],
        [file('a', '1') + file('b', '2'), 400, 'ended before it was complete'],
        [file('a', '1') + file('b', '2').slice(0, 20), 400, 'ended before it was complete'],
      ];
      const app = site(reached, {
        DATA_UPLOAD_MAX_NUMBER_FILES: 2,
        DATA_UPLOAD_MAX_NUMBER_FIELDS: 3,
        DATA_UPLOAD_MAX_MEMORY_SIZE: 200,
        FILE_UPLOAD_MAX_BYTES: 4000,
      });
      const server = await serve(app);
      for (const [sent, status, says] of rows) {
        for (const headers of [{}, CHUNKED]) {
          const answer = await server.ask(upload(sent, headers));
          expect([answer.status, answer.text.includes(says)], says).to.deep.equal([status, true]);
          await nothingLeft();
        }
      }
    });

    it('where csrf refuses the token of the form', async () => {
      const app = appWith(exceptions());
      app.use(csrf(app, { settings: onDisk() }));
      const cookie = `csrftoken=${'a'.repeat(32)}`;
      const server = await serve(app);
      const ask = upload(field('csrfmiddlewaretoken', 'b'.repeat(32)) + body, { cookie });
      expect((await server.ask(ask)).status).to.equal(403);
      await nothingLeft();
    });

    it('where csrf has read them and formBody is inside of it', async () => {
      const app = appWith(exceptions());
      app.use(csrf(app, { settings: onDisk() })).use(formBody({ settings: onDisk() }));
      app.use(async (ctx) => {
        ctx.body = await firstOf(ctx).read();
      });
      const cookie = `csrftoken=${'a'.repeat(32)}`;
      const ask = upload(field('csrfmiddlewaretoken', 'a'.repeat(32)) + body, { cookie });
      expect((await (await serve(app)).ask(ask)).text).to.equal('there');
      await nothingLeft();
    });

    it('where the application has moved or removed one', async () => {
      const kept = path.join(folder, 'kept');
      const app = site(async (ctx) => {
        const [one, other] = ctx.request.FILES.getlist('f').map(pathOf);
        await rename(one ?? '', kept);
        rmSync(other ?? '');
        ctx.body = 'moved';
      });
      expect((await (await serve(app)).ask(upload(body))).text).to.equal('moved');
      while (heldSpace().files !== held.files) await nextTurn();
      expect(readdirSync(folder)).to.deep.equal(['kept']);
      expect(readFileSync(kept, 'utf8')).to.equal('hello');
    });

    it('when the process ends while they are there', async function () {
      this.timeout(60_000);
      const child = spawn(process.execPath, [compiled('test/http/upload_child.ts')], {
        env: { ...process.env, UPLOADS: folder },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const socket = connect(Number(String(line)), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(
        `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=X\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      const [paths] = (await once(child.stdout, 'data')) as [Buffer];
      expect(JSON.parse(String(paths))).to.have.length(2);
      expect(readdirSync(folder)).to.have.length(2);
      child.kill('SIGTERM');
      await once(child, 'exit');
      expect(readdirSync(folder)).to.deep.equal([]);
    });
  });

  describe('are bounded', () => {
    it('by FILE_UPLOAD_MAX_BYTES a request, before anything is kept where its size is told', async () => {
      const app = site(reached, { FILE_UPLOAD_MAX_BYTES: 1000 });
      const server = await serve(app);
      const around = file('x', '').length + END.length;
      expect((await server.ask(upload(file('x', 'y'.repeat(1000 - around)) + END))).text).to.equal('reached');
      const answer = await server.ask(upload(file('x', 'y'.repeat(1001 - around)) + END));
      expect([answer.status, answer.headers.connection]).to.deep.equal([413, 'close']);
      expect((await server.ask(upload(`junk${'y'.repeat(1000)}`, CHUNKED))).status).to.equal(413);
    });

    it('by FILE_UPLOAD_MAX_TOTAL_BYTES for all requests: 503 until others are answered', async () => {
      const release = signal();
      const app = site(
        async (ctx) => {
          if (ctx.path === '/slow') await release.promise;
          ctx.body = 'done';
        },
        { FILE_UPLOAD_MAX_TOTAL_BYTES: held.bytes + 1000 },
      );
      const server = await serve(app);
      const slow = server.ask({ ...upload(file('x', 'y'.repeat(600)) + END), path: '/slow' });
      await somethingThere();
      const refused = await server.ask(upload(file('x', 'y'.repeat(600)) + END));
      expect([refused.status, refused.headers['retry-after']]).to.deep.equal([503, '5']);
      expect((await server.ask(upload(file('x', 'y'.repeat(300)) + END))).text).to.equal('done');
      release.resolve();
      expect((await slow).text).to.equal('done');
      await nothingLeft();
      expect((await server.ask(upload(file('x', 'y'.repeat(600)) + END))).text).to.equal('done');
    });

    it('by the headers of a part, and by the number of parts that are none', async () => {
      const server = await serve(site(reached));
      const headers = `--X\r\nX: ${'y'.repeat(9000)}\r\n\r\n\r\n`;
      expect((await server.ask(upload(headers + END))).status).to.equal(400);
      for (const piece of ['--X\r\n', '--X\r\n\r\n\r\n', '--X\r\nA: b\r\n\r\n\r\n']) {
        expect((await server.ask(upload(piece.repeat(100_000) + END))).status, piece).to.equal(400);
      }
    });
  });

  it('come by HTTP/2 as well, and other parsers find the forms after formBody', async () => {
    const app = appWith(exceptions(), formBody({ settings: onDisk() }), bodyParser(), async (ctx) => {
      const { body } = ctx.request as { body?: unknown };
      ctx.body = [[...ctx.request.POST.lists()], (await ctx.request.FILES.get('f')?.read())?.toString() ?? null, body];
    });
    const server = createHttp2Server(app.callback()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const post = async (headers: Readonly<Record<string, string | number>>, body: string): Promise<unknown> => {
      const request = session.request({ ':method': 'POST', ...headers });
      request.end(body);
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      return JSON.parse(Buffer.concat(chunks).toString());
    };
    try {
      const form = field('a', '1') + file('x', 'hello') + END;
      expect(await post(TYPE, form)).to.deep.equal([[['a', ['1']]], 'hello', {}]);
      expect(await post({ ...TYPE, 'content-length': form.length }, form)).to.deep.equal([[['a', ['1']]], 'hello', {}]);
      const type = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': 6 };
      expect(await post(type, 'b[c]=1')).to.deep.equal([[['b[c]', ['1']]], null, { b: { c: '1' } }]);
      await nothingLeft();
    } finally {
      session.close();
      server.close();
      await once(server, 'close');
    }
  });

  it('that cannot be kept are 503, and nothing of them is left', async () => {
    const server = await serve(site(reached));
    rmSync(folder, { recursive: true });
    expect((await server.ask(upload(file('x', 'y') + END))).status).to.equal(503);
    expect(heldSpace()).to.deep.equal(held);
  });

  it('need a folder that can be written to', () => {
    for (const FILE_UPLOAD_TEMP_DIR of [path.join(folder, 'missing'), import.meta.filename]) {
      const make = (): Koa.Middleware => formBody({ settings: settings({ FILE_UPLOAD_TEMP_DIR }) });
      expect(make).to.throw(ImproperlyConfigured, 'FILE_UPLOAD_TEMP_DIR');
    }
    chmodSync(folder, 0o700);
    expect(() => formBody({ settings: onDisk() })).not.to.throw();
  });
});
