/** Where to go on after a login, a logout, a choice of language. */
import type { Context } from 'koa';
import { url_has_allowed_host_and_scheme } from '../index.js';

/** `next` if it stays on this site, otherwise `fallback` (django.contrib.auth.views.RedirectURLMixin). */
export function safeNext(ctx: Context, next: string | undefined, fallback: string): string {
  return next !== undefined && url_has_allowed_host_and_scheme(next, ctx.host, ctx.secure) ? next : fallback;
}

/** Longer ones are refused by url_has_allowed_host_and_scheme, and so are not repeated in a form. */
const LONGEST = 2048;

/** What a form or an address asked for, as the form repeats it; '' for nothing, and for what is longer than any address. */
export function shownNext(next: string | undefined): string {
  return next === undefined || next.length > LONGEST ? '' : next;
}

/**
 * A field of the address's query: the last one of that name, as in Django. Not by Koa's `ctx.query`, which looks through
 * the whole query again for each name in it: 14 kB of `a&` took half a second.
 */
export function queryField(ctx: Context, name: string): string | undefined {
  return new URLSearchParams(ctx.querystring).getAll(name).at(-1);
}
