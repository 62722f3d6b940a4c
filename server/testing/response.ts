/** What a test client got. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Answer } from './exchange.js';

/**
 * The answer to a request of a client, read to its end.
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
  /** The lines of Set-Cookie, in order, a character for each byte. */
  readonly set_cookie: readonly string[];
  readonly content: Buffer;
  /** Where `follow` went, in order: address and status of each redirect. */
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

  /** The body as JSON. @throws SyntaxError when it is none */
  json(): unknown {
    return JSON.parse(this.text) as unknown;
  }
}
