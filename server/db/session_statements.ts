/** The statements of a table of sessions: Django's own, or that of a session model of one's own. */
import { createHash } from 'node:crypto';
import { quoteIdentifier } from './literals.js';
import type { Statement } from './prepared.js';
import { DJANGO_SESSION, quoteTable } from './session_table.js';

/** The places of the further columns' values in a statement. */
const place = (columns: readonly string[], first: number): string[] => columns.map((_, index) => `$${index + first}`);

/**
 * True of every row, and taken by the planner to be true of one in two hundred, so that it expects one row of an array
 * however long that is. By itself it expects ten, finds a batch of fewer to be cheaper with a plan of its own, and plans
 * anew for each: of a batch of eight reads that was a third of PostgreSQL's work, on 16 partitions two thirds.
 */
const expectedOnce = (key: string): string => `${key} = coalesce(${key}, '')`;

/** Each statement's text and the name under which PostgreSQL keeps its plan: one name has one text. */
export interface SessionStatements {
  readonly load: Statement;
  readonly loadMany: Statement;
  readonly live: Statement;
  readonly stored: Statement;
  readonly exists: Statement;
  readonly replace: Statement;
  readonly replaceMany: Statement;
  readonly lock: Statement;
  readonly modify: Statement;
  readonly delete: Statement;
  /** @param columns further ones, whose values follow those of the three */
  create(columns: readonly string[]): Statement;
  /** Give a row another key; columns that are not named stay as they are. The former key is the last value. */
  cycle(columns: readonly string[]): Statement;
}

/** @param name of the table, `schema.table` in a schema of its own */
export function sessionStatements(name: string): SessionStatements {
  const table = quoteTable(name);
  // PostgreSQL cuts names after 63 bytes.
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
    // A join, because each of its keys is looked for in one partition; each of an array's in all of them.
    loadMany: statement(
      'loadMany',
      `SELECT session_key, session_data FROM unnest($1::varchar[]) AS asked (session_key) JOIN ${table} USING (session_key)
        WHERE ${expectedOnce('asked.session_key')} AND expire_date > to_timestamp($2)`,
    ),
    live: statement(
      'live',
      `SELECT session_key FROM unnest($1::varchar[]) AS asked (session_key) JOIN ${table} USING (session_key)
        WHERE expire_date > to_timestamp($2)`,
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
    // A row's lock is taken before it is written, where waiting can be refused: SKIP LOCKED. Statements that never wait
    // for one another cannot deadlock. The text is compared as it is under the lock.
    replaceMany: statement(
      'replaceMany',
      `
      WITH given AS (
        SELECT * FROM unnest($1::varchar[], $2::text[], $3::timestamptz[], $4::text[])
          AS given (session_key, session_data, expire_date, loaded)
        WHERE ${expectedOnce('session_key')}
      ), free AS MATERIALIZED (
        SELECT session_key FROM ${table} AS kept JOIN given USING (session_key)
        WHERE kept.session_data = given.loaded
        FOR UPDATE OF kept SKIP LOCKED
      )
      UPDATE ${table} AS kept SET session_data = given.session_data, expire_date = given.expire_date
      FROM given JOIN free USING (session_key)
      WHERE kept.session_key = given.session_key
      RETURNING kept.session_key`,
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
