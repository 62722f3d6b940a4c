/** Schemas in which a Django has migrated that is not on this connection's search_path. */
import type { Knex } from 'knex';

/** A database of many tenants has many; the first are looked at. */
const MOST_SCHEMAS = 20;

/** By their names; those that this database user may read. */
export async function djangoSchemas(knex: Knex): Promise<readonly string[]> {
  const { rows }: { rows: readonly { name: string }[] } = await knex.raw(
    `SELECT n.nspname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = 'django_migrations' AND c.relkind IN ('r', 'p') AND NOT pg_table_is_visible(c.oid)
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
      ORDER BY 1 LIMIT ${MOST_SCHEMAS}`,
  );
  return rows.map(({ name }) => name);
}

/** A schema as a search_path has it: bare, or in quotes. */
export const pathName = (schema: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(schema) ? schema : `"${schema.replaceAll('"', '""')}"`;

/** The startup option, in which a space is escaped: what PGOPTIONS holds, and `options` of a URL. */
export const searchPathOption = (schema: string): string =>
  `-csearch_path=${pathName(schema).replace(/[\\ ]/g, '\\$&')}`;

/** What to do, as the end of a sentence. */
export const searchPathAdvice = (schema: string): string =>
  `with ?options=${encodeURIComponent(searchPathOption(schema))} at the end of DATABASE_URL (&options=… where it has a ? already).`;
