/** The effects of a step on the row and the cookies, found by comparing before and after. */
import { SESSION_KEY } from '../../index.js';
import { NOTEBOOK_COOKIE } from './mask.js';
import type { RowView } from './row.js';
import { isDeletion, type SentCookie } from './set_cookie.js';
import type { StepEvent, TabLine } from './step.js';

export interface Observed {
  readonly before: RowView | null;
  readonly after: RowView | null;
  /** Whether the row of `before` still exists; false if there was none. */
  readonly oldRowStays: boolean;
  readonly received: readonly SentCookie[];
  readonly sessionCookie: string;
  readonly interrupted: boolean;
  readonly tabs: readonly TabLine[];
}

export function eventsOf(observed: Observed): StepEvent[] {
  const { received, sessionCookie, interrupted } = observed;
  const events = interrupted ? (['interrupted'] as StepEvent[]) : rowEvents(observed);
  const session = received.find(({ name }) => name === sessionCookie);
  if (session !== undefined) events.push(isDeletion(session) ? 'cookie_deleted' : 'cookie_sent');
  if (received.some(({ name }) => name !== sessionCookie && name !== NOTEBOOK_COOKIE)) events.push('other_cookie');
  return events;
}

function rowEvents({ before, after, oldRowStays, tabs }: Observed): StepEvent[] {
  if (after === null) return before === null || oldRowStays ? [] : ['row_deleted'];
  if (before === null) return isMerged(after, tabs) ? ['row_created', 'row_merged'] : ['row_created'];
  if (after.session_key === before.session_key) {
    if (sameText(after, before) && after.expire_date.getTime() === before.expire_date.getTime()) return [];
    return [isMerged(after, tabs) ? 'row_merged' : 'row_saved'];
  }
  if (oldRowStays) return ['row_created'];
  return isKept(before, after) ? ['row_cycled'] : ['row_deleted', 'row_created'];
}

const textOf = ({ payload, time, signature }: RowView): string => `${payload}:${time}:${signature}`;
const sameText = (one: RowView, other: RowView): boolean => textOf(one) === textOf(other);

/** Whether `after` has every member of `before`, and no other user is logged in. */
function isKept({ members }: RowView, after: RowView): boolean {
  const now = new Map(after.members);
  return members.every(([name, json]) => (name === SESSION_KEY ? now.get(name) === json : now.has(name)));
}

/** Whether another tab wrote the row during the request, and its values are still there. */
function isMerged(after: RowView, tabs: readonly TabLine[]): boolean {
  const theirs = tabs.find(({ tab, deed }) => tab === 'b' && deed === 'saves')?.row;
  if (theirs === undefined || theirs === null || sameText(theirs, after)) return false;
  return isKept(theirs, after);
}
