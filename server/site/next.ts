/** Where to go on after a login, a logout, a choice of language. */
import type { Context } from 'koa';
import { url_has_allowed_host_and_scheme } from '../index.js';

/** `next` if it stays on this site, otherwise `fallback` (django.contrib.auth.views.RedirectURLMixin). */
export function safeNext(ctx: Context, next: string | undefined, fallback: string): string {
  return next !== undefined && url_has_allowed_host_and_scheme(next, ctx.host, ctx.secure) ? next : fallback;
}

/** A field of the address's query: the last one of that name, as in Django. */
export function queryField(ctx: Context, name: string): string | undefined {
  const value = ctx.query[name];
  return Array.isArray(value) ? value.at(-1) : value;
}
