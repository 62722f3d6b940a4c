/** What the lab remembers of a step: the request, what was done, the row before and after, the answer. */
import type { LabNote } from '../messages/lab_en.js';
import type { RowView } from './row.js';
import type { SentCookie } from './set_cookie.js';

/** The same step in Django and in Koa. */
export interface Code {
  readonly django: string;
  readonly koa: string;
  /** What Django returns, where it is another thing. */
  readonly django_returns?: string;
}

export type Outcome =
  /** Literals of what came back; null where nothing does. */
  | { readonly kind: 'returned'; readonly python: string; readonly javascript: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'raised'; readonly name: string; readonly message: string }
  | { readonly kind: 'refused'; readonly note: LabNote };

/** What happened to row and cookies. */
export const EVENTS = [
  'row_created',
  'row_saved',
  'row_merged',
  'row_cycled',
  'row_deleted',
  'interrupted',
  'cookie_sent',
  'cookie_deleted',
  'other_cookie',
] as const;
export type StepEvent = (typeof EVENTS)[number];

/** One line of a story about two tabs. */
export interface TabLine {
  readonly tab: 'a' | 'b';
  /** What it does: a key of the lab's messages. */
  readonly deed: 'reads' | 'sets' | 'saves' | 'deletes' | 'answers' | 'starts';
  readonly koa: string;
  /** The row after it; undefined where nothing changed. */
  readonly row?: RowView | null;
}

export interface Step {
  readonly number: number;
  /** Unix seconds. */
  readonly at: number;
  /** The name of its member. */
  readonly name: string;
  /** Fields as they were sent, for the form to show them again. */
  readonly fields: ReadonlyMap<string, string>;
  /** The claim of a page that it was made for; null for the lab's own. */
  readonly claim: string | null;
  readonly code: Code | null;
  readonly outcome: Outcome;
  /** What the browser sent, shortened where it is secret. */
  readonly sent: readonly (readonly [name: string, value: string])[];
  readonly received: readonly SentCookie[];
  /** The session cookie's value as the browser has it after the step; null for none. */
  readonly browserKey: string | null;
  readonly before: RowView | null;
  readonly after: RowView | null;
  readonly accessed: boolean;
  readonly modified: boolean;
  readonly events: readonly StepEvent[];
  readonly tabs: readonly TabLine[];
  /** A picture as a data: address; null without one. */
  readonly picture: string | null;
  readonly user: string | null;
}
