/** The messages between the supervisor and the workers, over node:cluster. */
import type { MetricsSnapshot } from '../ops/summed_metrics.js';

export type ToWorker =
  | {
      readonly type: 'start';
      /** Whether it prints to the terminal; the other processes only log. */
      readonly first: boolean;
      /** The embedded PostgreSQL that the supervisor runs. */
      readonly embeddedUrl?: string;
    }
  | {
      readonly type: 'stop';
      /** Whether another process replaces it. */
      readonly replaced: boolean;
    }
  | { readonly type: 'metrics' };

export type FromWorker =
  /** Sent first, because messages to a process that does not listen yet are lost. */
  | { readonly type: 'hello' }
  | { readonly type: 'ready' }
  /** Sent on request, and once before it ends. */
  | { readonly type: 'metrics'; readonly metrics: MetricsSnapshot };
