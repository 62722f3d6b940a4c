/** Every error class of this package, each with a stable `code` and an HTTP status. */
import { markClasses } from './errors/copies.js';

/** Codes to match on; texts may change between releases, codes do not. */
export type ErrorCode =
  | 'BAD_SIGNATURE'
  | 'SIGNATURE_EXPIRED'
  | 'IMPROPERLY_CONFIGURED'
  | 'KEY_ERROR'
  | 'VALUE_ERROR'
  | 'COOKIE_ERROR'
  | 'CREATE_ERROR'
  | 'UPDATE_ERROR'
  | 'SESSION_INTERRUPTED'
  | 'STORE_UNAVAILABLE'
  | 'PERMISSION_DENIED'
  | 'SUSPICIOUS_OPERATION'
  | 'REQUEST_DATA_TOO_BIG'
  | 'SCHEMA_MISMATCH'
  | 'ROWS_AT_STAKE'
  | 'MESSAGE_FAILURE'
  | 'VALIDATION_ERROR';

/** Options of the errors' constructors, as of Error. */
export interface DjangoErrorOptions {
  readonly cause?: unknown;
}

/**
 * The base class of all errors of this package. `status` and `expose` are Koa's protocol (koa/docs/error-handling.md):
 * a visitor sees the message only if `expose` is true.
 *
 * ```ts
 * app.on('error', (error: unknown) => {
 *   if (error instanceof DjangoError && error.code === 'STORE_UNAVAILABLE') console.warn('The database is away.');
 *   else console.error(error);
 * });
 * ```
 */
export abstract class DjangoError extends Error {
  abstract readonly code: ErrorCode;
  readonly status: number = 500;
  readonly expose: boolean = false;

  constructor(message: string, options: DjangoErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
  }
}

/**
 * A signature does not match (django.core.signing.BadSignature).
 *
 * ```ts
 * try {
 *   ctx.body = new Signer({ key: settings.SECRET_KEY }).unsign(String(ctx.query['link']));
 * } catch (error) {
 *   if (!(error instanceof BadSignature)) throw error;
 *   ctx.throw(400, 'This link is not ours.');
 * }
 * ```
 */
export class BadSignature extends DjangoError {
  readonly code: ErrorCode = 'BAD_SIGNATURE';
  override readonly status: number = 400;
}

/**
 * A signature is valid but older than `max_age` (django.core.signing.SignatureExpired).
 *
 * ```ts
 * try {
 *   ctx.body = ctx.get_signed_cookie('coupon', { max_age: 3600 });
 * } catch (error) {
 *   if (!(error instanceof SignatureExpired)) throw error;
 *   ctx.body = 'This coupon was good for an hour.';
 * }
 * ```
 */
export class SignatureExpired extends BadSignature {
  override readonly code: ErrorCode = 'SIGNATURE_EXPIRED';
}

/**
 * A setting is missing or wrong; thrown before the server listens (django.core.exceptions.ImproperlyConfigured).
 *
 * ```ts
 * try {
 *   defineSettings({ SECRET_KEY: '' });
 * } catch (error) {
 *   if (error instanceof ImproperlyConfigured) console.error(error.message); // SECRET_KEY is not set. Set it to …
 * }
 * ```
 */
export class ImproperlyConfigured extends DjangoError {
  readonly code: ErrorCode = 'IMPROPERLY_CONFIGURED';
}

/**
 * A key is absent and no default was given (Python's KeyError, as `session.pop(key)` raises it).
 *
 * ```ts
 * try {
 *   ctx.body = ctx.session.pop('cart');
 * } catch (error) {
 *   if (!(error instanceof KeyError)) throw error; // no such key, and no default
 * }
 * ```
 */
export class KeyError extends DjangoError {
  readonly code: ErrorCode = 'KEY_ERROR';
}

/**
 * A value is of the right type but not allowed (Python's ValueError).
 *
 * ```ts
 * try {
 *   b62_decode('-?');
 * } catch (error) {
 *   if (error instanceof ValueError) console.log(error.message); // The text is no number in base 62.
 * }
 * ```
 */
export class ValueError extends DjangoError {
  readonly code: ErrorCode = 'VALUE_ERROR';
}

/**
 * A cookie's name, value or attribute cannot be sent (Python's http.cookies.CookieError). Nothing was sent.
 *
 * ```ts
 * try {
 *   ctx.set_cookie('basket', text);
 * } catch (error) {
 *   if (!(error instanceof CookieError)) throw error; // more than 4096 bytes, for example
 *   ctx.session['basket'] = text;
 * }
 * ```
 */
export class CookieError extends DjangoError {
  readonly code: ErrorCode = 'COOKIE_ERROR';
}

/**
 * A store was asked to create a session under a key that is taken (sessions.backends.base.CreateError).
 *
 * ```ts
 * try {
 *   await store.create({ session_key, session_data: text, expire_date: new Date(1e3 * now()) });
 * } catch (error) {
 *   if (!(error instanceof CreateError)) throw error; // the key is taken: try another
 * }
 * ```
 */
export class CreateError extends DjangoError {
  readonly code: ErrorCode = 'CREATE_ERROR';
}

/**
 * The row to update is gone: deleted by a logout or by clear_expired (sessions.backends.base.UpdateError). Status 400,
 * like SessionInterrupted, to which the middleware converts it.
 *
 * ```ts
 * await session.save().catch((error: unknown) => {
 *   if (!(error instanceof UpdateError)) throw error; // the visitor has logged out: nothing to do
 * });
 * ```
 */
export class UpdateError extends DjangoError {
  readonly code: ErrorCode = 'UPDATE_ERROR';
  override readonly status: number = 400;
}

/**
 * The session was ended by another request while this one ran (sessions.exceptions.SessionInterrupted): 400.
 *
 * ```ts
 * try {
 *   await login(ctx, user);
 * } catch (error) {
 *   if (!(error instanceof SessionInterrupted)) throw error;
 *   ctx.redirect('/login/'); // logged out in another tab meanwhile
 * }
 * ```
 */
export class SessionInterrupted extends DjangoError {
  readonly code: ErrorCode = 'SESSION_INTERRUPTED';
  override readonly status: number = 400;
  override readonly expose: boolean = true;
}

/**
 * The store did not respond in time: 503. The visitor keeps the cookie and can try again. `cause` is the driver's
 * error.
 *
 * ```ts
 * const session = await openSession(session_key, { settings, store }).catch((error: unknown) => {
 *   if (error instanceof StoreUnavailable) return null; // try again later
 *   throw error;
 * });
 * ```
 */
export class StoreUnavailable extends DjangoError {
  readonly code: ErrorCode = 'STORE_UNAVAILABLE';
  override readonly status: number = 503;
  /** Sent by Koa's own error handler, such as for a save outside of `exceptions`, which sets its own Retry-After. */
  readonly headers: Readonly<Record<string, string>> = { 'Retry-After': '5' };
}

/**
 * The request is not allowed (django.core.exceptions.PermissionDenied): 403.
 *
 * ```ts
 * if (!(await ctx.user.has_perm('shop.change_good'))) throw new PermissionDenied('You may not change goods.');
 * ```
 */
export class PermissionDenied extends DjangoError {
  readonly code: ErrorCode = 'PERMISSION_DENIED';
  override readonly status: number = 403;
  override readonly expose: boolean = true;
}

/**
 * The request was manipulated (django.core.exceptions.SuspiciousOperation): 400.
 *
 * ```ts
 * if (!/^\d+$/.test(id)) throw new SuspiciousOperation('The id of a good is a number.');
 * ```
 */
export class SuspiciousOperation extends DjangoError {
  readonly code: ErrorCode = 'SUSPICIOUS_OPERATION';
  override readonly status: number = 400;
  override readonly expose: boolean = true;
}

/**
 * A body is larger than DATA_UPLOAD_MAX_MEMORY_SIZE or FILE_UPLOAD_MAX_BYTES. 413, where Django says 400: RFC 9110 section 15.5.14.
 *
 * ```ts
 * app.use(async (ctx, next) => {
 *   await next().catch((error: unknown) => {
 *     if (!(error instanceof RequestDataTooBig)) throw error;
 *     ctx.status = 413;
 *     ctx.body = 'Send at most ten megabytes.';
 *   });
 * });
 * ```
 */
export class RequestDataTooBig extends DjangoError {
  readonly code: ErrorCode = 'REQUEST_DATA_TOO_BIG';
  override readonly status: number = 413;
  override readonly expose: boolean = true;
}

/** One problem of a value: Django's code, the message, and its parameters. */
export interface ValidationProblem {
  readonly code: string;
  readonly message: string;
  readonly params: Readonly<Record<string, string | number>>;
}

/**
 * A value is invalid (django.core.exceptions.ValidationError): 400. `problems` lists all problems.
 *
 * ```ts
 * try {
 *   await validate_password(password, { user });
 * } catch (error) {
 *   if (!(error instanceof ValidationError)) throw error;
 *   ctx.status = 400;
 *   ctx.body = error.problems.map(({ code, message }) => ({ code, message }));
 * }
 * ```
 */
export class ValidationError extends DjangoError {
  readonly code: ErrorCode = 'VALIDATION_ERROR';
  override readonly status: number = 400;
  override readonly expose: boolean = true;
  readonly problems: readonly ValidationProblem[];

  constructor(problems: readonly ValidationProblem[]) {
    super(problems.map(({ message }) => message).join(' '));
    this.problems = problems;
  }
}

/**
 * A table exists but does not have Django's columns; the message names table and column.
 *
 * ```ts
 * await migrate(knex).catch((error: unknown) => {
 *   if (error instanceof SchemaMismatch) console.error(error.message); // names table and column
 *   throw error;
 * });
 * ```
 */
export class SchemaMismatch extends DjangoError {
  readonly code: ErrorCode = 'SCHEMA_MISMATCH';
}

/**
 * A rollback would drop tables with rows, and the caller has not confirmed it. Nothing was changed.
 *
 * ```ts
 * try {
 *   await rollback(knex, { all: true });
 * } catch (error) {
 *   if (!(error instanceof RowsAtStake)) throw error;
 *   console.error(error.message, error.migrations); // nothing was changed
 * }
 * ```
 */
export class RowsAtStake extends DjangoError {
  readonly code: ErrorCode = 'ROWS_AT_STAKE';
  /** The migrations that would be rolled back, in order. */
  readonly migrations: readonly string[];
  /** The tables that would be dropped, with the number of their rows. */
  readonly tables: readonly TableRows[];

  constructor(message: string, { migrations, tables }: Pick<RowsAtStake, 'migrations' | 'tables'>) {
    super(message);
    this.migrations = migrations;
    this.tables = tables;
  }
}

/** A table and its number of rows. */
export interface TableRows {
  readonly table: string;
  readonly rows: number;
}

/**
 * A message was added without the messages middleware (django.contrib.messages.api.MessageFailure).
 *
 * ```ts
 * try {
 *   messages.info(ctx, 'Saved.');
 * } catch (error) {
 *   if (!(error instanceof MessageFailure)) throw error; // messages(app, …) is not mounted
 * }
 * ```
 */
export class MessageFailure extends DjangoError {
  readonly code: ErrorCode = 'MESSAGE_FAILURE';
}

markClasses({
  DjangoError,
  BadSignature,
  SignatureExpired,
  ImproperlyConfigured,
  KeyError,
  ValueError,
  CookieError,
  CreateError,
  UpdateError,
  SessionInterrupted,
  StoreUnavailable,
  PermissionDenied,
  SuspiciousOperation,
  RequestDataTooBig,
  ValidationError,
  SchemaMismatch,
  RowsAtStake,
  MessageFailure,
});
