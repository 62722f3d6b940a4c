/** Checks the options of sessions(), openSession, LiveSessions and the stores when they are called, not at the first request. */
import { splitTableName } from '../db/table_name.js';
import { ImproperlyConfigured, ValueError } from '../errors.js';
import type { RedisConnection } from '../redis/connection.js';
import { checkSettings } from '../settings/given.js';
import { engineName, SETTINGS, type Settings } from '../settings.js';
import type { SessionStore } from './store.js';

/** @throws ImproperlyConfigured for settings that did not come from defineSettings, and for what is no store */
export function checkGiven(
  caller: string,
  given: { readonly settings: Settings; readonly store: SessionStore } | undefined,
): void {
  checkSettings(caller, given?.settings, 'SESSION_COOKIE_NAME', 'SESSION_COOKIE_AGE');
  checkStore(caller, given);
  if (given !== undefined) checkServes(caller, given);
}

/** @throws ImproperlyConfigured for an engine or a table in the settings that the store does not have */
function checkServes(
  caller: string,
  { settings, store }: { readonly settings: Settings; readonly store: SessionStore },
): void {
  const named = { SESSION_ENGINE: engineName(settings), SESSION_TABLE: settings.SESSION_TABLE };
  for (const name of ['SESSION_ENGINE', 'SESSION_TABLE'] as const) {
    const served = store.serves?.[name];
    // The default may be what nobody has set.
    if (served === undefined || isSameName(served, named[name]) || settings[name] === SETTINGS[name].default) continue;
    throw new ImproperlyConfigured(
      `${caller}: ${name} is ${named[name]} in the settings, and the store's is ${served}. \`await openStore({ settings, knex })\` makes the store that the settings name; a store of your own says in \`serves\` what it is.`,
    );
  }
}

/** Also of tables: one without a schema is found by the search_path. */
function isSameName(one: string, other: string): boolean {
  const [mine, theirs] = [splitTableName(one), splitTableName(other)];
  const isSchemaOpen = mine.schema === undefined || theirs.schema === undefined;
  return mine.table === theirs.table && (isSchemaOpen || mine.schema === theirs.schema);
}

/** @throws ImproperlyConfigured for what is no store: a class, a promise, a knex instance, nothing */
export function checkStore(caller: string, given: { readonly store: SessionStore } | undefined): void {
  if (typeof given?.store?.load === 'function' && typeof given.store.replace === 'function') return;
  throw new ImproperlyConfigured(`${caller} needs \`store\`: an engine, such as new DatabaseStore(knex).`);
}

/** @throws ImproperlyConfigured for what is no connection: a promise, a URL, nothing */
export function checkRedis(caller: string, redis: RedisConnection | undefined): void {
  if (typeof redis?.command === 'function') return;
  throw new ImproperlyConfigured(`${caller} needs a connection to Redis: await RedisConnection.open(CACHE_URL).`);
}

/**
 * Sessions of other libraries take a callback here, which would count as true.
 * @throws ValueError for all but true and false
 */
export function checkMustCreate(must_create: unknown): void {
  if (typeof must_create === 'boolean') return;
  throw new ValueError('save() takes no callback and no options, but true or false: `await session.save()`.');
}
