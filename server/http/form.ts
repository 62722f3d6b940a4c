/** Bodies of requests: forms into `ctx.request.POST`, JSON on demand. Nothing that is sent here becomes a 5xx. */
import type { IncomingMessage } from 'node:http';
import type { Context, Middleware } from 'koa';
import getRawBody from 'raw-body';
import { RequestDataTooBig, SuspiciousOperation, ValueError } from '../errors.js';
import type { Settings } from '../settings.js';
import { parse_json } from '../signing/python_json.js';
import { NO_FIELDS, parse_form, type QueryDict } from './query_dict.js';

declare module 'koa' {
  interface Request {
    /** The fields of a posted form; empty for other methods and other bodies. Filled by formBody. */
    POST: QueryDict;
  }
}

export type BodySettings = Pick<Settings, 'DATA_UPLOAD_MAX_MEMORY_SIZE' | 'DATA_UPLOAD_MAX_NUMBER_FIELDS'>;

export interface FormOptions {
  readonly settings: BodySettings;
}

/**
 * Middleware that reads a posted form into `ctx.request.POST`. As in Django only POST has one, and only UTF-8 is read:
 * another charset gives U+FFFD. JSON and bodies without a type are left alone.
 *
 * Answers 413 over DATA_UPLOAD_MAX_MEMORY_SIZE (Django: 400), 400 for too many fields or a body that ended early, 415
 * for multipart/form-data and for compressed bodies.
 */
export function formBody({ settings }: FormOptions): Middleware {
  return async function formBody(ctx, next) {
    ctx.request.POST = NO_FIELDS;
    if (ctx.method === 'POST') {
      const type = mediaType(ctx);
      if (type === 'multipart/form-data') {
        ctx.throw(415, 'This server takes no multipart/form-data. Send application/x-www-form-urlencoded.');
      }
      if (type === 'application/x-www-form-urlencoded') {
        const body = await readBody(ctx, settings);
        ctx.request.POST = parse_form(body, settings.DATA_UPLOAD_MAX_NUMBER_FIELDS);
      }
    }
    await next();
  };
}

/**
 * The value of a JSON body, read as Python's json.loads reads it: NaN is a number, large integers are bigint.
 *
 * Rejects with 400 for no JSON, 413 for too much, 415 for another type or a compressed body. Can be called once.
 */
export async function jsonBody(ctx: Context, settings: BodySettings): Promise<unknown> {
  if (mediaType(ctx) !== 'application/json') ctx.throw(415, 'Send the body as application/json.');
  const body = await readBody(ctx, settings);
  try {
    return parse_json(body.toString('utf8'));
  } catch (error) {
    if (error instanceof ValueError) throw new SuspiciousOperation('The body is no JSON.', { cause: error });
    throw error;
  }
}

function mediaType(ctx: Context): string {
  return (ctx.req.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** The whole body in memory, bounded. */
async function readBody(ctx: Context, settings: BodySettings): Promise<Buffer> {
  const encoding = (ctx.req.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  // Inflating could make of 200 kB as many MB.
  if (encoding !== 'identity' && encoding !== '') ctx.throw(415, 'This server takes no compressed bodies.');
  const limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE;
  try {
    return await getRawBody(ctx.req, { limit, length: ctx.req.headers['content-length'] ?? null });
  } catch (error) {
    if ((error as getRawBody.RawBodyError).type === 'entity.too.large') {
      await refuseRest(ctx);
      throw new RequestDataTooBig(`The body is larger than ${limit} bytes, the value of DATA_UPLOAD_MAX_MEMORY_SIZE.`);
    }
    // Whatever else goes wrong with reading (an abort, a wrong length) is the sender's doing.
    throw new SuspiciousOperation('The body ended before it was complete.', { cause: error });
  }
}

/** How much of a body that is too large is read and thrown away, and for how long, before the answer. */
const DISCARD_BYTES = 16 * 1024 * 1024;
const DISCARD_MILLISECONDS = 2000;

/**
 * The connection ends with this answer. Closing it while the client still sends makes the kernel reset it, and the
 * client might never see the answer: so the rest is read first, as far as that is no burden.
 */
async function refuseRest(ctx: Context): Promise<void> {
  // Not a header, which the error's answer would take away with the others.
  ctx.res.shouldKeepAlive = false;
  await discard(ctx.req);
}

function discard(req: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (req.readableEnded || req.destroyed) {
      resolve();
      return;
    }
    let left = DISCARD_BYTES;
    const timer = setTimeout(done, DISCARD_MILLISECONDS);
    function count(chunk: Buffer): void {
      left -= chunk.length;
      if (left <= 0) done();
    }
    function done(): void {
      clearTimeout(timer);
      req.off('data', count);
      for (const event of ['end', 'close', 'error']) req.off(event, done);
      req.pause();
      resolve();
    }
    req.on('data', count);
    for (const event of ['end', 'close', 'error']) req.on(event, done);
    req.resume();
  });
}
