/** A browser without pages: requests to an application, without a port, and the cookies that it sends. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../clock.js';
import { UNENFORCED } from '../csrf/unenforced.js';
import { ValueError } from '../errors.js';
import { encodeBody } from './body.js';
import { ClientCookies } from './cookies.js';
import { type Exchange, exchangeWith } from './exchange.js';
import { ClientResponse } from './response.js';

/** A Koa application, whatever its own types of state and context are. */
export interface TestedApplication {
  readonly context: object;
  /** Koa's own. */
  callback(): RequestListener;
  /** Koa's own. */
  createContext(req: IncomingMessage, res: ServerResponse): object;
}

/** Headers by name. */
export type ClientHeaders = Readonly<Record<string, string>>;

/** What a client sends with each request. */
export interface HttpClientOptions {
  readonly now?: Clock;
  /** Sent with each request. */
  readonly headers?: ClientHeaders;
  /** Ask over https. */
  readonly secure?: boolean;
  /** Whether forms need a CSRF token, as a browser's do; not, unless set. */
  readonly enforce_csrf_checks?: boolean;
  /** Another client's, for two sessions in one browser. */
  readonly cookies?: ClientCookies;
}

/** How a request is sent. */
export interface ClientRequest {
  readonly headers?: ClientHeaders;
  /** Ask over https, or not, whatever the client does. */
  readonly secure?: boolean;
  /** Go where redirects lead, as long as they stay on this host. */
  readonly follow?: boolean;
  /** Ends the wait for an answer that does not end, such as an event stream: the request is closed, and rejects. */
  readonly signal?: AbortSignal;
}

/** How a request with a body is sent. */
export interface ClientBodyRequest extends ClientRequest {
  /** What `data` is sent as, where that is no form: application/json. */
  readonly content_type?: string;
}

const MOST_REDIRECTS = 20;
const METHOD_KEPT: ReadonlySet<number> = new Set([307, 308]);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, ...METHOD_KEPT]);

/**
 * A client that sends requests to an application and keeps its cookies, and knows nothing of sessions. Nothing has to be closed.
 *
 * ```ts
 * const http = new HttpClient(app);
 * const response = await http.get('/', { headers: { Accept: 'application/json' } });
 * ```
 */
export class HttpClient {
  readonly cookies: ClientCookies;
  protected readonly app: TestedApplication;
  protected readonly now: Clock;
  readonly #options: HttpClientOptions;
  #exchange: Exchange | undefined;

  constructor(app: TestedApplication, options: HttpClientOptions = {}) {
    this.app = app;
    this.#options = options;
    this.now = options.now ?? systemClock;
    this.cookies = options.cookies ?? new ClientCookies(this.now);
  }

  /** Send GET. */
  get(path: string, request: ClientRequest = {}): Promise<ClientResponse> {
    return this.request('GET', path, undefined, request);
  }

  /** Send HEAD: the answer has headers and no content. */
  head(path: string, request: ClientRequest = {}): Promise<ClientResponse> {
    return this.request('HEAD', path, undefined, request);
  }

  /** Send OPTIONS. */
  options(path: string, request: ClientRequest = {}): Promise<ClientResponse> {
    return this.request('OPTIONS', path, undefined, request);
  }

  /** Send POST with a form, or as `content_type` says. */
  post(path: string, data?: object | string, request: ClientBodyRequest = {}): Promise<ClientResponse> {
    return this.request('POST', path, data, request);
  }

  /** Send PUT. */
  put(path: string, data?: object | string, request: ClientBodyRequest = {}): Promise<ClientResponse> {
    return this.request('PUT', path, data, request);
  }

  /** Send PATCH. */
  patch(path: string, data?: object | string, request: ClientBodyRequest = {}): Promise<ClientResponse> {
    return this.request('PATCH', path, data, request);
  }

  /** Send DELETE. */
  delete(path: string, data?: object | string, request: ClientBodyRequest = {}): Promise<ClientResponse> {
    return this.request('DELETE', path, data, request);
  }

  /**
   * Any request. Rejects when the answer is cut off, as a browser's would fail.
   *
   * @param path from the root, with its query, percent-encoded
   * @param data a text or bytes as they are, FormData as a multipart form, an object's members as a form's fields, or as
   *   JSON where `content_type` or a header says so
   * @throws ValueError for a path or data that cannot be sent as they are
   */
  async request(
    method: string,
    path: string,
    data?: object | string,
    { follow = false, ...request }: ClientBodyRequest = {},
  ): Promise<ClientResponse> {
    const chain: (readonly [string, number])[] = [];
    const { secure = this.#options.secure ?? false } = request;
    let response = await this.#ask(method, path, data, { ...request, secure });
    let here = new URL(path, `${secure ? 'https' : 'http'}://${this.#host(request.headers)}`);
    let [again, sent] = [method, data];
    while (follow && REDIRECTS.has(response.status) && response.headers.location !== undefined) {
      const target = new URL(response.headers.location, here);
      if (target.host !== here.host) break;
      chain.push([response.headers.location, response.status]);
      if (chain.length > MOST_REDIRECTS) throw new Error(`${path}: more than ${MOST_REDIRECTS} redirects.`);
      if (!METHOD_KEPT.has(response.status)) [again, sent] = [again === 'HEAD' ? 'HEAD' : 'GET', undefined];
      here = target;
      const next = { ...request, secure: target.protocol === 'https:' };
      response = await this.#ask(again, target.pathname + target.search, sent, next);
    }
    return new ClientResponse(response, chain);
  }

  async #ask(
    method: string,
    path: string,
    data: object | string | undefined,
    { headers = {}, content_type, signal, secure = false }: ClientBodyRequest,
  ): Promise<ClientResponse> {
    checkPath(path);
    const [pathname = ''] = path.split('?', 1);
    const given = { ...inSmallLetters(this.#options.headers), ...inSmallLetters(headers) };
    const { body, content_type: type } = await encodeBody(data, content_type ?? given['content-type']);
    const Cookie = this.cookies.header(pathname, secure);
    this.#exchange ??= exchangeWith(this.#listener());
    const answer = await this.#exchange({
      method,
      path,
      headers: {
        host: this.#host(headers),
        connection: 'close',
        ...(Cookie === '' ? {} : { cookie: Cookie }),
        ...given,
        ...(type === null ? {} : { 'content-type': type }),
      },
      body,
      peer: { remoteAddress: '127.0.0.1', encrypted: secure },
      signal,
    });
    for (const line of answer.set_cookie) this.cookies.take(line, pathname);
    return new ClientResponse(answer);
  }

  #host(headers: ClientHeaders = {}): string {
    return inSmallLetters({ ...this.#options.headers, ...headers })['host'] ?? 'localhost';
  }

  #listener(): RequestListener {
    const listener = this.app.callback();
    if (this.#options.enforce_csrf_checks === true) return listener;
    return (req, res) => {
      UNENFORCED.add(req);
      listener(req, res);
    };
  }
}

/** @throws ValueError for what Node would answer with 400, which the application never sees */
function checkPath(path: string): void {
  const shown = JSON.stringify(path);
  if (!/^(?:\/|\*$|https?:\/\/)/i.test(path))
    throw new ValueError(`Give the path from the root, such as "/cart", not ${shown}.`);
  if (/[^\x21-\x7e]/.test(path))
    throw new ValueError(`Percent-encode the path, with encodeURI, as a browser does: ${shown}.`);
}

const inSmallLetters = (headers: ClientHeaders = {}): ClientHeaders =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
