/** Reads the bytes of a request's body once, up to a limit, and puts them back for later body parsers. */
import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Context } from 'koa';
import { ImproperlyConfigured, RequestDataTooBig, SuspiciousOperation } from '../errors.js';

/** The type of the body in lower case, without parameters. */
export function mediaType(ctx: Context): string {
  return (ctx.req.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** The result of another body parser that has read the body. */
export interface Left {
  /** The text or bytes as they were sent (`rawBody`). */
  readonly raw: Buffer | null;
  /** The parsed value (`body`); undefined if there is none. */
  readonly parsed: unknown;
}

/** Where parsers store a body: koa-bodyparser, koa-body and multer on Koa's request, multer and others on Node's. */
interface Leaver {
  readonly body?: unknown;
  readonly rawBody?: unknown;
}

/** `body` on Koa's request, else on node's. */
export function parsedBody(ctx: Context): unknown {
  return (ctx.request as Leaver).body ?? (ctx.req as Leaver).body;
}

/**
 * The result of another body parser, or null if the body is unread.
 *
 * `body` alone does not tell: koa-bodyparser sets `{}` without reading. The stream's state tells, except that koa-body
 * continues before the stream has ended.
 *
 * @throws SuspiciousOperation (400) if the client disconnected before the body was complete
 */
export function leftBehind(ctx: Context): Left | null {
  const { req } = ctx;
  const parsed = parsedBody(ctx);
  const raw = (ctx.request as Leaver).rawBody ?? (req as Leaver).rawBody;
  const left = parsed !== undefined || raw !== undefined;
  if (req.readable && !(req.readableDidRead && left)) return null;
  if (!left && req.readableAborted) throw endedEarly();
  return { raw: bytesOf(raw), parsed };
}

function bytesOf(raw: unknown): Buffer | null {
  if (typeof raw === 'string') return Buffer.from(raw, 'utf8');
  return raw instanceof Uint8Array ? Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength) : null;
}

const endedEarly = (cause?: Error): SuspiciousOperation =>
  new SuspiciousOperation('The body ended before it was complete.', cause === undefined ? {} : { cause });

/** A limit and its setting. */
export interface Limit {
  readonly bytes: number;
  readonly setting: string;
}

const tooBig = ({ bytes, setting }: Limit): RequestDataTooBig =>
  new RequestDataTooBig(`The body is larger than ${bytes} bytes, the value of ${setting}.`);

/**
 * Passes the body to `take` chunk by chunk; the next one is read when `take` has settled.
 *
 * After the last chunk, the result of `putBack` is put back into the stream for later parsers. Nothing is put back if the
 * stream already has a listener, which would otherwise wait for its end.
 *
 * Rejects with what `take` throws, 413 over the limit, 415 for a compressed body, 400 for one that ends early.
 */
export async function eachChunk(
  ctx: Context,
  limit: Limit,
  take: (chunk: Buffer) => void | Promise<void>,
  putBack: (last: Buffer) => Buffer,
): Promise<void> {
  const { req } = ctx;
  const encoding = (req.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  // 200 kB could inflate to 200 MB.
  if (encoding !== 'identity' && encoding !== '') ctx.throw(415, 'This server takes no compressed bodies.');
  if (req.readableEncoding !== null) {
    throw new ImproperlyConfigured('Other code has called setEncoding() on the request, so its bytes cannot be read.');
  }
  try {
    if (Number(req.headers['content-length'] ?? 0) > limit.bytes) throw tooBig(limit);
    await read(req, limit, take, putBack);
  } catch (error) {
    await refuseRest(ctx);
    throw error;
  }
}

async function read(
  req: IncomingMessage,
  limit: Limit,
  take: (chunk: Buffer) => void | Promise<void>,
  putBack: (last: Buffer) => Buffer,
): Promise<void> {
  const length = Number(req.headers['content-length'] ?? Number.NaN);
  const listened = req.listenerCount('data') + req.listenerCount('end') > 0;
  // A 'readable' listener would end an empty stream that is about to end, and later parsers could not read it.
  if (!listened && length === 0) return;
  if (!listened && !req.complete && req.readableLength === 0) await nextTurn();
  let received = 0;
  let ended = req.readableEnded;
  let gone = req.destroyed && !ended;
  let cause: Error | undefined;
  let wake = (): void => {};
  const onReadable = (): void => wake();
  const onEnd = (): void => {
    ended = true;
    wake();
  };
  const onGone = (error?: Error): void => {
    gone = true;
    cause ??= error;
    wake();
  };
  /** Whether all data was read from the stream. HTTP/2's `complete` becomes true only later. */
  const isLast = (): boolean => req.readableLength === 0 && (req.complete || received === length);
  req.on('readable', onReadable).on('end', onEnd).on('error', onGone).on('close', onGone);
  try {
    for (;;) {
      const chunk = req.readableLength > 0 || (listened && isLast()) ? (req.read() as Buffer | null) : null;
      received += chunk?.length ?? 0;
      if (received > limit.bytes) throw tooBig(limit);
      const last = !listened && !ended && !gone && isLast();
      // Synchronously: the stream emits 'end' in the next tick, unless it contains data again.
      if (last && received > 0) req.unshift(putBack(chunk ?? Buffer.alloc(0)));
      if (chunk !== null) await take(chunk);
      if (last || ended) break;
      if (gone) throw endedEarly(cause);
      if (chunk === null && !isLast()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      } else if (chunk === null && listened) await nextTurn();
    }
  } finally {
    req.off('readable', onReadable).off('end', onEnd).off('error', onGone).off('close', onGone);
  }
  if (!Number.isNaN(length) && received !== length) throw endedEarly();
}

/** The whole body in memory. It is put back as it was. */
export async function readBody(ctx: Context, limit: Limit): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let whole: Buffer | null = null;
  await eachChunk(
    ctx,
    limit,
    (chunk) => {
      chunks.push(chunk);
    },
    (last) => {
      whole = Buffer.concat([...chunks, last]);
      return whole;
    },
  );
  return whole ?? Buffer.concat(chunks);
}

/** How much of a refused body is read and discarded, and for how long, before the answer. */
const DISCARD_BYTES = 16 * 1024 * 1024;
const DISCARD_MILLISECONDS = 2000;

/**
 * The connection ends with this answer. If it is closed while the client still sends, the kernel resets it, and the
 * client may not receive the answer. So the rest of the body is read first, up to a limit.
 */
async function refuseRest(ctx: Context): Promise<void> {
  // Not set as a header, because the error's answer removes all headers.
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
