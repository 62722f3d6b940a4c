/** Connections that are slow, endless, or bent: each costs itself only, and every answer has its headers. */
import { randomBytes } from 'node:crypto';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { createListener } from '../../server/http/listener.js';
import { PATIENT, type ServerProcess } from '../fire/processes.js';
import { suiteUnderFire } from '../fire/suite.js';
import { until } from '../fire/until.js';
import { Visitor } from '../fire/visitor.js';
import { headOf, raw } from './server.js';

const FORM = 'Content-Type: application/x-www-form-urlencoded';
const MANY = 100;
const ALWAYS = [
  'x-content-type-options',
  'referrer-policy',
  'cross-origin-opener-policy',
  'x-frame-options',
  'content-security-policy',
];

describe('security: the protocol', function () {
  this.timeout(180_000);
  const fire = suiteUnderFire();
  let server: ServerProcess;
  const open: Socket[] = [];

  before(async () => {
    server = await fire.start({ ...PATIENT, HEADERS_TIMEOUT: '2', REQUEST_TIMEOUT: '4' });
  });
  afterEach(() => {
    for (const socket of open.splice(0)) socket.destroy();
  });

  /** A connection that says so much and then waits; `text` is what came back, `ended` that it was closed. */
  function begin(bytes: string): { readonly socket: Socket; readonly state: { text: string; ended: boolean } } {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const state = { text: '', ended: false };
    socket.on('data', (chunk) => {
      state.text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      state.ended = true;
    });
    socket.write(bytes);
    open.push(socket);
    return { socket, state };
  }

  /** Somebody else's page meanwhile. */
  async function othersAreServed(): Promise<void> {
    const answer = await new Visitor().get(`${server.url}/index1/`);
    expect(answer.status).to.equal(200);
  }

  const head = (target = '/index1/'): string => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n`;
  // With a CSRF cookie: without one the form is refused before it is read.
  const post = (...lines: string[]): string =>
    `${['POST /login/ HTTP/1.1', 'Host: localhost', FORM, `Cookie: csrftoken=${'c'.repeat(32)}`, ...lines].join('\r\n')}\r\n\r\n`;

  for (const [name, start] of [
    ['headers that never end', head()],
    ['a body that never ends', `${post('Content-Length: 1000')}username=`],
    ['a chunked body that never ends', `${post('Transfer-Encoding: chunked')}5\r\nusern\r\n`],
  ] as const) {
    it(`are served while ${MANY} connections send ${name}, and those get 408 and an end`, async () => {
      const slow = Array.from({ length: MANY }, () => begin(start));
      await othersAreServed();
      await until(() => slow.every(({ state }) => state.ended) || undefined, {
        seconds: 60,
        what: () => `the slow connections to end; open: ${slow.filter(({ state }) => !state.ended).length}`,
      });
      const first = headOf(slow[0]?.state.text ?? '');
      expect(first.status).to.be.oneOf([408, 400]);
      expect([...first.headers.keys()]).to.include.members(ALWAYS);
      await othersAreServed();
    });
  }

  it('answers 413 to a chunked body of 100 MB without keeping it, and serves others meanwhile', async () => {
    const memory = async (): Promise<number> => rss(server.pid);
    const before = await memory();
    const megabyte = Buffer.concat([Buffer.from('100000\r\n'), randomBytes(1 << 20), Buffer.from('\r\n')]);
    const { socket, state } = begin(post('Transfer-Encoding: chunked'));
    for (let i = 0; i < 100 && !state.ended && !socket.destroyed; i += 1) {
      if (!socket.write(megabyte)) await drained(socket);
      if (i === 10) await othersAreServed();
    }
    await until(() => state.ended || undefined, { seconds: 60, what: () => 'the connection to end' });
    // The client may have been cut off before it could read the answer.
    expect(headOf(state.text).status).to.be.oneOf([413, 0]);
    expect((await memory()) - before).to.be.below(100 * 1024);
    await othersAreServed();
  });

  it('answers 413 to a body whose length says that it is too large', async () => {
    const text = await raw(server.url, `${post('Content-Length: 3000000')}${'x'.repeat(3_000_000)}`);
    expect(headOf(text).status).to.equal(413);
  });

  it('never inflates: a compressed body is 415', async () => {
    const bomb = gzipSync(Buffer.alloc(50 << 20));
    const start = post('Content-Encoding: gzip', `Content-Length: ${bomb.length}`, 'Connection: close');
    const text = await raw(server.url, Buffer.concat([Buffer.from(start), bomb]));
    expect(headOf(text).status).to.equal(415);
  });

  for (const [name, request, status] of [
    ['17 KiB in one header', `${head()}X-Long: ${'x'.repeat(17_000)}\r\n\r\n`, 431],
    ['17 KiB of target', `${head(`/${'x'.repeat(17_000)}`)}\r\n`, 431],
    ['101 headers', `${head()}${Array.from({ length: 100 }, (_, i) => `X-${i}: 1\r\n`).join('')}\r\n`, 431],
    ['thousands of headers', `${head()}${'a: 1\r\n'.repeat(2700)}\r\n`, 431],
    [
      'Content-Length and Transfer-Encoding',
      `${post('Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
      400,
    ],
    [
      'Transfer-Encoding and Content-Length',
      `${post('Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n`,
      400,
    ],
    ['two lengths', `${post('Content-Length: 5', 'Content-Length: 6')}hello!`, 400],
    ['another transfer coding', `${post('Transfer-Encoding: chunked, gzip')}0\r\n\r\n`, 400],
    ['a broken chunk', `${post('Transfer-Encoding: chunked')}ZZ\r\n`, 400],
    ['a bare line feed in a header', `${head()}X: a\nb\r\n\r\n`, 400],
    ['a NUL in a header', `${head()}X: a\0b\r\n\r\n`, 400],
    ['a space before the colon', `${head()}Content-Length : 5\r\n\r\nhello`, 400],
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['another version', 'GET / HTTP/3.0\r\n\r\n', 400],
    ['no Host', 'GET /index1/ HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['two Hosts', `${head()}Host: evil.example\r\nConnection: close\r\n\r\n`, 400],
    ['a target that is no URL', `${head('http://[')}Connection: close\r\n\r\n`, 400],
    ['an expectation', `${head()}Expect: 200-ok\r\nConnection: close\r\n\r\n`, 417],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: localhost\r\nCookie: a=canary\r\nConnection: close\r\n\r\n', 405],
  ] as const) {
    it(`answers ${status} to ${name}, with the headers of every answer, and lives`, async () => {
      const text = await raw(server.url, request);
      const { status: got, headers } = headOf(text);
      expect(got, text.slice(0, 500)).to.equal(status);
      expect([...headers.keys()]).to.include.members([...ALWAYS, 'cache-control']);
      expect(headers.get('cache-control')).to.equal('no-store');
      expect(text).to.not.include('canary').and.not.include('    at ');
      await othersAreServed();
    });
  }

  it('closes CONNECT without an answer', async () => {
    expect(await raw(server.url, 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n')).to.equal('');
  });

  it('takes as many headers as it says', async () => {
    const lines = Array.from({ length: 98 }, (_, i) => `X-${i}: 1\r\n`).join('');
    const text = await raw(server.url, `${head()}${lines}Connection: close\r\n\r\n`);
    expect(headOf(text).status).to.equal(200);
  });

  it('takes a client that goes away in the middle of an upload for no fault of its own', async () => {
    const before = server.log.length;
    for (let i = 0; i < 5; i += 1) {
      const { socket } = begin(`${post('Content-Length: 100000')}username=`);
      await new Promise((resolve) => setImmediate(resolve));
      socket.resetAndDestroy();
    }
    await othersAreServed();
    const lines = server.log.slice(before);
    expect(lines).to.not.include('"level":50').and.not.include('    at ');
  });
});

describe('createListener', () => {
  const LIMITS = { MAX_HEADER_BYTES: 16_384, MAX_HEADERS: 100, HEADERS_TIMEOUT: 1, REQUEST_TIMEOUT: 1 };

  it('ends a connection whose client takes no answers', async () => {
    const { server } = createListener((_request, response) => response.end(Buffer.alloc(100_000)), {
      ...LIMITS,
      KEEP_ALIVE_TIMEOUT: 60,
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.pause();
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(300));
    const connections = (): Promise<number> =>
      new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
    await until(async () => (await connections()) === 1 || undefined, { seconds: 60, what: () => 'the connection' });
    await until(async () => (await connections()) === 0 || undefined, { seconds: 60, what: () => 'its end' });
    socket.destroy();
    server.close();
  });
});

/** Kilobytes that a process has in memory. */
async function rss(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}
