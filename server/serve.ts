/** A running server: database, migrations, application, listening socket; and the shutdown in reverse order. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { Logger } from 'pino';
import type { ServerSettings } from '../config/settings.js';
import { createApp } from './app.js';
import { UserSessions } from './auth/user_sessions.js';
import { UserTable } from './auth/users.js';
import { clearRegularly } from './clear_regularly.js';
import { shownDatabase } from './db/database_url.js';
import { connectKnex } from './db/knex.js';
import { migrate } from './db/migrate.js';
import { reasonAway } from './db/sentences.js';
import { checkSessionTable } from './db/session_table.js';
import { isReadOnly, isRefusal, isUnavailable } from './db/unavailable.js';
import { checkWritable } from './db/writable.js';
import { startEmbeddedPostgres } from './embedded_database/index.js';
import { createListener } from './http/listener.js';
import type { Phase } from './ops/health.js';
import { listen } from './ops/listen.js';
import { listenForMetrics, Metrics } from './ops/metrics.js';
import type { SessionStore } from './session/store.js';
import { hasSessionTable, openStore } from './session/stores/index.js';
import { isDefaultUserModel, type Settings } from './settings.js';
import { ensureDemoUsers } from './site/demo_users.js';

export interface RunningServer {
  /** Whether it was told to stop. */
  readonly stopping: boolean;
  readonly metrics: Metrics | undefined;
  /** Its URL, for example `http://127.0.0.1:8000/`. */
  readonly url: string;
  readonly metricsUrl: string | null;
  /** Resolves when the database is migrated and requests are served; rejects if that fails. */
  readonly ready: Promise<void>;
  /** Resolves to a message if the embedded PostgreSQL ends by itself. */
  readonly crashed: Promise<string>;
  /**
   * Shut down: readiness off, SHUTDOWN_GRACE, no new connections, requests in flight finish within SHUTDOWN_TIMEOUT,
   * then the database. May be called twice.
   */
  stop(options?: StopOptions): Promise<void>;
}

export interface StopOptions {
  /**
   * Another process serves this address: readiness stays on, and idle connections are kept until their next request, so
   * that none is reset.
   */
  readonly replaced?: boolean;
}

export interface ServeOptions {
  readonly log: Logger;
  /** Prints lines to the terminal. */
  readonly print?: (line: string) => void;
  /** The embedded PostgreSQL of another process, without DATABASE_URL. */
  readonly embeddedUrl?: string;
  /** Another process serves METRICS_PORT. */
  readonly metricsElsewhere?: boolean;
  /** Listen only when the database is migrated, because other processes serve the same port until then. */
  readonly listenWhenReady?: boolean;
}

/**
 * Start everything. Unless `listenWhenReady` is set, listens before the database is available, so that `/livez` and
 * `/readyz` already answer.
 */
export async function serve(settings: ServerSettings, options: ServeOptions): Promise<RunningServer> {
  const { log, print = () => {}, embeddedUrl, metricsElsewhere = false, listenWhenReady = false } = options;
  const isEmbedded = settings.DATABASE_URL === null;
  const embedded =
    isEmbedded && embeddedUrl === undefined
      ? await startEmbeddedPostgres({ folder: settings.DATA_FOLDER, log: print })
      : undefined;
  const url = settings.DATABASE_URL ?? embeddedUrl ?? embedded?.url ?? '';
  const timeout = settings.DATABASE_TIMEOUT;
  const knex = connectKnex(url, {
    poolSize: settings.DATABASE_POOL,
    connect_timeout: timeout,
    statement_timeout: timeout,
  });
  const metrics = settings.METRICS_PORT === null ? undefined : new Metrics(knex);
  let phase: Phase = 'starting';

  const prepared = settings.DATABASE_PREPARED;
  const users = new UserTable(knex, { settings: settings.django, timeout, prepared });
  const store = await openStore({ settings: settings.django, knex, prepared, timeout });
  const userSessions = hasSessionTable(settings.django)
    ? new UserSessions(knex, { settings: settings.django, store, timeout, logger: log })
    : null;
  const app = createApp({
    settings,
    knex,
    store,
    users,
    userSessions,
    log,
    phase: () => phase,
    ...(metrics === undefined ? {} : { metrics }),
  });
  const { server, connections } = createListener(app.callback(), settings);
  const abort = new AbortController();
  const prepare = async (): Promise<void> => {
    await whenAnswering(() => prepareTables(settings.django, knex, users), log, print, abort.signal);
    if (isEmbedded && isDefaultUserModel(settings.django)) await ensureDemoUsers(users);
    void warnOfStore(store, log);
    if (phase === 'starting') phase = 'ready';
    print(`Database: ${isEmbedded ? 'embedded PostgreSQL, ' : ''}${shownDatabase(url)}`);
  };
  let ready: Promise<void>;
  let metricsServer: Server | undefined;
  try {
    if (listenWhenReady) await prepare();
    await listen(server, { name: 'PORT', port: settings.PORT, host: settings.HOST });
    if (metrics !== undefined && !metricsElsewhere) {
      const text = () => metrics.registry.metrics();
      metricsServer = await listenForMetrics(text, settings.METRICS_PORT ?? 0, settings.HOST);
    }
    ready = listenWhenReady ? Promise.resolve() : prepare();
  } catch (error) {
    await knex.destroy();
    await embedded?.stop();
    throw error;
  }
  // Callers that await `ready` get the error; without one it must not end the process.
  ready.catch(() => {});
  const interval = settings.CLEARSESSIONS_INTERVAL;
  const clearing = ready.then(
    async () => {
      if (interval === null) return;
      await clearRegularly({ knex, store, settings: settings.django, interval, log, signal: abort.signal });
    },
    () => {},
  );

  let stopped: Promise<void> | undefined;
  const stop = async ({ replaced = false }: StopOptions): Promise<void> => {
    const served = phase === 'ready';
    abort.abort();
    connections.endAfterAnswer();
    if (!replaced) {
      phase = 'stopping';
      // The load balancer never used a server that was not ready.
      if (served) await pause(settings.SHUTDOWN_GRACE * 1000);
    }
    const end = performance.now() + settings.SHUTDOWN_TIMEOUT * 1000;
    await connections.close({ timeout: settings.SHUTDOWN_TIMEOUT, patient: replaced });
    metricsServer?.closeAllConnections();
    metricsServer?.close();
    const quiet = clearing
      .then(() => userSessions?.close())
      .then(() => store.close?.())
      .then(() => knex.destroy());
    // Work that waits for an unavailable database is abandoned: PostgreSQL rolls it back.
    await Promise.race([quiet, pause(Math.max(LEAST_REST, end - performance.now()), undefined, { ref: false })]);
    await embedded?.stop();
  };
  return {
    url: addressOf(server),
    metricsUrl: metricsServer === undefined ? null : `${addressOf(metricsServer)}metrics`,
    ready,
    crashed: embedded?.crashed ?? new Promise<string>(() => {}),
    get stopping() {
      return stopped !== undefined;
    },
    metrics,
    stop: (how = {}) => {
      stopped ??= stop(how);
      return stopped;
    },
  };
}

/** Sessions may need more than the database: report a wrong CACHE_URL at start, not at the first login. */
async function warnOfStore(store: SessionStore, log: Logger): Promise<void> {
  try {
    const lack = await store.check?.();
    if (lack !== undefined) log.warn({ reason: lack }, 'the store of sessions does not work as it should');
  } catch (error) {
    log.warn({ err: error }, 'the store of sessions does not work');
  }
}

/** @throws SchemaMismatch if the tables of users or sessions do not match the settings */
async function prepareTables(settings: Settings, knex: Knex, users: UserTable): Promise<void> {
  await checkWritable(knex);
  await migrate(knex, { AUTH_USER_MODEL: settings.AUTH_USER_MODEL });
  await users.model();
  if (hasSessionTable(settings)) await checkSessionTable(knex, settings.SESSION_TABLE);
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`;
}

/** The minimum time to close connections to the database, in milliseconds. */
const LEAST_REST = 500;

const FIRST_PAUSE = 0.25;
const LONGEST_PAUSE = 5;

/**
 * Retry with growing pauses until the database is available and writable. Other errors, or the signal to stop, end it.
 */
async function whenAnswering(
  work: () => Promise<unknown>,
  log: Logger,
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let seconds = FIRST_PAUSE; ; seconds = Math.min(seconds * 2, LONGEST_PAUSE)) {
    try {
      await work();
      return;
    } catch (error) {
      if (isRefusal(error) || !isUnavailable(error)) throw error;
      const isStandby = isReadOnly(error);
      const reason = isStandby ? 'it takes no writes' : reasonAway(error);
      log.warn(
        { pause: seconds, reason },
        isStandby ? 'the database is a standby' : 'the database does not answer yet',
      );
      print(
        `The database ${isStandby ? 'is a standby' : 'does not answer yet'}; trying again in ${seconds} s${reason === undefined ? '' : ` (${reason})`}.`,
      );
      await pause(seconds * 1000, undefined, { signal });
    }
  }
}
