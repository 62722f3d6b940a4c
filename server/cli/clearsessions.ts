/** `clearsessions`: remove expired sessions, as Django's command of this name. */
import { developmentKey } from '../../config/development_key.js';
import { ownSettings, serverSettings, sessionEngine, sessionTable } from '../../config/settings.js';
import { countExpired, sweep } from '../db/clear_expired.js';
import { openStore } from '../session/stores/index.js';
import type { SessionEngine } from '../settings.js';
import {
  type Command,
  EXIT,
  type ExitCode,
  print,
  printError,
  UsageError,
  wholeNumber,
  withDatabase,
} from './command.js';

/** Engines whose sessions are rows. */
const IN_THE_TABLE: readonly SessionEngine[] = ['db', 'cached_db'];

/** Milliseconds between progress messages of a long run. */
const SILENCE = 1000;

const sessions = (count: number): string =>
  `${count.toLocaleString('en')} expired ${count === 1 ? 'session' : 'sessions'}`;

export const command: Command = {
  summary: 'Remove expired sessions.',
  details: `Deletes rows in small batches, by the database's clock. After an interruption, the next run continues. While another
process clears, nothing is deleted and the exit code is 1. With a SESSION_ENGINE other than db and cached_db, removes the
engine's expired sessions at once.`,
  options: {
    'dry-run': { type: 'boolean', help: 'Count them; remove none.' },
    batch: { type: 'string', value: 'N', help: 'Rows per statement (1000).' },
  },
  async run({ values }) {
    const batch = wholeNumber('batch', { values }, 1000);
    const engine = sessionEngine();
    if (!IN_THE_TABLE.includes(engine)) {
      if (values['dry-run'] === true) throw new UsageError(`--dry-run counts rows, and SESSION_ENGINE is ${engine}.`);
      return clearElsewhere();
    }
    return withDatabase(async (knex) => {
      const table = sessionTable();
      const total = await countExpired(knex, { table });
      if (values['dry-run'] === true) {
        print(`${sessions(total)}. Nothing was removed.`);
        return EXIT.ok;
      }
      const stop = new AbortController();
      const interrupt = (): void => stop.abort();
      process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
      let spoke = performance.now();
      const { removed, busy } = await sweep(knex, {
        table,
        batch,
        signal: stop.signal,
        onProgress: (done) => {
          if (performance.now() - spoke < SILENCE) return;
          spoke = performance.now();
          printError(`${done.toLocaleString('en')} of about ${total.toLocaleString('en')} …`);
        },
      });
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      if (busy) {
        printError('Another process is removing expired sessions from this database.');
        return EXIT.failed;
      }
      print(`Removed ${sessions(removed)}.${stop.signal.aborted ? ' Interrupted; the next run continues.' : ''}`);
      return stop.signal.aborted ? EXIT.failed : EXIT.ok;
    });
  },
};

/** As in Django's command, the engine decides how. */
async function clearElsewhere(): Promise<ExitCode> {
  const settings = serverSettings(() => developmentKey(ownSettings())).django;
  const store = await openStore({ settings });
  try {
    print(`Removed ${sessions(await store.clear_expired())}.`);
  } finally {
    await store.close?.();
  }
  return EXIT.ok;
}
