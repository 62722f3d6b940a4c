/** Checks the options of sessions(), openSession and LiveSessions when they are called, not at the first request. */
import { ImproperlyConfigured } from '../errors.js';
import type { Settings } from '../settings.js';
import type { SessionStore } from './store.js';

/** @throws ImproperlyConfigured for settings that did not come from defineSettings, and for what is no store */
export function checkGiven(
  caller: string,
  given: { readonly settings: Settings; readonly store: SessionStore } | undefined,
): void {
  // Settings that did not pass defineSettings lack the defaults.
  if (given?.settings?.SESSION_COOKIE_NAME === undefined || given.settings.SESSION_COOKIE_AGE === undefined) {
    throw new ImproperlyConfigured(`${caller} needs \`settings\`: what defineSettings({ SECRET_KEY }) returns.`);
  }
  checkStore(caller, given);
}

/** @throws ImproperlyConfigured for what is no store: a class, a promise, a knex instance, nothing */
export function checkStore(caller: string, given: { readonly store: SessionStore } | undefined): void {
  if (typeof given?.store?.load === 'function' && typeof given.store.replace === 'function') return;
  throw new ImproperlyConfigured(`${caller} needs \`store\`: an engine, such as new DatabaseStore(knex).`);
}
