/** What a schema dump says of Django's tables, from PostgreSQL's catalogue: pg_dump is in no npm package. */
import pg from 'pg';

const TABLES = "c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND c.relname ~ '^(django_|auth_)'";

const QUERIES: Readonly<Record<string, string>> = {
  columns: `
    SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
      || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
      || CASE WHEN a.attidentity = '' THEN '' ELSE ' IDENTITY ' || a.attidentity::text END
      || coalesce(' COLLATE ' || nullif(l.collname, 'default'), '')
      || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') AS line
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE ${TABLES} AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum`,
  constraints: `
    SELECT c.relname || ': ' || o.conname || ' ' || pg_get_constraintdef(o.oid) AS line
    FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
    WHERE ${TABLES} ORDER BY c.relname, o.conname`,
  indexes: `
    SELECT pg_get_indexdef(i.indexrelid) AS line
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE ${TABLES} ORDER BY 1`,
  sequences: `
    SELECT s.relname || ' ' || format_type(q.seqtypid, NULL) || ' from ' || q.seqstart || ' of ' || coalesce(c.relname, '-') AS line
    FROM pg_class s JOIN pg_sequence q ON q.seqrelid = s.oid
    LEFT JOIN pg_depend e ON e.objid = s.oid AND e.classid = 'pg_class'::regclass AND e.deptype IN ('a', 'i')
    LEFT JOIN pg_class c ON c.oid = e.refobjid
    WHERE s.relname ~ '^(django_|auth_)' ORDER BY 1`,
  comments: `
    SELECT c.relname || ' ' || d.description AS line
    FROM pg_description d JOIN pg_class c ON c.oid = d.objoid
    WHERE ${TABLES} ORDER BY 1`,
};

export type Schema = Readonly<Record<string, readonly string[]>>;

/** Columns, constraints, indexes, sequences and comments of every table named django_… or auth_…, a line each. */
export async function schemaOf(url: string): Promise<Schema> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const schema: Record<string, string[]> = {};
    for (const [part, sql] of Object.entries(QUERIES)) {
      schema[part] = (await client.query<{ line: string }>(sql)).rows.map(({ line }) => line);
    }
    return schema;
  } finally {
    await client.end();
  }
}

/** Identity columns and serials made alike. */
export function withoutCounters(schema: Schema): Schema {
  const columns = (schema['columns'] ?? []).map((line) =>
    line.replace(/ IDENTITY d| DEFAULT nextval\('\w+'::regclass\)/, ' counted'),
  );
  return { ...schema, columns };
}

/** The history that Django keeps, in its order: `auth.0001_initial`. */
export async function historyOf(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const sql = "SELECT app || '.' || name AS line FROM django_migrations ORDER BY id";
    return (await client.query<{ line: string }>(sql)).rows.map(({ line }) => line);
  } finally {
    await client.end();
  }
}
