/** `migrate:rollback`: undo what the last `migrate` did. */
import { rollback } from '../db/migrate.js';
import { type Command, EXIT, print, withDatabase } from './command.js';

export const command: Command = {
  summary: 'Undo the migrations of the last "migrate".',
  details: 'Drops the tables that these migrations made, with what is in them. A table that Django made stays.',
  options: { all: { type: 'boolean', help: 'Undo every migration.' } },
  async run({ values }) {
    const names = await withDatabase((knex) => rollback(knex, { all: values['all'] === true }));
    for (const name of names) print(`Undid ${name}.`);
    if (names.length === 0) print('Nothing to do: no migration has run.');
    return EXIT.ok;
  },
};
