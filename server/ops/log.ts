/** The server's log: pino's JSON lines, one per request, without secrets. */
import type Koa from 'koa';
import { type Logger as Pino, pino } from 'pino';
import { codeOf } from '../error_code.js';
import { errorFields } from '../http/error_fields.js';
import { MALFORMED, pathOf } from '../http/target.js';
import { salted_hmac } from '../signing/crypto.js';

export interface LogOptions {
  readonly level: string;
  /** The pid to write into every line, for several processes with one log. */
  readonly pid?: number;
  /** Standard output when absent. */
  readonly destination?: { write(line: string): void };
}

/** Some callers pass the result of errorFields instead of an error. */
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

/** Whether the client disconnected while it sent or received. */
export function isBrokenConnection(error: unknown): boolean {
  return error instanceof Error && BROKEN.has(codeOf(error));
}

/** An HMAC of a session key for the log, 12 hexadecimal digits. A reader of the log cannot compute the key from it. */
export function sessionHasher(secret: string): (session_key: string) => string {
  return (session_key) => salted_hmac('koa_django_session.log', session_key, secret).digest('hex').slice(0, 12);
}

export interface RequestLogOptions {
  readonly log: Pick<Pino, 'info'>;
  readonly sessionHash: (session_key: string) => string;
}

/** Logs one line per request, after it was handled. Logs the path without its query, which may contain tokens. */
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
