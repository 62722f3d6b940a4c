/** A body that is a stream, before Koa has begun to read it. */
import type { Readable } from 'node:stream';
import type { Context } from 'koa';

const isStream = (body: unknown): body is Readable =>
  typeof body === 'object' && body !== null && 'pipe' in body && 'on' in body && typeof body.on === 'function';

/**
 * Wait for `work` while `ctx.body` may fail. Until Koa reads a stream nobody listens to its errors, and an error that
 * nobody hears ends the process.
 *
 * @returns what `work` gives, and the stream's failure if there was one that nobody has answered yet
 */
export async function failureOfBodyDuring<T>(
  ctx: Context,
  work: Promise<T>,
): Promise<{ readonly result: T; readonly failure: { readonly error: unknown } | undefined }> {
  const body: unknown = ctx.res === undefined ? undefined : ctx.body;
  if (!isStream(body)) return { result: await work, failure: undefined };
  let failure: { readonly error: unknown } | undefined;
  const note = (error: unknown): void => {
    failure = { error };
  };
  body.on('error', note);
  try {
    const result = await work;
    // Koa 2 listens by itself, and has answered.
    return { result, failure: ctx.res.headersSent ? undefined : failure };
  } finally {
    body.off('error', note);
  }
}
