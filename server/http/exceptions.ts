/** Step 5 of a request (README): turns errors into responses, inside the session, so that its cookie is still sent. */
import { STATUS_CODES } from 'node:http';
import type { Context, Middleware } from 'koa';
import { PermissionDenied, SuspiciousOperation } from '../errors.js';
import type { AnyContext } from './application.js';
import { cutAnswer } from './body_stream.js';
import { restoreCookies, savedCookies } from './cookies.js';
import { errorFields } from './error_fields.js';
import { errorPage } from './error_page.js';
import { type Failure, failureOf, nameAndMessage, sentence } from './error_status.js';
import { OwnState } from './own_state.js';
import { MALFORMED, pathOf } from './target.js';

/** A logger for errors, such as pino. The objects contain no header, cookie or body. */
export interface ExceptionLogger {
  /** For errors below 500. */
  warn(details: object, message: string): void;
  /** For errors of 500 and above. */
  error(details: object, message: string): void;
}

/**
 * Renders an error page: returns HTML, or sets `ctx.body`. `message` may be shown to visitors. If it throws, the
 * default page is sent.
 */
export type RenderError = (ctx: Context, status: number, message: string) => unknown;

/** Rendering and logging of errors. */
export interface ExceptionOptions {
  readonly render?: RenderError;
  /** Show name and message of unexpected errors, but no cookies, bodies or settings. */
  readonly debug?: boolean;
  readonly logger?: ExceptionLogger;
  /** Seconds for the Retry-After header of a 503. */
  readonly retry_after?: number;
}

const AFTER = new OwnState<(() => void)[]>('afterErrorPage');

/**
 * Run a callback after an error page was rendered, for middleware whose `process_response` Django still calls after an
 * error (the CSRF cookie is sent with a 500). Not called without an error page.
 *
 * ```ts
 * afterErrorPage(ctx, () => ctx.set('X-Request-Id', id));
 * ```
 */
export function afterErrorPage(ctx: AnyContext, run: () => void): void {
  AFTER.orMade(ctx, () => []).push(run);
}

/**
 * Middleware that turns errors into a page, or into `{"error", "status"}` if the client prefers JSON. Body, headers and
 * cookies set by the failed handler are dropped, because Django creates a new response. A response of 400 or more
 * without a body (no route, a method not allowed) also gets a page and keeps its headers.
 *
 * `status` and `expose` of an error work as in Koa; every other error is a 500 without details. Can be mounted twice:
 * also outermost, for errors outside the session.
 *
 * ```ts
 * app.use(sessions(app, { settings, store }));
 * app.use(exceptions({ logger: console }));
 * ```
 */
export function exceptions(options: ExceptionOptions = {}): Middleware {
  return async function exceptions(ctx, next) {
    // A WebSocket's context has no response (koa-websocket): its own handler handles errors.
    if (ctx.res === undefined) return next();
    const headers = ctx.res.getHeaders();
    const cookies = savedCookies(ctx);
    try {
      await next();
      if (ctx.status < 400 || ctx.body !== undefined || ctx.respond === false || ctx.headerSent) return;
      await answer(ctx, { status: ctx.status, message: sentence(ctx.status) }, options);
    } catch (error) {
      const failure = failureOf(error, ctx, options);
      report(error, failure.status, ctx, options);
      if (ctx.headerSent || !ctx.writable) {
        cutAnswer(ctx);
        return;
      }
      clear(ctx, headers);
      restoreCookies(ctx, cookies);
      for (const [name, value] of Object.entries(failure.headers ?? {})) ctx.set(name, value);
      await answer(ctx, failure, options);
    }
    for (const run of AFTER.of(ctx)?.splice(0) ?? []) run();
  };
}

/** Reset the response to its state before the handler, without a body. */
function clear(ctx: Context, headers: ReturnType<Context['res']['getHeaders']>): void {
  for (const name of ctx.res.getHeaderNames()) ctx.res.removeHeader(name);
  ctx.body = null;
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) ctx.res.setHeader(name, value);
}

async function answer(ctx: Context, { status, message }: Failure, options: ExceptionOptions): Promise<void> {
  const wantsJson = ctx.accepts('html', 'json') === 'json';
  ctx.status = status;
  if (wantsJson) {
    ctx.type = 'json';
    ctx.body = { error: message, status };
  } else {
    await page(ctx, status, message, options);
    ctx.status = status;
  }
  // Error pages are not cached, so Vary: Accept is not needed.
  if (!ctx.res.hasHeader('Cache-Control')) ctx.set('Cache-Control', 'no-store');
}

async function page(ctx: Context, status: number, message: string, options: ExceptionOptions): Promise<void> {
  try {
    const html = await options.render?.(ctx, status, message);
    if (typeof html === 'string') {
      ctx.type = 'html';
      ctx.body = html;
    }
    if (typeof ctx.body === 'string' || Buffer.isBuffer(ctx.body)) return;
  } catch (error) {
    // An error page must not fail because the layout needs the user's name and the database is unavailable.
    report(error, 500, ctx, options);
  }
  ctx.type = 'html';
  ctx.body = errorPage(status, message);
}

/** 5xx are errors; a suspicious or forbidden request is a warning; other 4xx are in the request log already. */
function report(error: unknown, status: number, ctx: Context, { logger }: ExceptionOptions): void {
  const path = pathOf(ctx) ?? MALFORMED;
  const details = { method: ctx.method, path, status, err: errorFields(error) };
  if (status >= 500) {
    if (logger !== undefined) logger.error(details, `${STATUS_CODES[status]}: ${path}`);
    else ctx.app.emit('error', error instanceof Error ? error : new Error(nameAndMessage(error)), ctx);
  } else if (error instanceof SuspiciousOperation || error instanceof PermissionDenied) {
    logger?.warn(details, `${STATUS_CODES[status]}: ${error.message}`);
  }
}
