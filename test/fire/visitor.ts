/** A browser as the suites under fire need it: cookies, kept-alive connections, and how long each answer took. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { parseJson, printJson } from '../../server/signing/python_json.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly seconds: number;
}

/** What `POST /lab/api/` answers. */
export interface LabAnswer extends Answer {
  readonly results: readonly unknown[];
}

const CSRF = 'underfire0123456789abcdefghijklm';
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** For a crowd that is to be there at once. Of more connections the kernel would not accept all in time. */
export const crowd = new Agent({ keepAlive: true, maxSockets: 1000 });

/** Close the kept-alive connections. */
export const hangUp = (): void => {
  agent.destroy();
  crowd.destroy();
};

export class Visitor {
  readonly cookies = new Map([['csrftoken', CSRF]]);
  readonly #headers: Readonly<Record<string, string>>;

  readonly #agent: Agent;

  constructor(session_key?: string, headers: Readonly<Record<string, string>> = {}, connections = agent) {
    this.#agent = connections;
    if (session_key !== undefined) this.cookies.set('sessionid', session_key);
    this.#headers = headers;
  }

  get session_key(): string | undefined {
    return this.cookies.get('sessionid');
  }

  get(url: string): Promise<Answer> {
    return this.#send('GET', url);
  }

  /** Post a form. */
  post(url: string, fields: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const body = new URLSearchParams({ csrfmiddlewaretoken: this.cookies.get('csrftoken') ?? '', ...fields });
    return this.#send('POST', url, { type: 'application/x-www-form-urlencoded', text: body.toString() });
  }

  /** Operations on the session, by way of the server's lab. */
  async ops(server: string, ...ops: readonly (readonly unknown[])[]): Promise<LabAnswer> {
    const answer = await this.#send('POST', `${server}/lab/api/`, {
      type: 'application/json',
      text: printJson({ ops }),
    });
    const { results = [] } = answer.status === 200 ? (parseJson(answer.text) as { results: unknown[] }) : {};
    return { ...answer, results };
  }

  #send(method: string, url: string, body?: { readonly type: string; readonly text: string }): Promise<Answer> {
    const start = performance.now();
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    return new Promise((resolve, reject) => {
      const outgoing = request(url, {
        agent: this.#agent,
        method,
        timeout: 20_000,
        headers: {
          accept: 'text/html, application/json;q=0.5',
          cookie,
          'x-csrftoken': this.cookies.get('csrftoken') ?? '',
          ...this.#headers,
          ...(body && { 'content-type': body.type, 'content-length': Buffer.byteLength(body.text) }),
        },
      });
      outgoing.on('error', reject);
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${url}: no answer within 20 s`)));
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          this.#keep(incoming.headers['set-cookie'] ?? []);
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            text: Buffer.concat(chunks).toString('utf8'),
            seconds: (performance.now() - start) / 1000,
          });
        });
      });
      outgoing.end(body?.text);
    });
  }

  #keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/; Max-Age=0(;|$)/.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }
}
