/** Parses request bodies: forms into `ctx.request.POST` and `FILES`, JSON on demand. No input causes a 5xx. */
import { accessSync, constants, statSync } from 'node:fs';
import type { Context, Middleware } from 'koa';
import { ImproperlyConfigured, SuspiciousOperation, ValueError } from '../errors.js';
import { checkSettings } from '../settings/given.js';
import type { Settings } from '../settings.js';
import { parseJson } from '../signing/python_json.js';
import { type AnyContext, checkContext } from './application.js';
import { eachChunk, type Left, type Limit, leftBehind, mediaType, readBody } from './body.js';
import { boundaryOf } from './boundary.js';
import { Uploads } from './incoming_file.js';
import { holdUploads, keepUntilAnswered } from './kept_uploads.js';
import { MultiValueDict } from './multi_value_dict.js';
import { type Multipart, MultipartReader } from './multipart.js';
import { OwnState } from './own_state.js';
import { mirroredFields, NO_FIELDS, parseForm, type QueryDict } from './query_dict.js';
import { failReaders, warnNothingLeft } from './read_body.js';
import type { UploadedFile } from './uploaded_file.js';

declare module 'koa' {
  interface Request {
    /** The fields of a posted form; empty for other methods and other bodies. Filled by formBody. */
    POST: QueryDict;
    /**
     * The files of a posted form, kept until its answer is sent; empty for other methods and other bodies. Filled by
     * formBody.
     */
    FILES: MultiValueDict<UploadedFile>;
  }
}

/** The limits of a body. */
export type BodySettings = Pick<
  Settings,
  | 'DATA_UPLOAD_MAX_MEMORY_SIZE'
  | 'DATA_UPLOAD_MAX_NUMBER_FIELDS'
  | 'DATA_UPLOAD_MAX_NUMBER_FILES'
  | 'FILE_UPLOAD_MAX_MEMORY_SIZE'
  | 'FILE_UPLOAD_MAX_BYTES'
  | 'FILE_UPLOAD_MAX_TOTAL_BYTES'
  | 'FILE_UPLOAD_TEMP_DIR'
>;

/** Limits of forms, and whether uploads are read. */
export interface FormOptions {
  readonly settings: BodySettings;
  /** false leaves multipart/form-data to a later body parser; POST and FILES are then empty. */
  readonly multipart?: boolean;
}

const NO_FILES = new MultiValueDict<UploadedFile>();
const NO_FORM: Multipart = { fields: NO_FIELDS, files: NO_FILES };

/**
 * Middleware that reads a posted form into `ctx.request.POST` and its files into `ctx.request.FILES`. As in Django only
 * POST has one. It is read as UTF-8, whatever charset its type names. JSON and bodies without a type are not read, nor
 * is any body if `ctx.disableBodyParser` is true.
 *
 * If another parser has read the body, POST is built from its result. Later parsers can still read a URL-encoded body.
 *
 * Answers 413 over DATA_UPLOAD_MAX_MEMORY_SIZE (Django: 400) and FILE_UPLOAD_MAX_BYTES, 400 for too many fields or
 * files and for a malformed or incomplete body, 415 for compressed bodies, 503 if files cannot be stored.
 *
 * ```ts
 * app.use(formBody({ settings }));
 * app.use((ctx) => {
 *   const title = ctx.request.POST.get('title') ?? '';
 *   ctx.body = `${title}: ${ctx.request.FILES.get('photo')?.size ?? 0} bytes`;
 * });
 * ```
 *
 * @throws ImproperlyConfigured without settings, or if FILE_UPLOAD_TEMP_DIR is not a writable folder
 */
export function formBody(options: FormOptions): Middleware {
  checkSettings('formBody()', options?.settings, 'DATA_UPLOAD_MAX_MEMORY_SIZE', 'FILE_UPLOAD_TEMP_DIR');
  const { settings, multipart = true } = options;
  checkFolder(settings.FILE_UPLOAD_TEMP_DIR);
  return async function formBody(ctx, next) {
    if (!multipart && mediaType(ctx) === 'multipart/form-data') fill(ctx, NO_FORM, false);
    else await readForm(ctx, settings);
    await keepUntilAnswered(ctx, next);
  };
}

function checkFolder(folder: string | null): void {
  if (folder === null) return;
  try {
    accessSync(folder, constants.W_OK);
    if (statSync(folder).isDirectory()) return;
  } catch {
    // The same message for a missing folder and for missing permissions.
  }
  throw new ImproperlyConfigured(
    `FILE_UPLOAD_TEMP_DIR: ${JSON.stringify(folder)} is not a writable folder. Create it, or set another.`,
  );
}

const READING = new OwnState<Promise<void>>('form');

/** Fill POST and FILES at the first call of a request. keepUntilAnswered decides when the files are removed. */
export function readForm(ctx: Context, settings: BodySettings): Promise<void> {
  return READING.orMade(ctx, () => readOnce(ctx, settings));
}

/** If `anew` is false, existing values remain: csrf may have read the form. */
function fill(ctx: Context, { fields, files }: Multipart, anew = true): void {
  if (!anew && READING.of(ctx) !== undefined) return;
  ctx.request.POST = fields;
  ctx.request.FILES = files;
}

async function readOnce(ctx: Context, settings: BodySettings): Promise<void> {
  // Also if reading fails: the error page may use them.
  fill(ctx, NO_FORM);
  if (ctx.method !== 'POST' || (ctx as { disableBodyParser?: unknown }).disableBodyParser === true) return;
  const type = mediaType(ctx);
  if (type === 'application/x-www-form-urlencoded') fill(ctx, await urlencoded(ctx, settings));
  else if (type === 'multipart/form-data') fill(ctx, await multipartForm(ctx, settings));
}

const memoryLimit = ({ DATA_UPLOAD_MAX_MEMORY_SIZE }: BodySettings): Limit => ({
  bytes: DATA_UPLOAD_MAX_MEMORY_SIZE,
  setting: 'DATA_UPLOAD_MAX_MEMORY_SIZE',
});

async function urlencoded(ctx: Context, settings: BodySettings): Promise<Multipart> {
  const left = leftBehind(ctx);
  if (left !== null && left.raw === null) return mirrored(ctx, left);
  const body = left?.raw ?? (await readBody(ctx, memoryLimit(settings)));
  return { fields: parseForm(body, settings.DATA_UPLOAD_MAX_NUMBER_FIELDS), files: NO_FILES };
}

/** The files are stored by the other parser. */
function mirrored(ctx: Context, { parsed }: Left): Multipart {
  if (parsed === undefined) warnNothingLeft(ctx);
  return { fields: mirroredFields(parsed), files: NO_FILES };
}

async function multipartForm(ctx: Context, settings: BodySettings): Promise<Multipart> {
  const left = leftBehind(ctx);
  if (left !== null && left.raw === null) return mirrored(ctx, left);
  const boundary = boundaryOf(ctx.req.headers['content-type'] ?? '');
  const uploads = new Uploads(settings, Number(ctx.req.headers['content-length'] ?? 0));
  const reader = new MultipartReader(boundary, settings, uploads);
  const limit = { bytes: settings.FILE_UPLOAD_MAX_BYTES, setting: 'FILE_UPLOAD_MAX_BYTES' };
  try {
    if (left?.raw != null) await reader.write(left.raw);
    else await eachChunk(ctx, limit, (chunk) => reader.write(chunk), nothingLeft);
    const form = await reader.end();
    holdUploads(ctx, uploads);
    if (left === null) failReaders(ctx);
    return form;
  } catch (error) {
    await uploads.remove();
    throw error;
  }
}

/**
 * A multipart body cannot be put back, because it may be larger than memory. A later reader without an 'error' listener
 * gets this empty body instead; it would wait forever for the end of an ended stream.
 */
const nothingLeft = (): Buffer => Buffer.from('\r\n');

/**
 * The value of a JSON body, read as Python's json.loads reads it: NaN is a number, large integers are bigint. If
 * another parser has read the body and kept no text, this is that parser's value.
 *
 * Rejects with 400 for invalid JSON, 413 over the limit, 415 for another type or a compressed body, and
 * ImproperlyConfigured if a parser has read the body and kept nothing.
 *
 * ```ts
 * const order = await jsonBody(ctx, settings);
 * ```
 */
export async function jsonBody(ctx: AnyContext, settings: BodySettings): Promise<unknown> {
  checkContext('jsonBody()', ctx);
  // Without the setting there would be no limit.
  checkSettings('jsonBody()', settings, 'DATA_UPLOAD_MAX_MEMORY_SIZE');
  if (mediaType(ctx) !== 'application/json') ctx.throw(415, 'Send the body as application/json.');
  const left = leftBehind(ctx);
  if (left !== null && left.raw === null) {
    if (left.parsed !== undefined) return left.parsed;
    if (ctx.req.headers['content-length'] !== '0') {
      throw new ImproperlyConfigured(
        'Another parser has read the body before jsonBody, and kept neither body nor rawBody.',
      );
    }
  }
  const body = left === null ? await readBody(ctx, memoryLimit(settings)) : (left.raw ?? Buffer.alloc(0));
  try {
    return parseJson(body.toString('utf8'));
  } catch (error) {
    if (error instanceof ValueError) throw new SuspiciousOperation('The body is no JSON.', { cause: error });
    throw error;
  }
}
