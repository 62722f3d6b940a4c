/** Runs the server in this process until a signal stops it. */
import type { ServerSettings } from '../../config/settings.js';
import { createLog } from '../ops/log.js';
import { serve } from '../serve.js';
import { fail, print } from './print.js';
import { printLogin } from './print_login.js';

export async function runOne(settings: ServerSettings): Promise<void> {
  const log = createLog({ level: settings.LOG_LEVEL });
  let stop = async (): Promise<void> => {};
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) process.exit(1);
    log.info({ signal }, 'stopping');
    stop().then(() => process.exit(0), fail);
  };
  const running = serve(settings, { log, print });
  stop = async () => (await running).stop();
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  // SIGHUP of a closing terminal, or a reload, which needs a second process: shut down gracefully.
  process.on('SIGHUP', onSignal);

  const server = await running;
  print(`Listening on ${server.url}`);
  void server.crashed.then(async (how) => {
    log.error({ how }, 'the embedded PostgreSQL ended');
    await server.stop();
    fail(new Error('The embedded PostgreSQL ended by itself. Start again; the data is kept.'));
  });
  try {
    await server.ready;
  } catch (error) {
    if (signals > 0) return;
    await server.stop();
    throw error;
  }
  printLogin(settings, server.url);
}
