/**
 * A request and its response without a port: Node's HTTP client and server on a connection in memory. HEAD, 304,
 * chunks, several Set-Cookie headers and aborted responses therefore work as in a real server.
 */
import {
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type RequestListener,
  request,
} from 'node:http';
import { MemorySocket, type Peer } from './memory_socket.js';

export interface Question {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
  readonly peer: Peer;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The Set-Cookie headers, in order, one character per byte. */
  readonly set_cookie: readonly string[];
  readonly content: Buffer;
}

/** Rejects if the response is aborted or missing. */
export type Exchange = (question: Question) => Promise<Answer>;

/** Sends requests to `listener`, the result of Koa's `app.callback()`. */
export function exchangeWith(listener: RequestListener): Exchange {
  // Does not listen: connections are passed to it, which Node documents for the event 'connection'.
  const server = createServer(listener);
  return ({ method, path, headers, body, peer, signal }) =>
    new Promise<Answer>((resolve, reject) => {
      const [asking, answering] = MemorySocket.pair(peer);
      server.emit('connection', answering);
      const options = { method, path, headers, createConnection: () => asking, ...(signal && { signal }) };
      const asked = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            set_cookie: response.headers['set-cookie'] ?? [],
            content: Buffer.concat(chunks),
          }),
        );
      });
      asked.on('error', reject);
      // As bytes: with a string Node would send the headers as UTF-8, but a cookie has one character per byte.
      asked.end(body.length === 0 ? undefined : body);
    }).finally(heldOpenUntil(signal));
}

/**
 * Keeps the process running: neither a connection in memory nor the timer of AbortSignal.timeout does, so a program
 * could exit before the signal.
 * @returns a function that lets the process exit
 */
function heldOpenUntil(signal: AbortSignal | undefined): () => void {
  if (signal === undefined) return () => {};
  const timer = setInterval(() => {}, LONGEST_TIMER);
  return () => clearInterval(timer);
}

/** The maximum of setTimeout, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;
