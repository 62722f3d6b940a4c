/** `migrate`: bring the database up to date. */
import { migrate } from '../db/migrate.js';
import { type Command, EXIT, print, withDatabase } from './command.js';

export const command: Command = {
  summary: 'Bring the database up to date.',
  details: `Tables that a Django made are checked and kept. Where ours come first, Django's own "migrate" goes on from them.`,
  async run() {
    const names = await withDatabase(migrate);
    for (const name of names) print(`Applied ${name}.`);
    if (names.length === 0) print('Nothing to do: the database is up to date.');
    return EXIT.ok;
  },
};
