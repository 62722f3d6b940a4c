/** What the supervisor and the processes that serve say to each other, over the channel of node:cluster. */
import type { MetricsSnapshot } from '../ops/summed_metrics.js';

export type ToWorker =
  | {
      readonly type: 'start';
      /** It speaks to the person who started the command; the others only log. */
      readonly first: boolean;
      /** The embedded PostgreSQL that the supervisor runs. */
      readonly embeddedUrl?: string;
    }
  | {
      readonly type: 'stop';
      /** Another process is there in its place, so the service goes on. */
      readonly replaced: boolean;
    }
  | { readonly type: 'metrics' };

export type FromWorker =
  /** First of all: what is sent to a process before it listens is lost. */
  | { readonly type: 'hello' }
  | { readonly type: 'ready' }
  /** When it is asked, and once before it ends. */
  | { readonly type: 'metrics'; readonly metrics: MetricsSnapshot };
