/**
 * A Koa application without a port, which is enough for most tests, or behind a real socket; and a client that knows no
 * cookies but those it is given, and shows the bytes of an answer.
 */
import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import Koa from 'koa';
import { defineSettings, type Settings } from '../../server/settings.js';
import { exchangeWith } from '../../server/testing/exchange.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The texts of all Set-Cookie headers, in order, a character for each byte. */
  readonly set_cookie: readonly string[];
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  /** Values that hold other characters than Latin-1 are refused by node: encode them first. */
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

export interface Server {
  readonly port: number;
  ask(ask?: Ask): Promise<Answer>;
  /** Send bytes as they are, and read until the server closes. */
  raw(text: string | Buffer): Promise<string>;
}

export type Portless = Pick<Server, 'ask'>;

/** No port, and nothing to close. */
export function portless(app: Koa): Portless {
  if (app.listenerCount('error') === 0) app.on('error', () => {});
  const exchange = exchangeWith(app.callback());
  return {
    ask: async ({ method = 'GET', path = '/', headers = {}, body = '' } = {}) => {
      const answer = await exchange({
        method,
        path,
        headers: { host: 'localhost', connection: 'close', ...headers },
        body: Buffer.from(body),
        peer: { remoteAddress: '127.0.0.1', encrypted: false },
      });
      return { ...answer, text: answer.content.toString('utf8') };
    },
  };
}

const running: (() => Promise<void>)[] = [];

/** Close what serve() has opened in this test; for `afterEach`. */
export async function closeServers(): Promise<void> {
  await Promise.all(running.splice(0).map((close) => close()));
}

/** Listen on a free port of this machine until closeServers(). */
export async function serve(app: Koa): Promise<Server> {
  // What a test makes fail on purpose is not printed.
  if (app.listenerCount('error') === 0) app.on('error', () => {});
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  running.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { port, ask: (ask) => send(port, ask), raw: (text) => sendRaw(port, text) };
}

function send(port: number, { method = 'GET', path = '/', headers = {}, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          set_cookie: response.headers['set-cookie'] ?? [],
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    request.on('error', reject);
    // As bytes: with text node would send the headers as UTF-8, see CookieJar.
    request.end(body === undefined ? undefined : Buffer.from(body));
  });
}

function sendRaw(port: number, text: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.write(text);
  });
}

/** One handler alone, answering what it returns. */
export function appWith(...middleware: Koa.Middleware[]): Koa {
  const app = new Koa();
  for (const each of middleware) app.use(each);
  return app;
}

export const settings = (values: { readonly [Name in keyof Settings]?: unknown } = {}): Settings =>
  defineSettings({ SECRET_KEY: 'a key for tests', ...values });

/** 2026-01-01T00:00:00Z */
export const NOW = 1_767_225_600;
