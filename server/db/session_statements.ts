/** The SQL statements for a session table: django_session, or that of a custom session model. */
import { createHash } from 'node:crypto';
import { expectedOnce } from './expected_once.js';
import { quoteIdentifier } from './literals.js';
import type { Statement } from './prepared.js';
import { DJANGO_SESSION, quoteTable } from './session_table.js';

/** The placeholders of the further columns, such as `$4`, `$5`. */
const place = (columns: readonly string[], first: number): string[] => columns.map((_, index) => `$${index + first}`);

/** The statements that a DatabaseStore runs. */
export interface SessionStatements {
  readonly load: Statement;
  readonly loadMany: Statement;
  readonly live: Statement;
  readonly stored: Statement;
  readonly exists: Statement;
  readonly replace: Statement;
  readonly replaceMany: Statement;
  readonly unchanged: Statement;
  readonly lock: Statement;
  readonly modify: Statement;
  readonly delete: Statement;
  /** @param columns further columns; their values follow the three of Django's columns */
  create(columns: readonly string[]): Statement;
  /** Gives a row a new key. Columns that are not named keep their values. The old key is the last parameter. */
  cycle(columns: readonly string[]): Statement;
}

/** @param name of the table: `table` or `schema.table` */
export function sessionStatements(name: string): SessionStatements {
  const table = quoteTable(name);
  // A hash, because PostgreSQL truncates names to 63 bytes.
  const suffix = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);
  const prefix = name === DJANGO_SESSION ? DJANGO_SESSION : `session_${suffix(name)}`;
  const statement = (what: string, text: string, columns: readonly string[] = []): Statement => ({
    name: `${prefix}_${what}${columns.length === 0 ? '' : `_${suffix(columns.join('\0'))}`}`,
    text,
  });
  return {
    load: statement(
      'load',
      `SELECT session_data FROM ${table} WHERE session_key = $1 AND expire_date > to_timestamp($2)`,
    ),
    // A join, because it looks up each key in one partition. With `= ANY (array)`, PostgreSQL scans all partitions.
    loadMany: statement(
      'loadMany',
      `SELECT session_key, session_data FROM unnest($1::varchar[]) AS asked (session_key) JOIN ${table} USING (session_key)
        WHERE ${expectedOnce('asked.session_key')} AND expire_date > to_timestamp($2)`,
    ),
    live: statement(
      'live',
      `SELECT session_key FROM unnest($1::varchar[]) AS asked (session_key) JOIN ${table} USING (session_key)
        WHERE ${expectedOnce('asked.session_key')} AND expire_date > to_timestamp($2)`,
    ),
    stored: statement(
      'stored',
      `SELECT session_data, extract(epoch FROM expire_date) FROM ${table} WHERE session_key = $1`,
    ),
    exists: statement('exists', `SELECT 1 FROM ${table} WHERE session_key = $1`),
    create: (columns) =>
      statement(
        'create',
        `INSERT INTO ${table} (${['session_key', 'session_data', 'expire_date', ...columns.map(quoteIdentifier)].join(', ')}) VALUES (${['$1', '$2', '$3', ...place(columns, 4)].join(', ')})`,
        columns,
      ),
    replace: statement(
      'replace',
      `UPDATE ${table} SET session_data = $1, expire_date = $2 WHERE session_key = $3 AND session_data = $4`,
    ),
    // Locks the rows before the UPDATE, because only SELECT has SKIP LOCKED. Statements that never wait for each other
    // cannot deadlock. PostgreSQL compares session_data again after it has locked a row. The locked rows bring what is
    // written with them: joined to the given rows once more, they took time by the square of the batch.
    replaceMany: statement(
      'replaceMany',
      `
      WITH free AS MATERIALIZED (
        SELECT given.* FROM unnest($1::varchar[], $2::text[], $3::timestamptz[], $4::text[])
          AS given (session_key, session_data, expire_date, loaded)
        JOIN ${table} AS kept USING (session_key)
        WHERE ${expectedOnce('given.session_key')} AND kept.session_data = given.loaded
        FOR UPDATE OF kept SKIP LOCKED
      )
      UPDATE ${table} AS kept SET session_data = free.session_data, expire_date = free.expire_date
      FROM free WHERE kept.session_key = free.session_key
      RETURNING kept.session_key`,
    ),
    // The places of the given rows, from 1.
    unchanged: statement(
      'unchanged',
      `SELECT place FROM unnest($1::varchar[], $2::text[]) WITH ORDINALITY AS given (session_key, loaded, place)
        JOIN ${table} USING (session_key) WHERE ${expectedOnce('given.session_key')} AND session_data = loaded`,
    ),
    lock: statement('lock', `SELECT session_data FROM ${table} WHERE session_key = $1 FOR UPDATE`),
    modify: statement('modify', `UPDATE ${table} SET session_data = $1, expire_date = $2 WHERE session_key = $3`),
    cycle: (columns) => {
      const sets = columns.map((column, index) => `, ${quoteIdentifier(column)} = $${index + 4}`);
      return statement(
        'cycle',
        `UPDATE ${table} SET session_key = $1, session_data = $2, expire_date = $3${sets.join('')} WHERE session_key = $${columns.length + 4}`,
        columns,
      );
    },
    delete: statement('delete', `DELETE FROM ${table} WHERE session_key = $1`),
  };
}
