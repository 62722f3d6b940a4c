/** `migrate:rollback`: rolls back the last migration, if no rows are lost or `--yes` is given. */
import { undo } from '../db/migrate.js';
import { listRows } from '../db/rows_at_stake.js';
import { RowsAtStake } from '../errors.js';
import { type Command, EXIT, print, printError, withDatabase } from './command.js';

export const command: Command = {
  summary: 'Undo the last migration.',
  details: `Drops the tables that this migration created. If they have rows, lists them with the number of rows and changes
nothing, unless --yes is given. Tables that Django created stay.`,
  options: {
    all: { type: 'boolean', help: 'Undo every migration.' },
    yes: { type: 'boolean', short: 'y', help: 'Drop the tables even if they have rows.' },
  },
  async run({ values }) {
    try {
      const options = { all: values['all'] === true, dropRows: values['yes'] === true };
      const { names, tables } = await withDatabase((knex) => undo(knex, options));
      for (const name of names) print(`Undid ${name}.`);
      if (tables.length > 0) print(`Dropped ${listRows(tables)}.`);
      if (names.length === 0) print('Nothing to do: no migration has run.');
      return EXIT.ok;
    } catch (error) {
      if (!(error instanceof RowsAtStake)) throw error;
      printError(
        `This would undo ${error.migrations.join(', ')} and drop ${listRows(error.tables)}. Nothing was changed. Add --yes if these rows may go.`,
      );
      return EXIT.failed;
    }
  },
};
