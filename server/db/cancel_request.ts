/** Cancels the running statement of a connection (PostgreSQL manual, 54.2.9, Canceling Requests in Progress). */
import { connect } from 'node:net';

/** pg's Client as far as it is used here. */
interface Busy {
  readonly host: string;
  readonly port: number;
  /** The backend's process id and secret key, which only its client has. */
  readonly processID: number | null;
  readonly secretKey: number | null;
}

const CANCEL_REQUEST = 80_877_102;

/** The timeout of the cancel request, in milliseconds. */
const LONGEST = 2000;

/**
 * Does not report success: the server does not tell whether it cancelled a statement, and an unavailable server needs
 * no cancel. Uses a separate connection without TLS, which PostgreSQL accepts for this message; its only secret is the
 * key of the backend that is about to end.
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
