/** Stands between a server and PostgreSQL and breaks: refuses, resets, goes silent, is slow, cuts at a statement. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Conversation, Messages } from './messages.js';

/**
 * `refuse`: nobody listens, and what stood is closed. `reset`: every connection is answered with RST. `silent`: bytes
 * vanish in both directions, as with a cut cable, until it is mended; then they arrive, as TCP sends them again. `lose`
 * silences for good what stands, as when another machine takes over an address; new connections pass.
 */
export type Mode = 'pass' | 'refuse' | 'reset' | 'silent' | 'lose';

/** What to do when a statement passes, and where: before PostgreSQL gets it, or after it is done and committed. */
export interface Trap {
  readonly statement: RegExp;
  readonly when: 'before' | 'after';
  /** `cut` closes the connection; `hold` keeps this connection silent until `release`. */
  readonly action: 'cut' | 'hold';
  /** How many statements are caught; one when absent. */
  readonly times?: number;
  /** How many that match pass before; none when absent. */
  readonly skip?: number;
}

export interface SetTrap {
  /** How many were caught so far. */
  readonly caught: number;
  /** Resolves when the first was caught. */
  readonly sprung: Promise<void>;
  /** Let go what is held, and catch no more. */
  release(): void;
}

class Armed implements SetTrap {
  readonly trap: Trap;
  readonly sprung: Promise<void>;
  readonly #held: Pipe[] = [];
  #left: number;
  #skip: number;
  #spring: () => void = () => {};
  caught = 0;

  constructor(trap: Trap) {
    this.trap = trap;
    this.#left = trap.times ?? 1;
    this.#skip = trap.skip ?? 0;
    this.sprung = new Promise((resolve) => {
      this.#spring = resolve;
    });
  }

  catches(statement: string, when: Trap['when']): boolean {
    if (this.#left === 0 || this.trap.when !== when || !this.trap.statement.test(statement)) return false;
    this.#skip -= 1;
    return this.#skip < 0;
  }

  spring(link: Link, pipe: Pipe): void {
    this.#left -= 1;
    this.caught += 1;
    if (this.trap.action === 'cut') link.close();
    else {
      pipe.hold();
      this.#held.push(pipe);
    }
    this.#spring();
  }

  release(): void {
    this.#left = 0;
    for (const pipe of this.#held.splice(0)) pipe.release();
  }
}

/** One direction of a connection: passes on, later if need be, in order. */
class Pipe {
  readonly #to: Socket;
  readonly #kept: Buffer[] = [];
  #holds = 0;

  constructor(to: Socket) {
    this.#to = to;
  }

  write(bytes: Buffer): void {
    if (this.#holds > 0) this.#kept.push(bytes);
    else if (!this.#to.destroyed) this.#to.write(bytes);
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds > 0 || this.#to.destroyed) return;
    for (const bytes of this.#kept.splice(0)) this.#to.write(bytes);
  }
}

/** One connection of a client and its twin to PostgreSQL. */
class Link {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #toServer: Pipe;
  readonly #toClient: Pipe;
  #closed = false;

  constructor(client: Socket, upstream: Socket, traps: ReadonlySet<Armed>, delay: () => number) {
    this.#client = client;
    this.#upstream = upstream;
    this.#toServer = new Pipe(upstream);
    this.#toClient = new Pipe(client);
    const conversation = new Conversation();
    const sent = new Messages('client');
    const received = new Messages('server');
    client.on('data', (chunk: Buffer) => {
      for (const message of sent.push(chunk)) {
        const statement = conversation.sent(message);
        if (statement !== undefined) this.#spring(traps, [statement], 'before', this.#toServer);
        this.#later(delay(), this.#toServer, message);
      }
    });
    upstream.on('data', (chunk: Buffer) => {
      for (const message of received.push(chunk)) {
        this.#spring(traps, conversation.received(message), 'after', this.#toClient);
        this.#later(0, this.#toClient, message);
      }
    });
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      // Half a connection is of no use to PostgreSQL's protocol.
      socket.on('end', () => this.close());
      socket.on('close', () => this.close());
      socket.on('error', () => this.close());
    }
  }

  #spring(traps: ReadonlySet<Armed>, statements: readonly string[], when: Trap['when'], pipe: Pipe): void {
    for (const statement of statements) {
      for (const trap of traps) if (trap.catches(statement, when)) trap.spring(this, pipe);
    }
  }

  #later(milliseconds: number, pipe: Pipe, message: Buffer): void {
    if (this.#closed) return;
    // Timers of one length fire in order.
    if (milliseconds > 0) setTimeout(() => pipe.write(message), milliseconds);
    else pipe.write(message);
  }

  hold(): void {
    this.#toServer.hold();
    this.#toClient.hold();
  }

  release(): void {
    this.#toServer.release();
    this.#toClient.release();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.destroy();
    this.#upstream.destroy();
  }

  reset(): void {
    this.#closed = true;
    this.#client.resetAndDestroy();
    this.#upstream.destroy();
  }
}

export class FaultProxy {
  /** DATABASE_URL by way of the proxy. */
  readonly url: string;
  /** Milliseconds by which each message of a client is late. */
  delay = 0;
  readonly #server: Server;
  readonly #port: number;
  readonly #links = new Set<Link>();
  readonly #traps = new Set<Armed>();
  #mode: Mode = 'pass';

  private constructor(server: Server, DATABASE_URL: string) {
    const url = new URL(DATABASE_URL);
    const [host, port] = [url.hostname, Number(url.port || 5432)];
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    url.hostname = '127.0.0.1';
    url.port = String(this.#port);
    this.url = url.href;
    server.on('connection', (client) => this.#accept(client, connect(port, host)));
  }

  static async start(DATABASE_URL: string): Promise<FaultProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultProxy(server, DATABASE_URL);
  }

  /** Be in this mode from now on, for connections that stand too. */
  async become(mode: Mode): Promise<void> {
    const before = this.#mode;
    this.#mode = mode;
    if (before === 'silent') for (const link of this.#links) link.release();
    if (before === 'refuse') {
      this.#server.listen(this.#port, '127.0.0.1');
      await once(this.#server, 'listening');
    }
    if (mode === 'silent' || mode === 'lose') for (const link of this.#links) link.hold();
    if (mode === 'reset') for (const link of this.#links) link.reset();
    if (mode === 'refuse') {
      for (const link of this.#links) link.close();
      await new Promise((resolve) => this.#server.close(resolve));
    }
    if (mode !== 'silent' && mode !== 'pass') this.#links.clear();
  }

  /** Wait for a statement, and catch it. */
  set(trap: Trap): SetTrap {
    const armed = new Armed(trap);
    this.#traps.add(armed);
    return armed;
  }

  /** Let everything go and pass on as a cable does. */
  async mend(): Promise<void> {
    for (const trap of this.#traps) trap.release();
    this.#traps.clear();
    this.delay = 0;
    await this.become('pass');
  }

  async close(): Promise<void> {
    if (this.#mode === 'refuse') return;
    await this.become('refuse');
  }

  #accept(client: Socket, upstream: Socket): void {
    const link = new Link(client, upstream, this.#traps, () => this.delay);
    if (this.#mode === 'reset') {
      link.reset();
      return;
    }
    this.#links.add(link);
    if (this.#mode === 'silent') link.hold();
    client.once('close', () => this.#links.delete(link));
  }
}
