/** A browser for the live suites: one cookie jar for both servers, as behind one address, over kept-alive connections. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { parseJson } from '../../server/signing/python_json.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly set_cookie: readonly string[];
  readonly text: string;
  /** The body read as Python reads JSON, so that NaN and integers beyond 2^53 survive. */
  readonly json: unknown;
}

export interface Sending {
  readonly form?: Readonly<Record<string, string>>;
  /** JSON text, sent as it is. */
  readonly json?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const agent = new Agent({ keepAlive: true, maxSockets: 32 });

/** Close the kept-alive connections, so that servers stop at once. */
export const hangUp = (): void => agent.destroy();

export class Browser {
  /** Name → value as the server wrote it, quotes and escapes included. */
  readonly jar = new Map<string, string>();

  get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#send('GET', url, { headers });
  }

  post(url: string, sending: Sending = {}): Promise<Answer> {
    return this.#send('POST', url, sending);
  }

  #send(method: string, url: string, sending: Sending): Promise<Answer> {
    const { form, json, headers = {} } = sending;
    const body = form === undefined ? json : new URLSearchParams(form).toString();
    const type = form === undefined ? 'application/json' : 'application/x-www-form-urlencoded';
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const again = (): Promise<Answer> => this.#send(method, url, sending);
    return new Promise((resolve, reject) => {
      const outgoing = request(url, {
        agent,
        method,
        timeout: 30_000,
        headers: {
          accept: 'application/json',
          ...(cookie === '' ? {} : { cookie }),
          ...(body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // A server closed a kept connection at the moment at which it was used once more: it has not seen the request.
        if (outgoing.reusedSocket && error.code === 'ECONNRESET') resolve(again());
        else reject(error);
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${url}: no answer within 30 s`)));
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const set_cookie = incoming.headers['set-cookie'] ?? [];
          for (const line of set_cookie) this.#keep(line);
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            set_cookie,
            text,
            get json() {
              try {
                return parseJson(text);
              } catch {
                throw new Error(`${method} ${url}: ${incoming.statusCode} is not JSON: ${text.slice(0, 500)}`);
              }
            },
          });
        });
      });
      outgoing.end(body);
    });
  }

  /** RFC 6265 section 5.3, as far as two servers on one host need it. */
  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(/; */);
    const name = pair.slice(0, pair.indexOf('='));
    if (attributes.some((attribute) => /^max-age=(0|-\d+)$/i.test(attribute))) this.jar.delete(name);
    else this.jar.set(name, pair.slice(name.length + 1));
  }
}

/** Send a request's bytes as they are, for headers that no HTTP client would send. Resolves to status and body. */
export function sendRaw(url: string, headers: readonly (string | Buffer)[]): Promise<{ status: number; body: string }> {
  const { hostname, port, pathname } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    socket.setTimeout(10_000, () => socket.destroy(new Error(`${url}: no answer within 10 s`)));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const gap = text.indexOf('\r\n\r\n');
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), body: text.slice(gap + 4) });
      socket.end();
    });
    const lines = [`GET ${pathname} HTTP/1.1`, `Host: ${hostname}`, 'Accept: application/json', 'Connection: close'];
    const bytes = [...lines, ...headers].map((line) => Buffer.concat([Buffer.from(line), Buffer.from('\r\n')]));
    socket.write(Buffer.concat([...bytes, Buffer.from('\r\n')]));
  });
}
