/** One request is never expensive: the whole server with hostile text at each of its entrances, told by CPU time. */
import { request } from 'node:http';
import { expect } from 'chai';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { expectLinear, expectNoDearer, leastCost } from '../support/growth.js';
import { startServer, type TestServer } from './server.js';

/** Below node's bound for all headers of a request, which is 16 KiB; and below what some texts are cut to before they are read. */
const HEADER_BYTES = 12_000;
const SIZES = [HEADER_BYTES, 4000, 2000];
const TOKEN = 'a'.repeat(32);
/** How many times the CPU of a plain request a hostile one may take; `linear.test.ts` measures each reader more closely. */
const TIMES = 4;

const HEADER_PARTS = [
  'a',
  'a-',
  ' ',
  '\t',
  ' ,',
  ';',
  ' ;',
  '=',
  'a=b;',
  'a=";',
  ',',
  ';q=0.',
  '"',
  '\\',
  '\\"',
  '%',
  '%25',
  '[',
  '[]',
  '(',
  '9',
  '.',
  ':',
  '1.1.1.1,',
  '127.0.0.1,',
  '[::1]:1,',
  '//',
  '@',
  '*',
  '\xa0',
  '\xcc\x80',
  '\xe2\x80\x80',
] as const;
const TARGET_PARTS = [
  'a',
  '/',
  '//',
  '%',
  '%25',
  '%2e%2e/',
  '%00',
  '.',
  '../',
  ';',
  ':',
  '@',
  '*',
  '(',
  '+',
  '=',
  '&',
  '[',
  "'",
];
const BODY_PARTS = [
  'a',
  ' ',
  '\n',
  '%20',
  '%CC%80%CC%96',
  '%C2%A0',
  '%',
  '+',
  '=',
  '"',
  '\\',
  '[',
  '{"a":',
  '9',
  '/',
  '<',
];

/** Header, or `cookie name=` for the value of one cookie. */
const HEADERS = [
  'Cookie',
  'Cookie sessionid=',
  'Cookie sessionid="',
  'Cookie csrftoken=',
  'Cookie django_language=',
  'Cookie last_visit=',
  'Cookie a:',
  'Accept',
  'Accept-Encoding',
  'Accept-Language',
  'Content-Encoding',
  'Content-Type',
  'Host',
  'If-Modified-Since',
  'If-None-Match',
  'Origin',
  'Range',
  'Referer',
  'Sec-Fetch-Site',
  'User-Agent',
  'X-CSRFToken',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
] as const;

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

describe('security: one request is never expensive', function () {
  this.timeout(180_000);
  let database: TestDatabase;
  let server: TestServer;
  /** A request for the page that everybody gets, to which all others are compared. */
  const plain = (): Promise<number> => send({ path: '/login/' });
  let least: number;

  before(async () => {
    database = await testDatabase();
    server = await startServer({
      DATABASE_URL: database.url,
      TRUSTED_PROXIES: '127.0.0.1',
      LOGIN_CAPTCHA: 'after_failures',
      LAB: '1',
      LOG_LEVEL: 'silent',
    });
    // What is compiled and read at the first request is not a request's work.
    for (const path of ['/', '/login/', '/static/style.css', '/lab/'])
      for (let i = 0; i < 5; i += 1) await send({ path });
    least = await leastCost(plain);
  });
  after(async () => {
    await server?.stop();
    await database?.drop();
  });

  /** The answer's status; a connection that is closed for what was sent is one, too. */
  function send({ method = 'GET', path = '/', headers = {}, body }: Sent): Promise<number> {
    const { hostname, port } = new URL(server.url);
    return new Promise((resolve) => {
      const outgoing = request(
        {
          hostname,
          port,
          method,
          path,
          headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
          agent: false,
        },
        (answer) => {
          answer.resume();
          answer.on('close', () => resolve(answer.statusCode ?? 0));
        },
      );
      outgoing.on('error', () => resolve(0));
      outgoing.end(body);
    });
  }

  const form = (fields: string, cookie = `csrftoken=${TOKEN}`): Sent => ({
    method: 'POST',
    path: '/login/',
    headers: { 'content-type': 'application/x-www-form-urlencoded', cookie },
    body: `csrfmiddlewaretoken=${TOKEN}&${fields}`,
  });
  const json = (body: string): Sent => ({
    method: 'POST',
    path: '/lab/api/',
    headers: { 'content-type': 'application/json', 'x-csrftoken': TOKEN, cookie: `csrftoken=${TOKEN}` },
    body,
  });
  const filled = (part: string, size: number): string => part.repeat(Math.ceil(size / part.length));

  async function cheap(what: string, hostile: Sent): Promise<void> {
    await expectNoDearer(plain, () => send(hostile), TIMES, least).catch((error: Error) => {
      throw new Error(`${what}: ${error.message}`, { cause: error });
    });
  }

  for (const header of HEADERS) {
    it(`${header}`, async () => {
      const [name = '', start = ''] = header.split(' ');
      for (const part of HEADER_PARTS) {
        for (const size of SIZES) {
          const value = `${start}a${filled(part, size)}${size === HEADER_BYTES ? '' : 'x'}`;
          const headers = { [name]: value };
          // Most look at the page that everybody gets; the rules about origins hold for what changes something.
          const unsafe = { method: 'POST', path: '/login/' };
          const sent = /Origin|Referer|Content|CSRF|Sec-/.test(name) ? unsafe : { path: '/login/' };
          const https: Record<string, string> = name === 'Referer' ? { 'X-Forwarded-Proto': 'https' } : {};
          const what = `${name}: ${JSON.stringify(value.slice(0, 30))}`;
          await cheap(what, { ...sent, headers: { ...https, ...headers } });
        }
      }
    });
  }

  it('the path', async () => {
    for (const part of TARGET_PARTS) {
      for (const start of ['/', '/static/', '/goods/', '/login/', '/lab/']) {
        for (const size of SIZES) await cheap(start + part, { path: start + filled(part, size) });
      }
    }
  });

  it('the query', async () => {
    const many = Array.from({ length: 2500 }, (_, number) => `${number}&`).join('');
    await cheap('/login/?, many names', { path: `/login/?${many}` });
    for (const part of [...TARGET_PARTS, 'a&', 'a=&', 'a=b&', 'next=/&']) {
      for (const start of [
        '/login/?',
        '/login/?next=',
        '/login/?next=/',
        '/login/?a[',
        '/?',
        '/language/en/?',
        '/static/style.css?',
      ]) {
        for (const size of SIZES) await cheap(start + part, { path: start + filled(part, size) });
      }
    }
  });

  for (const field of ['username', 'password', 'captcha', 'next', 'refresh', 'csrfmiddlewaretoken', 'a', '']) {
    it(`the form's field ${JSON.stringify(field)}`, async () => {
      for (const part of BODY_PARTS) {
        await expectLinear(
          (size) => form(`username=nobody&${field}=${filled(part, size)}x`),
          (sent) => send(sent),
          60_000,
        ).catch((error: Error) => {
          throw new Error(`${JSON.stringify(part)}: ${error.message}`, { cause: error });
        });
      }
    });
  }

  it('are entrances: what is plain is let in', async () => {
    expect(await send(form('username=nobody&password=wrong'))).to.equal(200);
    expect(await send(form('username=nobody&captcha=x&refresh=1'))).to.equal(200);
    expect(await send(json('{"ops":[["keys"]]}'))).to.equal(200);
    expect(await send({ path: '/static/style.css' })).to.equal(200);
  });

  it('JSON', async () => {
    for (const [before, part, after] of [
      ['{"ops":[["set","a","', 'a', '"]]}'],
      ['{"ops":[["set","a","', '\\u0041', '"]]}'],
      ['{"ops":[["set","a",', '9', ']]}'],
      ['{"ops":[["set","a",-0.', '9', ']]}'],
      ['{"ops":[["set","a",', '[', ']]}'],
      ['{"ops":[', '["keys"],', '["keys"]]}'],
      ['{"ops":[["set_expiry","', '2026-', '"]]}'],
      ['', ' ', ''],
      ['', '{"a":', ''],
      ['{', '"a":1,', '"a":1}'],
    ] as const) {
      await expectLinear(
        (size) => json(before + filled(part, size) + after),
        (sent) => send(sent),
        60_000,
      ).catch((error: Error) => {
        throw new Error(`${JSON.stringify([before, part, after])}: ${error.message}`, { cause: error });
      });
    }
  });

  it('and the server is as well as before', async () => {
    expect(await send({ path: '/login/' })).to.equal(200);
    expect(server.lines).to.deep.equal([]);
  });
});
