/** A body that is a stream, before Koa has begun to read it. */
import type { Readable } from 'node:stream';

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
