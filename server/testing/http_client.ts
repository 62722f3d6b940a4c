/** A client that sends requests to an application without a port, and stores cookies. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Clock } from '../clock.js';
import { UNENFORCED } from '../csrf/unenforced.js';
import { ImproperlyConfigured, ValueError } from '../errors.js';
import { checkedClock } from '../settings/given.js';
import { encodeBody } from './body.js';
import { ClientCookies } from './cookies.js';
import { type Exchange, exchangeWith } from './exchange.js';
import { ClientResponse } from './response.js';

/** A Koa application with any types of state and context. */
export interface TestedApplication {
  readonly context: object;
  /** Koa's own. */
  callback(): RequestListener;
  /** Koa's own. */
  createContext(req: IncomingMessage, res: ServerResponse): object;
}

/** Headers by name. */
export type ClientHeaders = Readonly<Record<string, string>>;

/** Defaults for each request of a client. */
export interface HttpClientOptions {
  readonly now?: Clock;
  /** Sent with each request. */
  readonly headers?: ClientHeaders;
  /** Ask over https. */
  readonly secure?: boolean;
  /** Whether forms need a CSRF token, as in a browser; default false. */
  readonly enforce_csrf_checks?: boolean;
  /** The cookie jar of another client, to share it. */
  readonly cookies?: ClientCookies;
}

/** How a request is sent. */
export interface ClientRequest {
  readonly headers?: ClientHeaders;
  /** Send over https or not; overrides the client's setting. */
  readonly secure?: boolean;
  /** Follow redirects on this host. */
  readonly follow?: boolean;
  /** Aborts the request, which rejects; for endless responses such as an event stream. */
  readonly signal?: AbortSignal;
}

/** Options of a request with a body. */
export interface ClientBodyRequest extends ClientRequest {
  /** The type of `data` if it is not a form: application/json. */
  readonly content_type?: string;
}

const MOST_REDIRECTS = 20;
const METHOD_KEPT: ReadonlySet<number> = new Set([307, 308]);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, ...METHOD_KEPT]);

/**
 * A client that sends requests to an application and stores its cookies, without methods for sessions. It needs no
 * closing.
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

  /** @throws ImproperlyConfigured for what is no application */
  constructor(app: TestedApplication, options: HttpClientOptions = {}) {
    if (typeof app?.callback !== 'function') {
      throw new ImproperlyConfigured(`new ${new.target.name}() needs the Koa application first.`);
    }
    this.app = app;
    this.#options = options;
    this.now = checkedClock(options.now);
    this.cookies = options.cookies ?? new ClientCookies(this.now);
  }

  /** Send GET. */
  get(path: string, request: ClientRequest = {}): Promise<ClientResponse> {
    return this.request('GET', path, undefined, request);
  }

  /** Send HEAD: the response has headers and no content. */
  head(path: string, request: ClientRequest = {}): Promise<ClientResponse> {
    return this.request('HEAD', path, undefined, request);
  }

  /** Send OPTIONS. */
  options(path: string, request: ClientRequest = {}): Promise<ClientResponse> {
    return this.request('OPTIONS', path, undefined, request);
  }

  /** Send POST with a form, or with `content_type`. */
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
   * Send any request. Rejects if the response is aborted.
   *
   * @param path from the root, with its query, percent-encoded
   * @param data a string or bytes, sent unchanged; FormData, sent as a multipart form; an object, sent as a URL-encoded
   *   form, or as JSON by `content_type` or a header
   * @throws ValueError for a path or data that cannot be sent unchanged
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

/** @throws ValueError for requests that Node answers with 400 before the application sees them */
function checkPath(path: string): void {
  const shown = JSON.stringify(path);
  if (!/^(?:\/|\*$|https?:\/\/)/i.test(path))
    throw new ValueError(`Give the path from the root, such as "/cart", not ${shown}.`);
  if (/[^\x21-\x7e]/.test(path))
    throw new ValueError(`Percent-encode the path, with encodeURI, as a browser does: ${shown}.`);
}

const inSmallLetters = (headers: ClientHeaders = {}): ClientHeaders =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
