/**
 * Warns of a list or dictionary in a session that was changed in place while nothing saved it: `session.get('cart')
 * .push(x)` alone is no change to Django, and not to us.
 */
import type { Logger } from '../logger.js';

/** A method of sessions: the keys whose values were changed inside. A symbol, so that no key's name leads to it. */
export const CHANGED_INSIDE = Symbol('koa-django-session.changedInside');

export interface MaybeUnsaved {
  readonly modified: boolean;
  [CHANGED_INSIDE](): string[];
}

/** A key may be a visitor's text. */
const MOST_SHOWN = 100;

/**
 * At the end of a request: one line that names the keys, never a value, if there is something to tell. It prints again
 * what somebody asked for and is no text or number, so leave it out in production.
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
