/** Handles a response body that is a stream, before Koa reads it. */
import type { Readable } from 'node:stream';
import type { Context } from 'koa';
import { headSent } from './head.js';

export const isStream = (body: unknown): body is Readable =>
  typeof body === 'object' && body !== null && 'pipe' in body && 'on' in body && typeof body.on === 'function';

/** An error, which may be any value; undefined without one. */
export type Failure = { readonly error: unknown } | undefined;

/**
 * Listen for an error of the body. Until Koa reads a stream it has no 'error' listener, and an unhandled error ends the
 * process.
 *
 * @returns a function that stops listening and returns the error, if any
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
 * Destroy the connection of an answer that has begun and cannot be finished, so that the client notices that it is
 * incomplete. Koa's error handler does nothing in this case, and the client would wait forever. Does nothing before the
 * head is sent, or after the answer.
 */
export function cutAnswer(ctx: Context): void {
  if (ctx.res === undefined || !headSent(ctx) || ctx.res.writableEnded) return;
  const body: unknown = ctx.body;
  if (isStream(body)) body.destroy();
  ctx.respond = false;
  ctx.res.destroy();
}
