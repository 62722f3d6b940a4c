/** `/livez`: the process runs. `/readyz`: it can serve, so a load balancer may send requests. */
import type Koa from 'koa';

/** `starting` until the database is migrated; `stopping` from the first signal on. */
export type Phase = 'starting' | 'ready' | 'stopping';

export interface HealthOptions {
  /** Resolves when the database answers, rejects otherwise. */
  readonly check: () => Promise<unknown>;
  readonly phase: () => Phase;
}

/** Answers the two addresses before anything that needs a session. */
export function health({ check, phase }: HealthOptions): Koa.Middleware {
  return async function health(ctx, next) {
    if (ctx.path === '/livez') answer(ctx, 200, 'alive');
    else if (ctx.path !== '/readyz') return next();
    else if (phase() !== 'ready') answer(ctx, 503, phase());
    else
      await check().then(
        () => answer(ctx, 200, 'ready'),
        () => answer(ctx, 503, 'the database does not answer'),
      );
  };
}

function answer(ctx: Koa.Context, status: number, text: string): void {
  ctx.status = status;
  ctx.set('Cache-Control', 'no-store');
  if (status === 503) ctx.set('Retry-After', '2');
  ctx.type = 'text/plain';
  ctx.body = `${text}\n`;
}
