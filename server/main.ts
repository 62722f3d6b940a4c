/** `npm start`: settings, database, migrations, application, until a signal says stop; in one process or in several. */
import cluster from 'node:cluster';
import { parseArgs } from 'node:util';
import { developmentKey } from '../config/development_key.js';
import { environmentWith, ownSettings, serverSettings } from '../config/settings.js';
import { fail } from './processes/print.js';

async function main(): Promise<void> {
  const { workers } = parseArgs({ options: { workers: { type: 'string' } } }).values;
  const environment = environmentWith(workers === undefined ? {} : { WEB_CONCURRENCY: workers });
  const settings = serverSettings(() => developmentKey(ownSettings(environment)), environment);
  // Imported late: the supervisor serves nothing, and is small.
  if (cluster.isWorker) (await import('./processes/worker.js')).runWorker(settings);
  else if (settings.WEB_CONCURRENCY > 1) await (await import('./processes/several.js')).runSeveral(settings);
  else await (await import('./processes/one.js')).runOne(settings);
}

main().catch(fail);
