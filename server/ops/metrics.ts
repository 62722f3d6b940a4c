/** Metrics for Prometheus, on a separate port (METRICS_PORT). */
import { createServer, type Server } from 'node:http';
import type { Knex } from 'knex';
import type Koa from 'koa';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { poolOf } from '../undocumented/knex.js';
import { listen } from './listen.js';

export class Metrics {
  readonly registry = new Registry();
  readonly #requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Requests by method and status class, and how long they took.',
    labelNames: ['method', 'status'],
    registers: [this.registry],
  });
  readonly #sessions = new Counter({
    name: 'django_session_events_total',
    help: 'Sessions: load, miss, save, merge, interrupted, suspicious.',
    labelNames: ['event'],
    registers: [this.registry],
  });
  readonly #throttled = new Counter({
    name: 'login_throttled_total',
    help: 'Logins refused with 429.',
    registers: [this.registry],
  });

  constructor(knex: Knex) {
    collectDefaultMetrics({ register: this.registry });
    const pool = poolOf(knex);
    new Gauge({
      name: 'database_pool_connections',
      help: 'Database connections in use, free, and requests that wait for one.',
      labelNames: ['state'],
      registers: [this.registry],
      collect() {
        this.set({ state: 'used' }, pool.numUsed());
        this.set({ state: 'free' }, pool.numFree());
        this.set({ state: 'waiting' }, pool.numPendingAcquires());
      },
    });
  }

  /** Counts a session's event (server/session/events.ts). */
  readonly session = (event: string): void => this.#sessions.inc({ event });

  /** Counts a login that the throttle refused. */
  throttled(): void {
    this.#throttled.inc();
  }

  /** Counts and times requests. Mount it outermost. */
  readonly middleware: Koa.Middleware = async (ctx, next) => {
    const end = this.#requests.startTimer();
    try {
      await next();
    } finally {
      end({ method: ctx.method, status: `${Math.floor(ctx.status / 100)}xx` });
    }
  };
}

/** Starts a server that answers only `GET /metrics`, with `text`. Resolves when it listens. */
export async function listenForMetrics(text: () => Promise<string>, port: number, host: string): Promise<Server> {
  const server = createServer(async (request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE);
    response.end(await text());
  });
  await listen(server, { name: 'METRICS_PORT', port, host });
  return server;
}
