/** Health checks. `/livez`: the process runs. `/readyz`: a load balancer may send requests. */
import type Koa from 'koa';
import { StoreUnavailable } from '../errors.js';

/** `starting` until the database is migrated, `stopping` after the first SIGTERM or SIGINT. */
export type Phase = 'starting' | 'ready' | 'stopping';

export interface HealthOptions {
  /** Resolves if the database answers and takes writes; rejects otherwise. */
  readonly check: () => Promise<unknown>;
  /** SessionStore's `check`: rejects if sessions cannot be read; resolves with a warning if something else fails. */
  readonly store?: () => Promise<string | undefined>;
  readonly phase: () => Phase;
}

/** Answers `/livez` and `/readyz`. Mount it before the session middleware. */
export function health({ check, store = async () => undefined, phase }: HealthOptions): Koa.Middleware {
  return async function health(ctx, next) {
    if (ctx.path === '/livez') answer(ctx, 200, 'alive');
    else if (ctx.path !== '/readyz') return next();
    else if (phase() !== 'ready') answer(ctx, 503, phase());
    else {
      const [database, sessions] = await Promise.allSettled([check(), store()]);
      if (database.status === 'rejected') answer(ctx, 503, reasonOf(database.reason, 'the database'));
      else if (sessions.status === 'rejected') answer(ctx, 503, reasonOf(sessions.reason, 'the store of sessions'));
      else answer(ctx, 200, sessions.value === undefined ? 'ready' : `ready; ${sessions.value}`);
    }
  };
}

const reasonOf = (error: unknown, what: string): string =>
  error instanceof StoreUnavailable ? error.message : `${what} does not answer`;

function answer(ctx: Koa.Context, status: number, text: string): void {
  ctx.status = status;
  ctx.set('Cache-Control', 'no-store');
  if (status === 503) ctx.set('Retry-After', '2');
  ctx.type = 'text/plain';
  ctx.body = `${text}\n`;
}
