/**
 * Warns when a list or dictionary in a session was changed in place and not saved: `session.get('cart').push(x)` alone does
 * not set `modified`, here as in Django.
 */
import type { Logger } from '../logger.js';

/** A method of sessions: the keys whose values were changed in place. A symbol, because any name may be a key. */
export const CHANGED_INSIDE = Symbol('koa-django-session.changedInside');

export interface MaybeUnsaved {
  readonly modified: boolean;
  [CHANGED_INSIDE](): string[];
}

/** Characters of a key in the warning: a visitor may have chosen it. */
const MOST_SHOWN = 100;

/**
 * Logs one line at the end of a request, with the keys and no value. To find the changes it prints each list and dictionary
 * that the request asked for, so leave it out in production.
 */
export function warnOfUnsaved(session: MaybeUnsaved, logger: Pick<Logger, 'warn'> | undefined): void {
  if (session.modified || logger === undefined) return;
  const [key, ...others] = session[CHANGED_INSIDE]();
  if (key === undefined) return;
  const name = JSON.stringify(key.slice(0, MOST_SHOWN));
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  logger.warn(
    { logger: 'koa_django_session.unsaved' },
    `session[${name}]${more} was changed in place, which saves nothing, as in Django: the change is lost. Write session.modified = true after it, or session.set(${name}, value).`,
  );
}
