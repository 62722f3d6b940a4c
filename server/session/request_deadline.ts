/** The deadline of a request, for whatever of the library asks the database in it. */
import type { Context } from 'koa';
import { Deadline } from '../db/deadline.js';
import { type AnyContext, checkContext } from '../http/application.js';
import { OwnState } from '../http/own_state.js';
import type { Session } from './session.js';
import { DEADLINE } from './store.js';

/** Of requests without a session, or whose engine has no bound. */
const DEADLINES = new OwnState<Deadline>('deadline');

/**
 * The deadline of this request: one bound for all its waits for the database. Sessions and the user of the request have it
 * by themselves. Pass it to the methods of throttles and tables that take one: without it each call has a bound of its own,
 * and a visitor may wait for all of them, one after the other.
 *
 * The bound is 2.5 × DATABASE_TIMEOUT, the option `timeout` of the session's store; if the store has none, of the first
 * table that is asked.
 *
 * ```ts
 * const deadline = requestDeadline(ctx);
 * const answer = await throttle.check({ username, address: ctx.ip }, deadline);
 * const user = await users.get_by_natural_key(username, deadline);
 * ```
 */
export function requestDeadline(ctx: AnyContext): Deadline {
  checkContext('requestDeadline()', ctx);
  const { session } = ctx.request as { readonly session?: Session };
  return session?.[DEADLINE] ?? DEADLINES.orMade(ctx, () => new Deadline());
}

/** The deadline that was asked for before the request had this session. */
export function earlierDeadline(ctx: Context): Deadline | undefined {
  return DEADLINES.of(ctx);
}
