/** What a load generator is told to do, and what it reports. */
import type { CookieKind } from '../rows.js';

export interface Plan {
  readonly port: number;
  readonly connections: number;
  readonly warmup: number;
  readonly seconds: number;
  readonly cookie: CookieKind;
  /** Sessions are drawn from 1 to this; 1 is one hot session. */
  readonly sessions: number;
  /** Only every so manieth of them. */
  readonly step?: number;
  /** Each session once, in order, until all were asked for or the time is over; otherwise at random. */
  readonly each?: boolean;
  /** The share of the requests that change the session and save it. */
  readonly writes: number;
  /** What the answer's id is compared with: the user's id, the session key (a server that does not decode), or null. */
  readonly expect: 'id' | 'key' | 'null';
  /** Read back what writes were acknowledged; off where servers lose updates by design (a hot session). */
  readonly readBack: boolean;
  readonly seed: number;
}

export interface Outcome {
  readonly requests: number;
  readonly seconds: number;
  readonly latencies: readonly number[];
  /** Answers that were wrong, with the first of them in words. */
  readonly wrong: number;
  readonly firstWrong: string | null;
  readonly readBack: { readonly checked: number; readonly lost: number };
}

export type ToGenerator =
  | { readonly do: 'prepare'; readonly plan: Plan }
  | { readonly do: 'go' }
  | { readonly do: 'stop' };
export type FromGenerator =
  | { readonly is: 'prepared' }
  | { readonly is: 'measuring' }
  | { readonly is: 'measured' }
  | { readonly is: 'done'; readonly outcome: Outcome };
