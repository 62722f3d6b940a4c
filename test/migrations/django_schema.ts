/**
 * What a schema dump says of Django's tables, from the catalog: pg_dump of an older release refuses a newer server.
 *
 * Run by itself it prints the schema of DATABASE_URL; so `django_schema.json` was made, from a database on which a
 * project of Django 6.0's `startproject` had run `migrate`.
 */
import { fileURLToPath } from 'node:url';
import type { Knex } from 'knex';
import { connectKnex } from '../../server/db/knex.js';

export type Schema = Readonly<Record<string, readonly string[]>>;

const OBJECTS = `
  WITH django AS (
    SELECT oid, relname FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname ~ '^(django|auth)_'
  )
  SELECT relname AS table, 1 AS kind, lpad(row_number() OVER (PARTITION BY relname ORDER BY attnum)::text, 2, '0') || ' '
         || concat_ws(' ', attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
                      CASE attidentity WHEN 'd' THEN 'IDENTITY' WHEN '' THEN NULL ELSE attidentity::text END,
                      pg_get_expr(adbin, adrelid)) AS line
    FROM django JOIN pg_attribute ON attrelid = oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  UNION ALL
  SELECT relname, 2, conname || ' ' || pg_get_constraintdef(pg_constraint.oid)
    FROM django JOIN pg_constraint ON conrelid = django.oid AND contype IN ('p', 'u', 'f', 'c')
  UNION ALL
  SELECT relname, 3, pg_get_indexdef(indexrelid) FROM django JOIN pg_index ON indrelid = oid
  UNION ALL
  SELECT relname, 4, 'COMMENT ' || description FROM django JOIN pg_description ON objoid = oid
  ORDER BY 1, 2, 3`;

/** Columns in order, constraints, indexes and comments of every table of Django's, a line each. */
export async function schemaOf(knex: Knex): Promise<Schema> {
  const result: { rows: readonly { table: string; line: string }[] } = await knex.raw(OBJECTS);
  const schema: Record<string, string[]> = {};
  for (const { table, line } of result.rows) {
    schema[table] ??= [];
    schema[table].push(line);
  }
  return schema;
}

async function main(): Promise<void> {
  const knex = connectKnex(process.env['DATABASE_URL'] ?? '');
  process.stdout.write(`${JSON.stringify(await schemaOf(knex), null, 2)}\n`);
  await knex.destroy();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) void main();
