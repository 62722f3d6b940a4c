/** `migrate:status`: which migrations have run, and which would. */
import { migrationStatus } from '../db/migrate.js';
import { type Command, EXIT, print, withDatabase } from './command.js';

export const command: Command = {
  summary: 'Show which migrations have run.',
  details: 'Changes nothing. The exit code is 0 even if migrations are pending.',
  async run() {
    const { applied, pending } = await withDatabase(migrationStatus);
    for (const name of applied) print(`[X] ${name}`);
    for (const name of pending) print(`[ ] ${name}`);
    return EXIT.ok;
  },
};
