/** Finds the token field of a form: in POST, or in the result of another body parser. */
import type { Context } from 'koa';
import { mediaType, parsedBody } from '../http/body.js';
import { type BodySettings, readForm } from '../http/form.js';
import { CSRF_TOKEN_LENGTH } from './token.js';

const FIELD = 'csrfmiddlewaretoken';

/**
 * The token of the form, '' without one. As in Django only POST has a form, and the last of several values is used.
 *
 * An unread form is read now, except a multipart form if the header has a valid token: it could not be put back for a
 * later body parser. Rejects as formBody does.
 */
export async function csrfField(ctx: Context, settings: BodySettings, headerIsGood: () => boolean): Promise<string> {
  if (ctx.method !== 'POST') return '';
  const there = bounded(fieldThere(ctx));
  if (there !== '' || (mediaType(ctx) === 'multipart/form-data' && headerIsGood())) return there;
  await readForm(ctx, settings);
  return bounded(fieldThere(ctx));
}

function fieldThere(ctx: Context): unknown {
  return ctx.request.POST?.get(FIELD) ?? lastText(parsedBody(ctx));
}

/** The field in the result of koa-bodyparser, koa-body or multer: a string, or a list if it was sent twice. */
function lastText(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, FIELD)) return undefined;
  const value = (body as Readonly<Record<string, unknown>>)[FIELD];
  return Array.isArray(value) ? (value as unknown[]).at(-1) : value;
}

/** Truncates texts longer than any token, to limit the work; they are then refused as too long. */
const bounded = (value: unknown): string =>
  typeof value === 'string' ? value.slice(0, 2 * CSRF_TOKEN_LENGTH + 1) : '';
