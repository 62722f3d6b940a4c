/** Station 5 of a request: what is thrown below becomes a response here, inside the session, so that its cookie survives. */
import { STATUS_CODES } from 'node:http';
import type { Context, Middleware } from 'koa';
import { PermissionDenied, SuspiciousOperation } from '../errors.js';
import { cutAnswer } from './body_stream.js';
import { restoreCookies, savedCookies } from './cookies.js';
import { errorFields } from './error_fields.js';
import { errorPage } from './error_page.js';
import { type Failure, failureOf, nameAndMessage, sentence } from './error_status.js';
import { OwnState } from './own_state.js';
import { MALFORMED, pathOf } from './target.js';

/** Where failures are told; pino fits. The objects hold no header, cookie or body. */
export interface ExceptionLogger {
  /** For errors of visitors, below 500. */
  warn(details: object, message: string): void;
  /** For errors of the server, from 500 on. */
  error(details: object, message: string): void;
}

/**
 * Makes the page of an error: returns HTML, or sets `ctx.body` itself. `message` is fit for visitors. When it throws, a
 * plain page is sent.
 */
export type RenderError = (ctx: Context, status: number, message: string) => unknown;

/** How errors become pages, and where they are logged. */
export interface ExceptionOptions {
  readonly render?: RenderError;
  /** Show name and message of unexpected errors. Never cookies, bodies or settings. */
  readonly debug?: boolean;
  readonly logger?: ExceptionLogger;
  /** Seconds that a 503 asks clients to wait. */
  readonly retry_after?: number;
}

const AFTER = new OwnState<(() => void)[]>('afterErrorPage');

/**
 * Have something done to the response after an error's page was made, for middleware that Django would still ask for
 * its `process_response` then (the CSRF cookie survives a 500). Not called where no page is made.
 *
 * ```ts
 * afterErrorPage(ctx, () => ctx.set('X-Request-Id', id));
 * ```
 */
export function afterErrorPage(ctx: Context, run: () => void): void {
  AFTER.orMade(ctx, () => []).push(run);
}

/**
 * Middleware that turns what is thrown below into a page, or into `{"error", "status"}` where the client prefers JSON.
 * What the failed handler had set (body, headers, cookies) is dropped, as in Django, where it makes a response anew.
 * A response of 400 or more without a body (no route, a method not allowed) gets a page too and keeps its headers.
 *
 * `status` and `expose` of an error decide as in Koa; every other error is a 500 that says nothing. May be mounted twice:
 * outermost as well, for what fails outside the session.
 *
 * ```ts
 * app.use(sessions(app, { settings, store }));
 * app.use(exceptions({ logger: console }));
 * ```
 */
export function exceptions(options: ExceptionOptions = {}): Middleware {
  return async function exceptions(ctx, next) {
    // A WebSocket's context has no response (koa-websocket): what is thrown is its own handler's.
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

/** The response as it was before the handler, without a body. */
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
  // No page of an error is kept, so that Vary: Accept is not needed.
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
    // An error's page must not fail because the database is away that the layout asks for the user's name.
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
