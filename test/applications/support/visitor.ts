/** A browser: sends the cookies that it was sent. */
import { type IncomingHttpHeaders, request } from 'node:http';

export interface Page {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The lines of Set-Cookie, in order. */
  readonly set_cookie: readonly string[];
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** URLSearchParams and FormData bring their Content-Type. */
  readonly body?: ConstructorParameters<typeof Response>[0];
}

export class Visitor {
  readonly cookies = new Map<string, string>();
  readonly #url: string;

  constructor({ url }: { readonly url: string }) {
    this.#url = url;
  }

  /** A visitor who came once, so that there is a cookie and a row. */
  static async returning(site: { readonly url: string }, path = '/'): Promise<Visitor> {
    const visitor = new Visitor(site);
    await visitor.get(path);
    if (visitor.cookies.size === 0) throw new Error(`${path} sent no cookie.`);
    return visitor;
  }

  get sessionid(): string | undefined {
    return this.cookies.get('sessionid');
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Page> {
    return this.ask(path, { headers });
  }

  post(path: string, body: Exclude<Ask['body'], undefined>, headers: Ask['headers'] = {}): Promise<Page> {
    return this.ask(path, { method: 'POST', body, headers });
  }

  /** Rejects when the answer does not end, or ends early. */
  async ask(path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Page> {
    const coded = new Response(body ?? null);
    const type = coded.headers.get('content-type');
    const bytes = Buffer.from(await coded.arrayBuffer());
    const page = await send(`${this.#url}${path}`, method, bytes, {
      ...(this.cookies.size === 0 ? {} : { cookie: this.cookie }),
      ...(type === null ? {} : { 'content-type': type }),
      ...headers,
    });
    for (const line of page.set_cookie) this.#keep(line);
    return page;
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (/; Max-Age=0(;|$)/i.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

/** node:http, as fetch adds `Cache-Control: no-cache` to a conditional request. */
function send(url: string, method: string, body: Buffer, headers: Readonly<Record<string, string>>): Promise<Page> {
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: false, signal: AbortSignal.timeout(10_000) };
    const req = request(url, options, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          set_cookie: res.headers['set-cookie'] ?? [],
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    req.on('error', reject);
    req.end(body.length === 0 ? undefined : body);
  });
}
