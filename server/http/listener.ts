/** Node's http server, with a limit on everything that a client can make it wait for or store. */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { Connections } from './connections.js';
import { SECURITY_HEADERS } from './security_headers.js';

/** Times are seconds. */
export interface ListenerLimits {
  /** Bytes of a request line with its headers. */
  readonly MAX_HEADER_BYTES: number;
  readonly MAX_HEADERS: number;
  /** For the headers to arrive. */
  readonly HEADERS_TIMEOUT: number;
  /** For the whole request to arrive, and for a client to read the next part of its answer. */
  readonly REQUEST_TIMEOUT: number;
  /** Between two requests of one connection. */
  readonly KEEP_ALIVE_TIMEOUT: number;
}

/** How often Node checks for timeouts, in milliseconds. */
const CHECK = 500;

/** Headers of answers sent from here, before the application sees a request. */
const HEADERS: readonly (readonly [string, string])[] = [
  ...SECURITY_HEADERS,
  ['Cache-Control', 'no-store'],
  ['Connection', 'close'],
  ['Content-Length', '0'],
];

export interface Listener {
  readonly server: Server;
  readonly connections: Connections;
}

/**
 * A server for `handle`. A slow or endless request occupies only its own connection, until a timeout; the time for an
 * answer is not limited. Node's own refusals (400, 408, 413, 417, 431) get the headers of every answer. Requests with
 * more than MAX_HEADERS headers are refused; Node would silently drop the excess headers.
 */
export function createListener(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  limits: ListenerLimits,
): Listener {
  const { MAX_HEADERS } = limits;
  const server = createServer({
    maxHeaderSize: limits.MAX_HEADER_BYTES,
    headersTimeout: Math.min(limits.HEADERS_TIMEOUT, limits.REQUEST_TIMEOUT) * 1000,
    requestTimeout: limits.REQUEST_TIMEOUT * 1000,
    keepAliveTimeout: limits.KEEP_ALIVE_TIMEOUT * 1000,
    connectionsCheckingInterval: CHECK,
    // allowed_hosts answers 400 to a request without Host, as to one with a wrong Host.
    requireHostHeader: false,
  });
  server.maxHeadersCount = MAX_HEADERS;
  const connections = new Connections(server);
  // For a client that does not read its answers; later than the 408 for an incomplete request.
  const still = limits.REQUEST_TIMEOUT * 1000 + 3 * CHECK;
  server.setTimeout(still, (socket) => {
    // After a closed connection a browser would repeat its request. The timer restarts at the next activity.
    if (connections.isWaiting(socket)) socket.setTimeout(still);
    else socket.destroy();
  });

  const answers = new WeakMap<Duplex, ServerResponse>();
  server.on('request', (request, response) => {
    answers.set(request.socket, response);
    if (request.rawHeaders.length > MAX_HEADERS * 2) refuse(response, 431);
    else handle(request, response);
  });
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => refuse(response, 417));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const answer = answers.get(socket);
    const inAnswer = answer?.headersSent === true && !answer.writableFinished;
    if (error.code === 'ECONNRESET' || !socket.writable || inAnswer) socket.destroy();
    else socket.end(plainAnswer(statusOf(error.code)));
  });
  return { server, connections };
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, Object.fromEntries(HEADERS)).end();
}

/** The statuses that Node uses in its own answers. */
function statusOf(code: string | undefined): number {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return 431;
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 413;
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 408;
    default:
      return 400;
  }
}

function plainAnswer(status: number): string {
  const lines = HEADERS.map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`;
}
