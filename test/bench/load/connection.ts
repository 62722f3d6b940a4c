/** One keep-alive connection that asks, waits for the whole answer, and asks again: HTTP/1.1 by hand, for little CPU. */
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export class Connection {
  readonly #port: number;
  #socket: Socket | undefined;
  #received = '';
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends the request and resolves with its answer; opens a connection when the server closed the last one. */
  ask(request: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (this.#socket === undefined) this.#open();
      this.#socket?.write(request, 'latin1');
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #open(): void {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#read(chunk));
    const lost = (error: Error): void => {
      if (this.#socket === socket) this.#socket = undefined;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.reject(error);
    };
    socket.on('error', lost);
    socket.on('close', () => lost(new Error('closed before the answer')));
    this.#socket = socket;
  }

  /** All servers here answer with Content-Length; chunked answers are refused so that nobody is measured on half a read. */
  #read(chunk: string): void {
    this.#received = this.#received === '' ? chunk : this.#received + chunk;
    const head = this.#received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const match = /\r\ncontent-length: *(\d+)/i.exec(this.#received);
    const end = head + 4 + Number(match?.[1]);
    if (match === null || this.#received.length > end) {
      this.#waiting?.reject(new Error(`not an answer: ${this.#received.slice(0, 200)}`));
      this.#received = '';
      this.close();
      return;
    }
    if (this.#received.length < end) return;
    const answer = { status: Number(this.#received.slice(9, 12)), body: this.#received.slice(head + 4) };
    const closing = /\r\nconnection: *close/i.test(this.#received.slice(0, head));
    this.#received = '';
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (closing) this.close();
    waiting?.resolve(answer);
  }
}
