/** A body that is a stream, before Koa has begun to read it. */
import type { Readable } from 'node:stream';
import type { Context } from 'koa';
import { headSent } from './head.js';

export const isStream = (body: unknown): body is Readable =>
  typeof body === 'object' && body !== null && 'pipe' in body && 'on' in body && typeof body.on === 'function';

/** What failed, if something did. */
export type Failure = { readonly error: unknown } | undefined;

/**
 * Note whether a body fails from now on. Until Koa reads a stream nobody listens to its errors, and an error that nobody
 * hears ends the process.
 *
 * @returns ends the watch, and gives the failure that there was
 */
export function watchBody(body: Readable): () => Failure {
  let failure: Failure;
  const note = (error: unknown): void => {
    failure = { error };
  };
  body.on('error', note);
  return () => {
    body.off('error', note);
    return failure;
  };
}

/**
 * End an answer that has begun and cannot be finished, so that the client sees that it is not whole: Koa's error handler
 * does nothing then, and the client would wait for ever. Nothing is done where the head is not out yet, or the answer is
 * over.
 */
export function cutAnswer(ctx: Context): void {
  if (ctx.res === undefined || !headSent(ctx) || ctx.res.writableEnded) return;
  const body: unknown = ctx.body;
  if (isStream(body)) body.destroy();
  ctx.respond = false;
  ctx.res.destroy();
}
