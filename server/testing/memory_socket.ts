/** A connection in memory: two streams, each of which reads what the other writes. */
import { Duplex } from 'node:stream';

type Done = (error?: Error | null) => void;

/** The properties of a socket that Node's HTTP server and Koa use. */
export interface Peer {
  readonly remoteAddress: string;
  /** Whether it counts as https. */
  readonly encrypted: boolean;
}

/**
 * One end. Bytes arrive in a later turn of the event loop, as from a socket, and a write completes when its data was
 * read. Destroying an end closes the connection: data in transit still arrives, and the other end's next write fails.
 */
export class MemorySocket extends Duplex implements Peer {
  readonly remoteAddress: string;
  readonly encrypted: boolean;
  #other: MemorySocket | undefined;
  /** Called when this end has read what the other wrote. */
  #written: Done | undefined;
  #hasEnded = false;

  private constructor({ remoteAddress, encrypted }: Peer) {
    super();
    this.remoteAddress = remoteAddress;
    this.encrypted = encrypted;
  }

  /** Both ends: client and server. */
  static pair(peer: Peer): readonly [MemorySocket, MemorySocket] {
    const [asking, answering] = [new MemorySocket(peer), new MemorySocket(peer)];
    asking.#other = answering;
    answering.#other = asking;
    return [asking, answering];
  }

  override _read(): void {
    this.#settle(null);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    setImmediate(() => {
      if (this.#other === undefined || this.#other.destroyed) done(reset());
      else this.#other.#receive(chunk, done);
    });
  }

  override _final(done: Done): void {
    if (this.#other !== undefined) this.#other.#end();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#settle(null);
    if (this.#other !== undefined) this.#other.#end();
    done(error);
  }

  #receive(chunk: Buffer, done: Done): void {
    this.#written = done;
    this.push(chunk);
  }

  #settle(error: Error | null): void {
    const written = this.#written;
    this.#written = undefined;
    written?.(error);
  }

  /** Nothing more comes. */
  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    setImmediate(() => this.push(null));
  }
}

const reset = (): Error => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
