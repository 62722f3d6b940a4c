/**
 * A body that was read and cannot be put back: later readers fail at once instead of waiting forever; formBody, where it is
 * the later one, warns.
 */
import type { IncomingMessage } from 'node:http';
import type { Context } from 'koa';
import { ImproperlyConfigured } from '../errors.js';

const WAS_READ =
  'A parser or proxy reads a multipart/form-data body that formBody or csrf has read already, and finds nothing. Mount it before them, or send the token in a header and give formBody the option { multipart: false }.';

const NOTHING_LEFT =
  'Another parser has read a form before formBody or csrf, and kept neither body nor rawBody, so POST is empty. Mount formBody before that parser, or let it set ctx.request.body.';

const warned = new WeakMap<object, Set<string>>();

/** Once an application. */
function warn(app: object, message = WAS_READ): void {
  const messages = warned.get(app) ?? new Set();
  if (messages.has(message)) return;
  warned.set(app, messages.add(message));
  process.emitWarning(message, { code: 'KOA_DJANGO_SESSION_BODY_WAS_READ' });
}

/** Warns of an empty POST whose request had a body. */
export function warnNothingLeft({ app, req }: Context): void {
  if ((req.headers['content-length'] ?? '0') !== '0' || req.headers['transfer-encoding'] !== undefined) {
    warn(app, NOTHING_LEFT);
  }
}

/**
 * Makes `req.pipe`, `pipeline`, async iteration and listeners to `data` or `readable` fail with ImproperlyConfigured, and
 * warns. Without an 'error' listener, where an error would end the process, the body is empty.
 *
 * An end alone is not enough: a proxy sends the original Content-Length, and its server would wait for the body.
 */
export function failReaders({ app, req }: Context): void {
  let isRead = false;
  const onListener = (event: string | symbol): void => {
    if (isRead || (event !== 'data' && event !== 'readable')) return;
    isRead = true;
    warn(app);
    // Before the stream flows or ends, and after the reader has added its listeners.
    process.nextTick(() => {
      if (req.listenerCount('error') > 0) req.emit('error', new ImproperlyConfigured(WAS_READ));
    });
    // Discards data that was put back, so that nothing follows the error.
    req.read();
  };
  req.on('newListener', onListener);
  // `pipe` does not forward an error of the source to the destination.
  Object.defineProperty(req, 'pipe', { value: pipe, configurable: true, writable: true });

  function pipe<Destination extends NodeJS.WritableStream>(
    destination: Destination,
    options: Parameters<IncomingMessage['pipe']>[1] = {},
  ): Destination {
    warn(app);
    process.nextTick(() => end(destination, options.end !== false));
    return destination;
  }
}

function end(destination: NodeJS.WritableStream & { destroy?: (error: Error) => unknown }, mayEnd: boolean): void {
  if (destination.listenerCount('error') > 0 && typeof destination.destroy === 'function') {
    destination.destroy(new ImproperlyConfigured(WAS_READ));
  } else if (mayEnd) destination.end();
}
