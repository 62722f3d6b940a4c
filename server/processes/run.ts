/** Runs the reference server with its settings, in one process or several, until a signal stops it. */
import cluster from 'node:cluster';
import { developmentKey } from '../../config/development_key.js';
import { environmentWith, ownSettings, serverSettings } from '../../config/settings.js';

/**
 * Resolves when it serves requests. Signals end the process.
 * @param workers overrides WEB_CONCURRENCY, from the command line
 */
export async function run(workers: string | undefined): Promise<void> {
  const environment = environmentWith(workers === undefined ? {} : { WEB_CONCURRENCY: workers });
  const settings = serverSettings(() => developmentKey(ownSettings(environment)), environment);
  // Imported late, because the supervisor does not need it.
  if (cluster.isWorker) (await import('./worker.js')).runWorker(settings);
  else if (settings.WEB_CONCURRENCY > 1) await (await import('./several.js')).runSeveral(settings);
  else await (await import('./one.js')).runOne(settings);
}
