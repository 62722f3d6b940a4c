/** The server's log: JSON lines by pino, one a request, with nothing secret in any of them. */
import type Koa from 'koa';
import { type Logger as Pino, pino } from 'pino';
import { salted_hmac } from '../signing/crypto.js';

export interface LogOptions {
  readonly level: string;
  /** Where the lines go; standard output when absent. */
  readonly destination?: { write(line: string): void };
}

export function createLog({ level, destination }: LogOptions): Pino {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: errorFields } };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/**
 * What a log may say of an error: a driver's message can hold the row that a statement was about, so messages are
 * kept only of errors that this package made.
 */
function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return typeof error === 'object' && error !== null ? error : { type: typeof error };
  const { name, stack = '' } = error;
  const code = 'code' in error ? error.code : undefined;
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  const cause = error.cause === undefined ? {} : { cause: errorFields(error.cause) };
  return { type: name, code, frames: frames.map((line) => line.trim()), ...cause };
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
    ctx.state['request_id'] = count;
    try {
      await next();
    } finally {
      const session_key = ctx.request.session?.session_key ?? null;
      log.info(
        {
          request_id: count,
          method: ctx.method,
          path: ctx.path,
          status: ctx.status,
          ms: Math.round((performance.now() - start) * 10) / 10,
          session: session_key === null ? null : sessionHash(session_key),
        },
        'request',
      );
    }
  };
}
