/** `migrate`: bring the database up to date. */
import { userModelSettings } from '../../config/settings.js';
import { bringUpToDate } from '../db/migrate.js';
import {
  checkPartitions,
  isMigrationName,
  type MigrationName,
  MOST_PARTITIONS,
  migrationNames,
} from '../db/migrations.js';
import { type Command, EXIT, print, UsageError, withDatabase } from './command.js';

function onlyOf(value: unknown): readonly MigrationName[] | undefined {
  if (typeof value !== 'string') return undefined;
  return value.split(',').map((text) => {
    const name = text.trim();
    if (isMigrationName(name)) return name;
    throw new UsageError(`--only: there is no migration "${name}". There are ${migrationNames().join(', ')}.`);
  });
}

function partitionsOf(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  try {
    checkPartitions(Number(value));
  } catch {
    throw new UsageError(`--partitions is a whole number from 2 to ${MOST_PARTITIONS}.`);
  }
  return Number(value);
}

export const command: Command = {
  summary: 'Bring the database up to date.',
  details: `Tables that Django has created are checked and kept. Django's "migrate" may also run later: it accepts our tables.
With a custom user model (AUTH_USER_MODEL), run Django's "migrate" first.
Without --only all tables are created, koa_goods of the reference server too.
--partitions creates django_session partitioned by hash of session_key; an existing table is not changed.
The history is in koa_django_session_migrations, separate from an application's own migrations.`,
  options: {
    partitions: {
      type: 'string',
      value: 'N',
      help: 'Create django_session with N partitions, for tens of millions of sessions.',
    },
    only: { type: 'string', value: 'NAME,…', help: 'Run only these migrations, such as 0001_django_session.' },
  },
  async run({ values }) {
    const only = onlyOf(values['only']);
    const { AUTH_USER_MODEL } = userModelSettings();
    const partitions = partitionsOf(values['partitions']);
    if (partitions !== undefined && only?.includes('0001_django_session') === false) {
      throw new UsageError('--partitions is for 0001_django_session, which --only leaves out.');
    }
    const options = { AUTH_USER_MODEL, partitions, ...(only === undefined ? {} : { only }) };
    const { names, moved } = await withDatabase((knex) => bringUpToDate(knex, options));
    for (const { name, from } of moved) {
      print(`Moved ${name} out of ${from}, where it kept the application's own migrations from running.`);
    }
    for (const name of names) print(`Applied ${name}.`);
    if (names.length + moved.length === 0) print('Nothing to do: the database is up to date.');
    return EXIT.ok;
  },
};
