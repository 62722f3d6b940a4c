/** Shared by the commands about sessions: their tables, and how they print ids and times. */
import type { Knex } from 'knex';
import { presentKey } from '../../../config/development_key.js';
import { ownSettings, serverSettings } from '../../../config/settings.js';
import type { User } from '../../auth/user.js';
import { type Entry, UserSessionsTable } from '../../auth/user_sessions/table.js';
import { UserTable } from '../../auth/users.js';
import type { SessionStore } from '../../session/store.js';
import { hasSessionTable, openStore } from '../../session/stores/index.js';
import { engineName, type Settings } from '../../settings.js';
import { UsageError, withDatabase } from '../command.js';

/** The number of digits of an id that are printed, and that identify a session. */
export const SHORT_ID = 8;

/** In UTC, like the pages. */
export const minuteOf = (date: Date): string => `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** The library's settings. @throws UsageError if the engine has no rows */
export function settingsWithTable(): Settings {
  const { django } = serverSettings(() => presentKey(ownSettings()));
  if (!hasSessionTable(django)) {
    throw new UsageError(`SESSION_ENGINE is ${engineName(django)}: only sessions of db and cached_db are rows.`);
  }
  return django;
}

export interface UsersSessions {
  readonly user: User;
  readonly entries: readonly Entry[];
  readonly store: SessionStore;
  readonly table: UserSessionsTable;
}

/**
 * Do `work` on the sessions of the user with this name.
 * @throws UsageError without a name, or for an unknown one
 */
export async function withSessionsOf<T>(name: unknown, work: (found: UsersSessions) => Promise<T>): Promise<T> {
  if (typeof name !== 'string' || name === '') throw new UsageError('Name the user: --user NAME.');
  const settings = settingsWithTable();
  return withDatabase(async (knex: Knex) => {
    const user = await new UserTable(knex, { settings }).get_by_natural_key(name);
    if (user === null)
      throw new UsageError(`There is no user with the ${settings.USERNAME_FIELD} ${JSON.stringify(name)}.`);
    const table = new UserSessionsTable(knex, settings, undefined);
    const store = await openStore({ settings, knex });
    try {
      return await work({ user, entries: await table.entries(String(user.id)), store, table });
    } finally {
      await store.close?.();
    }
  });
}
