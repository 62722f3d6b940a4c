/** Finds schemas with a Django that are not on this connection's search_path. */
import type { Knex } from 'knex';
import { rowsOf } from './rows.js';

/** A multi-tenant database has many; only the first ones are checked. */
const MOST_SCHEMAS = 20;

/** Ordered by name; only those that this database user may read. */
export async function djangoSchemas(knex: Knex): Promise<readonly string[]> {
  const rows = await rowsOf<{ name: string }>(
    knex,
    `SELECT n.nspname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = 'django_migrations' AND c.relkind IN ('r', 'p') AND NOT pg_table_is_visible(c.oid)
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
      ORDER BY 1 LIMIT ${MOST_SCHEMAS}`,
  );
  return rows.map(({ name }) => name);
}

/**
 * SQL: whether pg_class `c` in pg_namespace `n` is a table that this database user may read. Not one of another Django, which
 * is in a schema off the search_path with its own django_migrations.
 */
export const IS_OURS_AND_READABLE = `c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
  AND (pg_table_is_visible(c.oid) OR to_regclass(quote_ident(n.nspname) || '.django_migrations') IS NULL)`;

/** A schema's name for a search_path, quoted if necessary. */
export const pathName = (schema: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(schema) ? schema : `"${schema.replaceAll('"', '""')}"`;

/** The startup option, with spaces escaped: the value for PGOPTIONS, and for `options` of a URL. */
export const searchPathOption = (schema: string): string =>
  `-csearch_path=${pathName(schema).replace(/[\\ ]/g, '\\$&')}`;

/** The instruction, as the end of a sentence. */
export const searchPathAdvice = (schema: string): string =>
  `with ?options=${encodeURIComponent(searchPathOption(schema))} at the end of DATABASE_URL (&options=… where it has a ? already).`;
