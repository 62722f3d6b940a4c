/** Callbacks just before the head of a response is written, by Koa, by its error handler, or by a handler itself. */
import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { Context } from 'koa';
import { cookieNameOf, setCookieLines } from './set_cookie_lines.js';

type WriteHead = (status: number, ...rest: unknown[]) => ServerResponse;

/** A callback before the head is written. */
export interface HeadWork {
  atHead(): void;
}

interface Head {
  /** The original `writeHead`: Node's, or another wrapper. */
  readonly writeHead: WriteHead;
  readonly works: HeadWork[];
}

const HEAD = Symbol('koa-django-session.head');
type WithHead = { [HEAD]?: Head; writeHead: WriteHead };

/** Whether headers can no longer be changed. A WebSocket's context has no response at all (koa-websocket). */
export function headSent(ctx: Pick<Context, 'res'>): boolean {
  const res = ctx.res as ServerResponse | undefined;
  return res === undefined || res.headersSent;
}

/**
 * Register a callback for just before the head of this response is written; it can still set headers. Later callbacks
 * run first, as inner middleware runs before outer. Does nothing if the head is already sent.
 *
 * Node calls `res.writeHead` itself at the first byte of a response without an explicit head, also for HTTP/2, so every
 * response passes through it. Koa's error handler removes all headers before it.
 */
export function beforeHead(ctx: Pick<Context, 'res'>, work: HeadWork): void {
  if (headSent(ctx)) return;
  const res = ctx.res as unknown as WithHead;
  if (res[HEAD] !== undefined) {
    res[HEAD].works.push(work);
    return;
  }
  res[HEAD] = { writeHead: res.writeHead, works: [work] };
  res.writeHead = writeHead;
}

/** One function for all responses; `this` is the response. */
function writeHead(this: unknown, status: number, ...rest: unknown[]): ServerResponse {
  const res = this as ServerResponse & WithHead;
  const head = res[HEAD] as Head;
  if (res.headersSent || head.works.length === 0) return head.writeHead.call(res, status, ...rest);
  const [first, second] = rest;
  const reason = typeof first === 'string' ? [first] : [];
  res.statusCode = status;
  takeHeaders(res, reason.length > 0 ? second : (first ?? second));
  for (const work of head.works.splice(0).reverse()) work.atHead();
  return head.writeHead.call(res, status, ...reason);
}

type Header = readonly [name: string, value: OutgoingHttpHeader];

/** The headers given to `writeHead`: an object, pairs, or names and values in turn. */
function pairsOf(headers: unknown): readonly Header[] {
  if (!Array.isArray(headers)) return Object.entries(Object(headers) as Record<string, OutgoingHttpHeader>);
  if (Array.isArray(headers[0])) return headers as readonly Header[];
  const pairs: Header[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) pairs.push([String(headers[index]), headers[index + 1]]);
  return pairs;
}

/**
 * Set the headers given to `writeHead` as Node does, except Set-Cookie: a handler that forwards the head of another
 * server (a proxy, a renderer) does not know our cookies. Cookies of other names are kept.
 */
function takeHeaders(res: ServerResponse, headers: unknown): void {
  const before = setCookieLines(res);
  const given = new Set<string>();
  for (const [name, value] of pairsOf(headers)) {
    if (value === undefined) continue;
    const lower = name.toLowerCase();
    if (given.has(lower)) res.appendHeader(name, typeof value === 'number' ? String(value) : value);
    else res.setHeader(name, value);
    given.add(lower);
  }
  if (!given.has('set-cookie')) return;
  const now = setCookieLines(res);
  const names = new Set(now.map(cookieNameOf));
  const kept = before.filter((line) => !names.has(cookieNameOf(line)));
  if (kept.length > 0) res.setHeader('Set-Cookie', [...kept, ...now]);
}

/** Protect these headers from error handlers: set those that are missing when the head is written. */
export function keepHeaders(
  ctx: Pick<Context, 'res'>,
  headers: readonly (readonly [name: string, value: string])[],
): void {
  beforeHead(ctx, {
    atHead() {
      for (const [name, value] of headers) if (!ctx.res.hasHeader(name)) ctx.res.setHeader(name, value);
    },
  });
}
