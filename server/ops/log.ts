/** The server's log: JSON lines by pino, one a request, with nothing secret in any of them. */
import type Koa from 'koa';
import { type Logger as Pino, pino } from 'pino';
import { codeOf } from '../error_code.js';
import { errorFields } from '../http/error_fields.js';
import { MALFORMED, pathOf } from '../http/target.js';
import { salted_hmac } from '../signing/crypto.js';

export interface LogOptions {
  readonly level: string;
  /** To be in every line, where several processes write into one log. */
  readonly pid?: number;
  /** Where the lines go; standard output when absent. */
  readonly destination?: { write(line: string): void };
}

/** Some are described already where they are caught. */
const err = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'frames' in error ? error : errorFields(error);

export function createLog({ level, pid, destination }: LogOptions): Pino {
  const base = pid === undefined ? null : { pid };
  const options = { level, base, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err } };
  return destination === undefined ? pino(options) : pino(options, destination);
}

const BROKEN: ReadonlySet<unknown> = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
]);

/** Did the client go away while it sent or read? No fault of the server's. */
export function isBrokenConnection(error: unknown): boolean {
  return error instanceof Error && BROKEN.has(codeOf(error));
}

/** A name for a session key that its reader cannot turn back: the same key gives the same 12 hexadecimal digits. */
export function sessionHasher(secret: string): (session_key: string) => string {
  return (session_key) => salted_hmac('koa_django_session.log', session_key, secret).digest('hex').slice(0, 12);
}

export interface RequestLogOptions {
  readonly log: Pick<Pino, 'info'>;
  readonly sessionHash: (session_key: string) => string;
}

/** One line a request, when it is answered. The path is logged without its query, which may hold tokens. */
export function requestLog({ log, sessionHash }: RequestLogOptions): Koa.Middleware {
  let count = 0;
  return async function requestLog(ctx, next) {
    const start = performance.now();
    count += 1;
    const request_id = count;
    ctx.state['request_id'] = request_id;
    try {
      await next();
    } finally {
      const session_key = ctx.request.session?.session_key ?? null;
      log.info(
        {
          request_id,
          method: ctx.method,
          path: pathOf(ctx) ?? MALFORMED,
          status: ctx.status,
          ms: Math.round((performance.now() - start) * 10) / 10,
          session: session_key === null ? null : sessionHash(session_key),
        },
        'request',
      );
    }
  };
}
