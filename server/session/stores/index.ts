/** SESSION_ENGINE → its store; each engine's module is loaded only when it is asked for. */
import type { Knex } from 'knex';
import type { Clock } from '../../clock.js';
import { ImproperlyConfigured } from '../../errors.js';
import { engineName, type Settings } from '../../settings.js';
import type { SessionStore } from '../store.js';

/** What the engines need; each takes what it uses. */
export interface StoreOptions {
  readonly settings: Settings;
  /** For `db`. */
  readonly knex?: Knex;
  readonly now?: Clock;
}

/** The store that SESSION_ENGINE names. @throws ImproperlyConfigured when what it needs was not given */
export async function openStore({ settings, knex, now }: StoreOptions): Promise<SessionStore> {
  const clock = now === undefined ? {} : { now };
  const engine = engineName(settings);
  if (engine === 'db') {
    if (knex === undefined) throw new ImproperlyConfigured('SESSION_ENGINE db needs a knex instance.');
    const { DatabaseStore } = await import('./db.js');
    return new DatabaseStore(knex, clock);
  }
  throw new ImproperlyConfigured(`SESSION_ENGINE "${engine}" is not built yet. Use db.`);
}
