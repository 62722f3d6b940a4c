/** Checks the knex of a caller, which TypeScript may not have checked, when it is given and not at the first query. */
import type { Knex } from 'knex';
import { ImproperlyConfigured } from '../errors.js';

/** The dialects of knex that do not speak to PostgreSQL. */
const OTHERS: readonly unknown[] = ['mysql', 'mysql2', 'sqlite3', 'better-sqlite3', 'mssql', 'oracle', 'oracledb'];

/** @throws ImproperlyConfigured for what is no knex: a promise, a URL, nothing; and for one of another database */
export function checkKnex(caller: string, knex: Knex | undefined): void {
  const dialect: unknown = (knex?.client as { readonly dialect?: unknown } | undefined)?.dialect;
  if (OTHERS.includes(dialect)) {
    throw new ImproperlyConfigured(`${caller} needs a knex for PostgreSQL, not for ${String(dialect)}.`);
  }
  if (typeof knex?.raw === 'function') return;
  throw new ImproperlyConfigured(`${caller} needs a knex first, such as connectKnex(DATABASE_URL).`);
}
