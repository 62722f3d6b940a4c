/** What a test client got. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Answer } from './exchange.js';

/**
 * The complete response to a request of a client.
 *
 * ```ts
 * const response = await client.get('/api/cart');
 * response.status; // a number
 * response.headers['content-type'];
 * response.set_cookie; // whole Set-Cookie lines
 * const cart = response.json();
 * ```
 */
export class ClientResponse {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: IncomingHttpHeaders;
  /** The Set-Cookie headers, in order, one character per byte. */
  readonly set_cookie: readonly string[];
  readonly content: Buffer;
  /** The redirects of `follow`, in order: URL and status. */
  readonly redirect_chain: readonly (readonly [url: string, status: number])[];

  constructor(answer: Answer, redirect_chain: ClientResponse['redirect_chain'] = []) {
    this.status = answer.status;
    this.headers = answer.headers;
    this.set_cookie = answer.set_cookie;
    this.content = answer.content;
    this.redirect_chain = redirect_chain;
  }

  /** The body as UTF-8. */
  get text(): string {
    return this.content.toString('utf8');
  }

  /** The body as JSON. @throws SyntaxError for invalid JSON */
  json(): unknown {
    return JSON.parse(this.text) as unknown;
  }
}
