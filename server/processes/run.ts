/** The reference server from its settings on, in one process or in several, until a signal says stop. */
import cluster from 'node:cluster';
import { developmentKey } from '../../config/development_key.js';
import { environmentWith, ownSettings, serverSettings } from '../../config/settings.js';

/**
 * Resolves when it serves. The process ends by its signals.
 * @param workers stands for WEB_CONCURRENCY, from the command line
 */
export async function run(workers: string | undefined): Promise<void> {
  const environment = environmentWith(workers === undefined ? {} : { WEB_CONCURRENCY: workers });
  const settings = serverSettings(() => developmentKey(ownSettings(environment)), environment);
  // Imported late: the supervisor serves nothing, and is small.
  if (cluster.isWorker) (await import('./worker.js')).runWorker(settings);
  else if (settings.WEB_CONCURRENCY > 1) await (await import('./several.js')).runSeveral(settings);
  else await (await import('./one.js')).runOne(settings);
}
