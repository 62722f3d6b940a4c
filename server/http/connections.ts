/** The connections of an HTTP server: which of them wait for an answer, and how they end when the server goes down. */
import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';

/** Milliseconds that a new connection has for its first byte: the request may be on its way when we stop. */
const FIRST_BYTE = 500;
/** Milliseconds between two looks for connections that have become idle. */
const LOOK = 50;

export interface CloseOptions {
  /** Seconds after which every connection is cut, also one that waits for its answer. */
  readonly timeout: number;
  /**
   * Leave idle keep-alive connections until their next request, which is answered with `Connection: close`, or until
   * the server's own keep-alive timeout. Without it they are closed at once, which resets a request that is on its way.
   */
  readonly patient?: boolean;
}

export class Connections {
  readonly #server: Server;
  /** Every open connection, with the answers that it waits for. Pipelined requests make it more than one. */
  readonly #open = new Map<Socket, Set<ServerResponse>>();
  readonly #since = new WeakMap<Socket, number>();
  #last = false;

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#open.set(socket, new Set());
      this.#since.set(socket, performance.now());
      socket.once('close', () => this.#open.delete(socket));
    });
    server.on('request', ({ socket }, response) => {
      const answers = this.#open.get(socket);
      answers?.add(response);
      response.once('close', () => answers?.delete(response));
      if (this.#last) response.shouldKeepAlive = false;
    });
  }

  /** Does it wait for the next part of an answer from us, rather than for its client to take one or to close? */
  isWaiting(socket: Socket): boolean {
    return socket.writable && socket.writableLength === 0 && (this.#open.get(socket)?.size ?? 0) > 0;
  }

  /** From now on every answer says `Connection: close`, and its connection is closed after it. */
  endAfterAnswer(): void {
    this.#last = true;
    for (const answers of this.#open.values()) for (const answer of answers) answer.shouldKeepAlive = false;
  }

  /**
   * Accept no more connections, and close those that there are: at once where no request has ever come, after its answer
   * where one is being answered. Resolves when all are closed.
   */
  close({ timeout, patient = false }: CloseOptions): Promise<void> {
    this.endAfterAnswer();
    return new Promise((resolve) => {
      const end = setTimeout(() => this.#server.closeAllConnections(), timeout * 1000);
      const look = (): void => {
        this.#closeUnused();
        if (!patient) this.#server.closeIdleConnections();
      };
      const looking = setInterval(look, LOOK);
      // Not http's own close, which closes idle connections first.
      NetServer.prototype.close.call(this.#server, () => {
        clearTimeout(end);
        clearInterval(looking);
        // Ends http's own timer, too.
        this.#server.close();
        resolve();
      });
      look();
    });
  }

  /** Browsers open connections before they need them. */
  #closeUnused(): void {
    const before = performance.now() - FIRST_BYTE;
    for (const socket of this.#open.keys()) {
      if (socket.bytesRead === 0 && (this.#since.get(socket) ?? 0) < before) socket.destroy();
    }
  }
}
