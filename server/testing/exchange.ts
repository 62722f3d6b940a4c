/**
 * One request and its answer without a port: Node's own HTTP client and server, joined by a connection in memory. What a
 * server does with HEAD, 304, chunks, several Set-Cookie lines or an answer that is cut off, it does here.
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
  /** The lines of Set-Cookie, in order, a character for each byte. */
  readonly set_cookie: readonly string[];
  readonly content: Buffer;
}

/** Rejects when the answer is cut off, or does not come. */
export type Exchange = (question: Question) => Promise<Answer>;

/** What sends requests to `listener`: what Koa's `app.callback()` returns. */
export function exchangeWith(listener: RequestListener): Exchange {
  // Never listens: connections are handed to it, which Node's documentation of 'connection' allows.
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
      // As bytes: with text Node would send the headers as UTF-8, and a cookie holds a character for each byte.
      asked.end(body.length === 0 ? undefined : body);
    }).finally(heldOpenUntil(signal));
}

/**
 * A connection in memory does not keep the process running, nor does the timer of AbortSignal.timeout: where nothing else is
 * open, a program would end before the signal comes.
 * @returns lets the process end
 */
function heldOpenUntil(signal: AbortSignal | undefined): () => void {
  if (signal === undefined) return () => {};
  const timer = setInterval(() => {}, LONGEST_TIMER);
  return () => clearInterval(timer);
}

/** Milliseconds; setTimeout takes no more. */
const LONGEST_TIMER = 2 ** 31 - 1;
