/** Runs WEB_CONCURRENCY processes and what they share, until a signal stops them; SIGHUP replaces them. */
import type { Server } from 'node:http';
import type { ServerSettings } from '../../config/settings.js';
import { startEmbeddedPostgres } from '../embedded_database/index.js';
import { createLog } from '../ops/log.js';
import { listenForMetrics } from '../ops/metrics.js';
import { fail, print } from './print.js';
import { Supervisor } from './supervisor.js';

/** Seconds that a process has to end after its own timeouts. */
const REST = 3;

export async function runSeveral(settings: ServerSettings): Promise<void> {
  const { DATABASE_URL, METRICS_PORT, HOST, WEB_CONCURRENCY } = settings;
  const log = createLog({ level: settings.LOG_LEVEL, pid: process.pid });
  const embedded =
    DATABASE_URL === null ? await startEmbeddedPostgres({ folder: settings.DATA_FOLDER, log: print }) : undefined;
  const supervisor = new Supervisor({
    processes: WEB_CONCURRENCY,
    log,
    embeddedUrl: embedded?.url,
    patience: settings.SHUTDOWN_GRACE + settings.SHUTDOWN_TIMEOUT + REST,
  });
  let metrics: Server | undefined;
  try {
    if (METRICS_PORT !== null) metrics = await listenForMetrics(() => supervisor.metrics(), METRICS_PORT, HOST);
  } catch (error) {
    await embedded?.stop();
    throw error;
  }

  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= supervisor.stop().then(async () => {
      metrics?.close();
      await embedded?.stop();
    });
    return stopped;
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopped !== undefined) {
      supervisor.kill();
      process.exit(1);
    }
    log.info({ signal }, 'stopping');
    stop().then(() => process.exit(0), fail);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('SIGHUP', () => {
    log.info({}, 'replacing the processes');
    supervisor.replace().then((all) => {
      if (all) log.info({}, 'the processes are replaced');
    }, fail);
  });
  void embedded?.crashed.then(async (how) => {
    log.error({ how }, 'the embedded PostgreSQL ended');
    await stop();
    fail(new Error('The embedded PostgreSQL ended by itself. Start again; the data is kept.'));
  });

  const failed = await supervisor.start();
  if (stopped !== undefined) return;
  if (failed !== undefined) {
    await stop();
    // A process that ended by itself has printed the reason.
    if (failed.signal !== null) fail(new Error(`The first process was ended by ${failed.signal} before it served.`));
    process.exit(failed.code ?? 1);
  }
  print(`It is served by ${WEB_CONCURRENCY} processes. SIGHUP replaces them one by one.`);
}
