/** One address that leads to one Redis or another, as a balancer's or a name's does after a failover. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Writable } from 'node:stream';

export class Relay {
  readonly port: number;
  /** How many connections were refused, because there was no Redis to lead to. */
  refused = 0;
  /** Milliseconds by which what a client sends is late. Not to be lessened while something is on its way. */
  delay = 0;
  #to: number | null;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, to: number) {
    this.#server = server;
    this.#to = to;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => this.#accept(socket));
  }

  static async start(to: number): Promise<Relay> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Relay(server, to);
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** Lead there from now on, or nowhere; connections that stand go on as they are. */
  lead(to: number | null): void {
    this.#to = to;
  }

  /** No end, no reset: from now on packets of the connections that stand are lost. */
  silence(): void {
    for (const socket of this.#sockets) socket.unpipe();
  }

  /** Close the connections that stand. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #late(behind: Socket): Writable {
    return new Writable({
      write: (bytes: Buffer, _encoding, done) => {
        // Timers of one length fire in order.
        if (this.delay === 0) behind.write(bytes);
        else setTimeout(() => behind.write(bytes), this.delay);
        done();
      },
    });
  }

  #accept(socket: Socket): void {
    if (this.#to === null) {
      this.refused += 1;
      socket.destroy();
      return;
    }
    const behind = connect(this.#to, '127.0.0.1');
    socket.pipe(this.#late(behind));
    behind.pipe(socket);
    for (const [one, other] of [
      [socket, behind],
      [behind, socket],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
