/** Asks PostgreSQL to end what a connection of ours is busy with (PostgreSQL manual, 54.2.9, Canceling Requests in Progress). */
import { connect } from 'node:net';

/** pg's Client as far as it is used here. */
interface Busy {
  readonly host: string;
  readonly port: number;
  /** What the server gave the client at its start, so that nobody else can do this. */
  readonly processID: number | null;
  readonly secretKey: number | null;
}

const CANCEL_REQUEST = 80_877_102;

/** Milliseconds after which the attempt itself is given up. */
const LONGEST = 2000;

/**
 * Sends it and hopes: the server does not tell whether there was anything to end, and a server that is away needs none.
 * It goes over a connection of its own without TLS, which PostgreSQL takes for this message alone; it holds no secret but
 * the key of the backend that is about to end.
 */
export function cancelRequest(client: object): void {
  const { host, port, processID, secretKey } = client as Busy;
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return;
  const message = Buffer.alloc(16);
  message.writeInt32BE(16, 0);
  message.writeInt32BE(CANCEL_REQUEST, 4);
  message.writeInt32BE(processID, 8);
  message.writeInt32BE(secretKey, 12);
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  socket.setTimeout(LONGEST, () => socket.destroy());
  socket.on('error', () => {});
  socket.end(message);
  socket.resume();
  socket.unref();
}
