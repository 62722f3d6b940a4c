/** Bodies over real sockets: whatever is sent, no answer is a 5xx. */
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import type Koa from 'koa';
import { exceptions } from '../../server/http/exceptions.js';
import { formBody, jsonBody } from '../../server/http/form.js';
import { parseForm } from '../../server/http/query_dict.js';
import { type Answer, type Ask, appWith, closeServers, serve, settings } from './serve.js';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

const readsForm = (values: Parameters<typeof settings>[0] = {}): Koa =>
  appWith(exceptions(), formBody({ settings: settings(values) }), (ctx) => {
    const { POST } = ctx.request;
    ctx.body = JSON.stringify([...POST.keys()].map((name) => [name, ...POST.getlist(name)]));
  });

const readsJson = (values: Parameters<typeof settings>[0] = {}): Koa =>
  appWith(exceptions(), async (ctx) => {
    ctx.body = String(await jsonBody(ctx, settings(values)));
  });

async function post(app: Koa, ask: Ask): Promise<Answer> {
  const server = await serve(app);
  return server.ask({ method: 'POST', ...ask });
}

describe('formBody', () => {
  afterEach(closeServers);

  const rows: readonly (readonly [body: string | Buffer, fields: readonly (readonly string[])[]])[] = [
    ['', []],
    ['a=1', [['a', '1']]],
    [
      'a=1&a=2&b=3',
      [
        ['a', '1', '2'],
        ['b', '3'],
      ],
    ],
    ['?a=1', [['?a', '1']]],
    ['a', [['a', '']]],
    ['=1', [['', '1']]],
    ['a=b=c', [['a', 'b=c']]],
    ['&&a=1&&', [['a', '1']]],
    ['a=1;b=2', [['a', '1;b=2']]],
    ['a=x+y%20z', [['a', 'x y z']]],
    ['a=%E6%B8%85', [['a', '清']]],
    ['a=清', [['a', '清']]],
    ['a=%00', [['a', '\u0000']]],
    ['a=%FF%', [['a', '\ufffd%']]],
    [Buffer.from([0x61, 0x3d, 0xff, 0x00, 0xfe]), [['a', 'ÿ\u0000þ']]],
    ['a=%E9 ļscriptľ', [['a', '\ufffd ļscriptľ']]],
    ['a%ff=%E2%82 😀', [['a\ufffd', '\ufffd 😀']]],
    ['a=%ED%A0%80%C0', [['a', '\ufffd\ufffd\ufffd\ufffd']]],
    [
      '__proto__=1&constructor=2&toString=3',
      [
        ['__proto__', '1'],
        ['constructor', '2'],
        ['toString', '3'],
      ],
    ],
    [
      'a[]=1&a[b]=2',
      [
        ['a[]', '1'],
        ['a[b]', '2'],
      ],
    ],
  ];
  for (const [body, fields] of rows) {
    it(`reads ${JSON.stringify(body.toString('latin1' as BufferEncoding))}`, async () => {
      const answer = await post(readsForm(), { headers: FORM, body });
      expect([answer.status, answer.text]).to.deep.equal([200, JSON.stringify(fields)]);
    });
  }

  it('gives the last value, all values, and nothing for a name that was not sent', () => {
    const form = parseForm(Buffer.from('a=1&a=2'), 10);
    expect([form.get('a'), form.getlist('a'), form.get('b'), form.getlist('b')]).to.deep.equal([
      '2',
      ['1', '2'],
      undefined,
      [],
    ]);
    expect([form.get('__proto__'), form.has('constructor'), form.size]).to.deep.equal([undefined, false, 1]);
  });

  it('takes any charset for UTF-8', async () => {
    for (const charset of ['latin1', 'utf-16', 'nonsense', '"', '']) {
      const headers = { 'content-type': `Application/X-WWW-Form-Urlencoded ; charset=${charset}` };
      expect((await post(readsForm(), { headers, body: 'a=清' })).text).to.equal('[["a","清"]]');
    }
  });

  it('is empty for other methods and other types', async () => {
    expect((await post(readsForm(), { method: 'PUT', headers: FORM, body: 'a=1' })).text).to.equal('[]');
    expect((await post(readsForm(), { method: 'GET' })).text).to.equal('[]');
    expect((await post(readsForm(), { headers: { 'content-type': 'text/plain' }, body: 'a=1' })).text).to.equal('[]');
    expect((await post(readsForm(), { body: 'a=1' })).text).to.equal('[]');
    for (const type of [';', ' ', '/', 'a;b;c', 'x'.repeat(5000)]) {
      expect((await post(readsForm(), { headers: { 'content-type': type }, body: 'a=1' })).status).to.equal(200);
    }
  });

  it('answers 413 to a body over the limit and closes, whether its length is told or not', async () => {
    const app = readsForm({ DATA_UPLOAD_MAX_MEMORY_SIZE: 1000 });
    const body = `a=${'x'.repeat(1_000_000)}`;
    const kept = { ...FORM, connection: 'keep-alive' };
    for (const headers of [kept, { ...kept, 'transfer-encoding': 'chunked' }]) {
      const answer = await post(app, { headers, body });
      expect(answer.status).to.equal(413);
      expect(answer.headers.connection).to.equal('close');
      expect(answer.text).to.contain('DATA_UPLOAD_MAX_MEMORY_SIZE');
    }
    expect((await post(app, { headers: FORM, body: `a=${'x'.repeat(998)}` })).status).to.equal(200);
    expect((await post(app, { headers: FORM, body: `a=${'x'.repeat(999)}` })).status).to.equal(413);
  });

  it('does not read on and on', async () => {
    const server = await serve(readsForm());
    const socket = connect(server.port, '127.0.0.1');
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => {});
    const block = Buffer.alloc(0xffff, 'x');
    const chunk = Buffer.concat([Buffer.from('ffff\r\n'), block, Buffer.from('\r\n')]);
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n');
    socket.write('Transfer-Encoding: chunked\r\n\r\n');
    socket.resume();
    const push = (): void => {
      while (!socket.destroyed && socket.write(chunk));
      socket.once('drain', push);
    };
    push();
    await closed;
    expect(socket.bytesWritten).to.be.below(64 * 1024 * 1024);
    expect((await server.ask()).status).to.equal(200);
  });

  it('answers 400 to more fields than allowed', async () => {
    const app = readsForm({ DATA_UPLOAD_MAX_NUMBER_FIELDS: 3 });
    expect((await post(app, { headers: FORM, body: 'a&b&c' })).status).to.equal(200);
    const answer = await post(app, { headers: FORM, body: 'a&b&c&d' });
    expect(answer.status).to.equal(400);
    expect(answer.text).to.contain('DATA_UPLOAD_MAX_NUMBER_FIELDS');
  });

  it('answers 415 to compressed bodies', async () => {
    for (const encoding of ['gzip', 'br', 'deflate', 'GZIP', 'gzip, gzip', 'nonsense']) {
      const answer = await post(readsForm(), {
        headers: { ...FORM, 'content-encoding': encoding },
        body: gzipSync('a'.repeat(1e6)),
      });
      expect(answer.status, encoding).to.equal(415);
    }
    const identity = await post(readsForm(), { headers: { ...FORM, 'content-encoding': 'identity' }, body: 'a=1' });
    expect(identity.text).to.equal('[["a","1"]]');
  });

  it('outlives a client that goes away in the middle', async () => {
    const errors: unknown[] = [];
    const logger = { warn: () => {}, error: (details: object) => errors.push(details) };
    const server = await serve(appWith(exceptions({ logger }), formBody({ settings: settings() })));
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\na=1',
    );
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.destroy();
    expect((await server.ask()).status).to.equal(404);
    expect(errors).to.deep.equal([]);
  });
});

describe('jsonBody', () => {
  afterEach(closeServers);
  const JSON_TYPE = { 'content-type': 'application/json' };

  it('reads what Python reads', async () => {
    for (const [body, value] of [
      ['1', '1'],
      ['9007199254740993', '9007199254740993'],
      ['NaN', 'NaN'],
      ['"清"', '清'],
      ['{"__proto__":1}', '[object Object]'],
    ] as const) {
      expect((await post(readsJson(), { headers: JSON_TYPE, body })).text).to.equal(value);
    }
  });

  it('answers 400 to what is no JSON', async () => {
    for (const body of ['', '{', "{'a':1}", '[1,]', '\u0000', '['.repeat(100_000), Buffer.from([0xff]), '"\n"']) {
      expect((await post(readsJson(), { headers: JSON_TYPE, body })).status, String(body).slice(0, 20)).to.equal(400);
    }
  });

  it('answers 415 to another type and 413 over the limit', async () => {
    expect((await post(readsJson(), { headers: FORM, body: '{}' })).status).to.equal(415);
    expect((await post(readsJson(), { body: '{}' })).status).to.equal(415);
    const app = readsJson({ DATA_UPLOAD_MAX_MEMORY_SIZE: 10 });
    expect((await post(app, { headers: JSON_TYPE, body: '"xxxxxxxxxxx"' })).status).to.equal(413);
  });
});
