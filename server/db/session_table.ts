/** Checks and finds session tables: django_session, or that of a custom session model. */
import type { Knex } from 'knex';
import { SchemaMismatch } from '../errors.js';
import { rowsOf } from '../rows.js';
import { IS_OURS_AND_READABLE } from '../search_path.js';
import { quoteIdentifier } from './literals.js';
import { splitTableName, tableNameText } from './table_name.js';

/** The table of django.contrib.sessions. */
export const DJANGO_SESSION = 'django_session';

/** A table's name, quoted for SQL. */
export function quoteTable(name: string): string {
  if (name === DJANGO_SESSION) return name;
  const { schema, table } = splitTableName(name);
  return (schema === undefined ? [table] : [schema, table]).map(quoteIdentifier).join('.');
}

interface FoundColumn {
  readonly name: string;
  readonly line: string;
  readonly given: boolean;
}

const COLUMNS: readonly string[] = [
  'session_key character varying(40) not null',
  'session_data text not null',
  'expire_date timestamp with time zone not null',
];

/**
 * Checks that the table has the columns of a session model and that rows can be inserted.
 *
 * @param filled the further columns that the store fills
 * @throws SchemaMismatch with what to do
 */
export async function checkSessionTable(knex: Knex, table: string, filled: readonly string[] = []): Promise<void> {
  const found = await rowsOf<FoundColumn>(
    knex,
    `SELECT attname AS name, NOT attnotnull OR atthasdef OR attidentity <> '' AS given,
            attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END AS line
       FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [quoteTable(table)],
  );
  if (found.length === 0) {
    const others = (await sessionTables(knex)).map((name) => `SESSION_TABLE=${name}`);
    throw new SchemaMismatch(
      `SESSION_TABLE is ${table}, but there is no such table in this database. ${others.length === 0 ? "Run Django's migrate on it first." : `Tables of sessions that are there: ${others.join(', ')}.`}`,
    );
  }
  const missing = COLUMNS.find((column) => !found.some(({ line }) => line === column));
  if (missing !== undefined) {
    throw new SchemaMismatch(`SESSION_TABLE is ${table}, but it is no table of sessions: it lacks "${missing}".`);
  }
  const own = COLUMNS.map((column) => column.split(' ', 1)[0]);
  const unfilled = found.find(({ name, given }) => !given && !own.includes(name) && !filled.includes(name));
  if (unfilled !== undefined) {
    throw new SchemaMismatch(
      `Column ${table}.${unfilled.name} is NOT NULL and has no default, so that no row can be added. Let it be NULL (null=True), give it a default in the database, or fill it with the option \`columns\` of DatabaseStore.`,
    );
  }
}

/**
 * The names of the tables that have the columns of AbstractBaseSession and that this database user may read. A table
 * outside the search_path has its schema in the name. Leaves out schemas with their own django_migrations, which belong to
 * another Django.
 */
export async function sessionTables(knex: Knex): Promise<readonly string[]> {
  const found = await rowsOf<{ schema: string; table: string; visible: boolean }>(
    knex,
    `SELECT n.nspname AS schema, c.relname AS table, pg_table_is_visible(c.oid) AS visible
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE ${IS_OURS_AND_READABLE}
        AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attnotnull
                AND (a.attname = 'session_key' AND format_type(a.atttypid, a.atttypmod) = 'character varying(40)'
                  OR a.attname = 'session_data' AND a.atttypid = 'text'::regtype
                  OR a.attname = 'expire_date' AND a.atttypid = 'timestamptz'::regtype)) = 3
      ORDER BY 3 DESC, 1, 2`,
  );
  return found.map(({ schema, table, visible }) => tableNameText(visible ? { table } : { schema, table }));
}
