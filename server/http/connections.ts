/** Tracks the connections of an HTTP server, and closes them at shutdown. */
import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';

/** Milliseconds that a new connection has for its first byte at shutdown: its request may already be in flight. */
const FIRST_BYTE = 500;
/** Milliseconds between two checks for idle connections. */
const LOOK = 50;

export interface CloseOptions {
  /** Seconds after which every connection is closed, even one that waits for its answer. */
  readonly timeout: number;
  /**
   * Keep idle connections open until their next request, which is answered with `Connection: close`, or until the
   * keep-alive timeout. Otherwise they are closed at once, which resets a request in flight.
   */
  readonly patient?: boolean;
}

export class Connections {
  readonly #server: Server;
  /** Every open connection, with its pending answers; pipelining makes them several. */
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

  /** Whether the connection waits for our answer, not for its client to read one or to close. */
  isWaiting(socket: Socket): boolean {
    return socket.writable && socket.writableLength === 0 && (this.#open.get(socket)?.size ?? 0) > 0;
  }

  /** From now on every answer has `Connection: close`, and its connection is closed after it. */
  endAfterAnswer(): void {
    this.#last = true;
    for (const answers of this.#open.values()) for (const answer of answers) answer.shouldKeepAlive = false;
  }

  /**
   * Stop listening and close all connections: at once if they never had a request, after the answer if they have one
   * pending. Resolves when all are closed.
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
      // Not http.Server's close, which closes idle connections first.
      NetServer.prototype.close.call(this.#server, () => {
        clearTimeout(end);
        clearInterval(looking);
        // Also stops http.Server's timer.
        this.#server.close();
        resolve();
      });
      look();
    });
  }

  /** Browsers open connections in advance. */
  #closeUnused(): void {
    const before = performance.now() - FIRST_BYTE;
    for (const socket of this.#open.keys()) {
      if (socket.bytesRead === 0 && (this.#since.get(socket) ?? 0) < before) socket.destroy();
    }
  }
}
