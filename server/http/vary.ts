/** The `Vary` header, as django.utils.cache. */
import type { Context } from 'koa';

// Not split(/\s*,\s*/), which takes quadratic time for runs of spaces.
const namesOf = (vary: string): string[] => vary.split(',').map((name) => name.trim());

/**
 * Add names to Vary unless present (case-insensitively). The order is kept; `*` replaces all names.
 *
 * ```ts
 * patch_vary_headers(ctx, 'Accept-Language', 'Cookie');
 * ```
 */
export function patch_vary_headers(ctx: Pick<Context, 'res'>, ...names: readonly string[]): void {
  const present = ctx.res.getHeader('Vary');
  if (present === undefined && names.length === 1 && names[0] !== undefined) {
    ctx.res.setHeader('Vary', names[0]);
    return;
  }
  // The common case: the second call of a request, after a save.
  if (names.length === 1 && names[0] === present) return;
  const vary = present === undefined ? [] : namesOf(String(present));
  const lower = new Set(vary.map((name) => name.toLowerCase()));
  const added = names.filter((name) => !lower.has(name.toLowerCase()));
  if (present !== undefined && added.length === 0 && !lower.has('*')) return;
  vary.push(...added);
  ctx.res.setHeader('Vary', vary.includes('*') ? '*' : vary.join(', '));
}
