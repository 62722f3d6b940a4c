/** One of several processes that serve: started, asked for its metrics and stopped by the supervisor. */
import type { ServerSettings } from '../../config/settings.js';
import { createLog } from '../ops/log.js';
import { type RunningServer, serve } from '../serve.js';
import type { FromWorker, ToWorker } from './messages.js';
import { fail, print } from './print.js';
import { printLogin } from './print_login.js';

export function runWorker(settings: ServerSettings): void {
  // Ignored, because a terminal, and maybe a service manager, sends them to the whole process group: the supervisor
  // decides when to stop.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  let server: RunningServer | undefined;
  process.on('message', (message: ToWorker) => {
    switch (message.type) {
      case 'start':
        start(settings, message).then((started) => {
          server = started;
        }, fail);
        break;
      case 'metrics':
        void tellMetrics(server);
        break;
      case 'stop':
        void stop(server, message.replaced).then(() => process.exit(0), fail);
    }
  });
  void tell({ type: 'hello' });
}

async function start(
  settings: ServerSettings,
  { first, embeddedUrl }: ToWorker & { readonly type: 'start' },
): Promise<RunningServer> {
  const server = await serve(settings, {
    log: createLog({ level: settings.LOG_LEVEL, pid: process.pid }),
    print: first ? print : () => {},
    metricsElsewhere: true,
    listenWhenReady: !first,
    ...(embeddedUrl === undefined ? {} : { embeddedUrl }),
  });
  if (first) print(`Listening on ${server.url}`);
  server.ready.then(
    () => {
      if (first) printLogin(settings, server.url);
      void tell({ type: 'ready' });
    },
    // Stopping also ends the wait for the database, and then the process.
    (error: unknown) => server.stopping || fail(error),
  );
  return server;
}

/** A process that is not ready ends at once; PostgreSQL rolls back its transactions. */
async function stop(server: RunningServer | undefined, replaced: boolean): Promise<void> {
  await server?.stop({ replaced });
  await tellMetrics(server);
}

async function tellMetrics(server: RunningServer | undefined): Promise<void> {
  const metrics = (await server?.metrics?.registry.getMetricsAsJSON()) ?? [];
  await tell({ type: 'metrics', metrics });
}

/** Resolves when the message is sent, or cannot be sent because the supervisor is gone; this process then ends too. */
function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}
