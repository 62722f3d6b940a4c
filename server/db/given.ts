/** Checks the knex of a caller, which TypeScript may not have checked, when it is given and not at the first query. */
import type { Knex } from 'knex';
import { ImproperlyConfigured } from '../errors.js';

/** @throws ImproperlyConfigured for what is no knex: a promise, a URL, nothing */
export function checkKnex(caller: string, knex: Knex | undefined): void {
  if (typeof knex?.raw === 'function') return;
  throw new ImproperlyConfigured(`${caller} needs a knex first, such as connectKnex(DATABASE_URL).`);
}
