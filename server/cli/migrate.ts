/** `migrate`: bring the database up to date. */
import { userModelSettings } from '../../config/settings.js';
import { migrate } from '../db/migrate.js';
import { type Command, EXIT, print, withDatabase } from './command.js';

export const command: Command = {
  summary: 'Bring the database up to date.',
  details: `Tables that a Django made are checked and kept. Where ours come first, Django's own "migrate" goes on from them.
A Django with a user model of its own (AUTH_USER_MODEL) comes first: its users are its own.`,
  async run() {
    const { AUTH_USER_MODEL } = userModelSettings();
    const names = await withDatabase((knex) => migrate(knex, { AUTH_USER_MODEL }));
    for (const name of names) print(`Applied ${name}.`);
    if (names.length === 0) print('Nothing to do: the database is up to date.');
    return EXIT.ok;
  },
};
