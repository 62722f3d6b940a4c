/**
 * Decides the status of an error's response, such as 503 or 500, and the visitor's message. Errors name their status
 * themselves (errors.ts); those of PostgreSQL become a 503 in db/unavailable.ts, those of Redis in redis/faults.ts.
 */
import { STATUS_CODES } from 'node:http';
import type { Context } from 'koa';
import { hasCode } from '../error_code.js';
import { StoreUnavailable } from '../errors.js';

/** The response to an error. */
export interface Failure {
  readonly status: number;
  /** For the visitor. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

interface FailureOptions {
  readonly debug?: boolean;
  readonly retry_after?: number;
}

/** The error's own status, 400 for a path that cannot be decoded, otherwise 500. */
export function failureOf(error: unknown, ctx: Context, { debug = false, retry_after = 5 }: FailureOptions): Failure {
  const { status: given, expose, message, headers } = protocolOf(error);
  const own = error instanceof StoreUnavailable ? {} : textsOf(headers);
  const known = typeof given === 'number' && given >= 400 && STATUS_CODES[given] !== undefined;
  const status = known ? given : isBadPath(error, ctx) ? 400 : 500;
  const shown = expose === true && typeof message === 'string' && message !== '' && message !== STATUS_CODES[status];
  return {
    status,
    message: shown ? message : debug ? nameAndMessage(error) : sentence(status),
    headers: { ...(status === 503 ? { 'Retry-After': String(retry_after) } : {}), ...own },
  };
}

interface Protocol {
  readonly status?: unknown;
  readonly expose?: unknown;
  readonly message?: unknown;
  readonly headers?: unknown;
}

/** The properties of an error that Koa and http-errors use; none if a getter throws. */
function protocolOf(error: unknown): Protocol {
  try {
    const { status, statusCode, expose, message, headers } = Object(error) as Record<string, unknown>;
    return { status: status || statusCode, expose, message, headers };
  } catch {
    return {};
  }
}

/**
 * A path that cannot be decoded, or a target such as `http://[` that cannot be parsed. Router and Koa pass on the
 * errors of decodeURIComponent and url.parse; these are errors of the client.
 */
function isBadPath(error: unknown, ctx: Context): boolean {
  try {
    decodeURIComponent(ctx.path);
    return false;
  } catch {
    return error instanceof URIError || hasCode(error, 'ERR_INVALID_URL');
  }
}

/** `headers` of an error, as http-errors defines them. */
function textsOf(headers: unknown): Record<string, string | string[]> {
  const texts: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(Object(headers) as Record<string, unknown>)) {
    if (typeof value === 'string') texts[name] = value;
    else if (Array.isArray(value) && value.every((line) => typeof line === 'string')) texts[name] = [...value];
  }
  return texts;
}

export function nameAndMessage(error: unknown): string {
  if (!(error instanceof Error)) return 'Something other than an Error was thrown.';
  try {
    return `${error.name}: ${error.message}`;
  } catch {
    return 'An error that cannot be read was thrown.';
  }
}

const SENTENCES: Readonly<Record<number, string>> = {
  400: 'The request could not be understood.',
  403: 'You are not allowed to do this.',
  404: 'There is no such page.',
  405: 'This address does not take that method.',
  429: 'Too many requests. Try again later.',
  500: 'Something went wrong here. It has been noted.',
  501: 'This server does not know that method.',
  503: 'The server cannot answer at the moment. Try again soon.',
};

export function sentence(status: number): string {
  return SENTENCES[status] ?? STATUS_CODES[status] ?? `Error ${status}`;
}
