/** The redirect after a login, a logout or a choice of language. */
import type { Context } from 'koa';
import { url_has_allowed_host_and_scheme } from '../index.js';

/** `next` if it stays on this site, otherwise `fallback` (django.contrib.auth.views.RedirectURLMixin). */
export function safeNext(ctx: Context, next: string | undefined, fallback: string): string {
  return next !== undefined && url_has_allowed_host_and_scheme(next, ctx.host, ctx.secure) ? next : fallback;
}

/** Longer URLs are refused by url_has_allowed_host_and_scheme, so a form does not contain them. */
const LONGEST = 2048;

/** The requested `next` of a form or query, for the form to repeat; '' if missing or too long. */
export function shownNext(next: string | undefined): string {
  return next === undefined || next.length > LONGEST ? '' : next;
}

/**
 * The last value of a name in the query, as in Django. Koa's `ctx.query` is not used because it searches the whole
 * query for each name: 14 kB of `a&` took half a second.
 */
export function queryField(ctx: Context, name: string): string | undefined {
  return new URLSearchParams(ctx.querystring).getAll(name).at(-1);
}
