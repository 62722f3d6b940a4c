/** A step of the lab: the request, the call, the row before and after, the answer. */
import type { LabNote } from '../messages/lab_en.js';
import type { RowView } from './row.js';
import type { SentCookie } from './set_cookie.js';

/** The same step in Django and in Koa. */
export interface Code {
  readonly django: string;
  readonly koa: string;
  /** Django's result, if it is different. */
  readonly django_returns?: string;
}

export type Outcome =
  /** The result as source code. */
  | { readonly kind: 'returned'; readonly python: string; readonly javascript: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'raised'; readonly name: string; readonly message: string }
  | { readonly kind: 'refused'; readonly note: LabNote };

/** Effects on row and cookies. */
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

/** A line of a step with two tabs. */
export interface TabLine {
  readonly tab: 'a' | 'b';
  /** The action: a key of the lab's messages. */
  readonly deed: 'reads' | 'sets' | 'saves' | 'deletes' | 'answers' | 'starts';
  readonly koa: string;
  /** The row after it; undefined if it is unchanged. */
  readonly row?: RowView | null;
}

export interface Step {
  readonly number: number;
  /** Unix seconds. */
  readonly at: number;
  /** The name of its button. */
  readonly name: string;
  /** The form's fields, to show them again. */
  readonly fields: ReadonlyMap<string, string>;
  /** The claim whose button was pressed; null for a button of `/lab/`. */
  readonly claim: string | null;
  readonly code: Code | null;
  readonly outcome: Outcome;
  /** The request's cookies, secrets shortened. */
  readonly sent: readonly (readonly [name: string, value: string])[];
  readonly received: readonly SentCookie[];
  /** The browser's session cookie after the step; null for none. */
  readonly browserKey: string | null;
  readonly before: RowView | null;
  readonly after: RowView | null;
  readonly accessed: boolean;
  readonly modified: boolean;
  readonly events: readonly StepEvent[];
  readonly tabs: readonly TabLine[];
  /** A picture as a `data:` URL; null without one. */
  readonly picture: string | null;
  readonly user: string | null;
}
