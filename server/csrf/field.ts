/** Where the token field of a form is found: in POST, or in what another parser has left. */
import type { Context } from 'koa';
import { mediaType, parsedBody } from '../http/body.js';
import { type BodySettings, readForm } from '../http/form.js';
import { CSRF_TOKEN_LENGTH } from './token.js';

const FIELD = 'csrfmiddlewaretoken';

/**
 * The token that the form holds, '' where there is none. As in Django only POST has a form, and of several values the
 * last counts.
 *
 * A form that nobody has read yet is read now. One in multipart is not where the header's token is good: it cannot be put
 * back for a parser further in, for which a page's script may have sent it. Rejects as formBody does.
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

/** The field as koa-bodyparser, koa-body and multer leave it: a text, or a list where it was sent twice. */
function lastText(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, FIELD)) return undefined;
  const value = (body as Readonly<Record<string, unknown>>)[FIELD];
  return Array.isArray(value) ? (value as unknown[]).at(-1) : value;
}

/** What is longer than any token is cut, so that nothing is counted or compared at length, and refused as too long. */
const bounded = (value: unknown): string =>
  typeof value === 'string' ? value.slice(0, 2 * CSRF_TOKEN_LENGTH + 1) : '';
