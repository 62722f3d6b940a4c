/** The statements of a user model: columns by field name, from all of its tables. */
import { createHash } from 'node:crypto';
import { expectedOnce } from '../db/expected_once.js';
import { quoteIdentifier } from '../db/literals.js';
import type { Parser, Row, Statement } from '../db/prepared.js';
import { ValueError } from '../errors.js';
import type { UserColumn, UserModel, UserTablePart } from './user_model.js';

/**
 * Each returns users: the key's text, then `fields`. The key is the last parameter, if any.
 */
export interface UserStatements {
  readonly fields: readonly string[];
  /** The users of an array of keys. */
  readonly get_by_ids: Statement;
  readonly get_by_natural_key: Statement;
  readonly set_password: Statement;
  readonly update_last_login: Statement;
  /**
   * @param fields with values, in this order
   * @throws ValueError for multi-table inheritance, where only Django can insert
   */
  create(fields: readonly string[]): Statement;
}

/** A row's values by field, and the key's text as `pk`. */
export function rowValues(
  row: Row,
  fields: readonly string[],
  parsers: readonly Parser[] = [],
): Record<string, unknown> {
  const values: Record<string, unknown> = { pk: row[0] };
  for (const [index, field] of fields.entries()) {
    const text = row[index + 1] ?? null;
    values[field] = text === null ? null : parsers[index + 1]?.(text);
  }
  return values;
}

/** The model's tables for FROM, with the aliases of its columns. */
export const usersFrom = ({ tables }: UserModel): string =>
  joined(
    tables.map(({ sql }) => sql),
    tables,
  );

export function userStatements(model: UserModel): UserStatements {
  const { tables } = model;
  const key = `u0.${tables[0].key}`;
  const columns = [
    `${key}::text AS "pk"`,
    ...[...model.columns].map(([field, column]) => `${column.sql} AS ${quoteIdentifier(field)}`),
  ].join(', ');
  const column = (field: string): UserColumn => {
    const found = model.columns.get(field);
    if (found === undefined) throw new ValueError(`${model.label} has no field ${field}.`);
    return found;
  };
  const from = usersFrom(model);
  // Each text has its own statement name: a migration that changes the columns gives another.
  const statement = (what: string, text: string): Statement => ({
    name: `users_${what}_${createHash('sha256').update(text).digest('hex').slice(0, 12)}`,
    text,
    described: true,
  });
  const update = (field: string): string => {
    const { table, name } = column(field);
    // Other parts of the statement see the row before the UPDATE, so the changed row comes from RETURNING.
    const sources = tables.map((part) => (part === table ? 'changed' : part.sql));
    return `WITH changed AS (UPDATE ${table.sql} SET ${quoteIdentifier(name)} = $1 WHERE ${table.key} = $2 RETURNING *)
            SELECT ${columns} FROM ${joined(sources, tables)}`;
  };
  return {
    fields: [...model.columns.keys()],
    get_by_ids: statement(
      'by_ids',
      `SELECT ${columns} FROM ${from} JOIN unnest($1::${model.keyType}[]) AS asked (pk) ON asked.pk = ${key}
        WHERE ${expectedOnce('asked.pk')}`,
    ),
    get_by_natural_key: statement(
      'by_natural_key',
      `SELECT ${columns} FROM ${from} WHERE ${column(model.settings.USERNAME_FIELD).sql} = $1`,
    ),
    set_password: statement('set_password', update('password')),
    update_last_login: statement('update_last_login', update('last_login')),
    create(given) {
      if (tables.length > 1) {
        throw new ValueError(`${model.label} has ${tables.length} tables: create its users in Django.`);
      }
      const names = given.map((field) => quoteIdentifier(column(field).name));
      const places = given.map((_, index) => `$${index + 1}`);
      return statement(
        'create',
        `INSERT INTO ${tables[0].sql} AS u0 (${names.join(', ')}) VALUES (${places.join(', ')}) RETURNING ${columns}`,
      );
    },
  };
}

/** A model's tables, each joined to the one whose key it refers to: `"member" u0 JOIN "auth_user" u1 ON u1."id" = u0."user_ptr_id"`. */
function joined(sources: readonly string[], tables: readonly UserTablePart[]): string {
  return sources
    .map((source, index) =>
      index === 0
        ? `${source} u0`
        : `JOIN ${source} u${index} ON u${index}.${tables[index]?.key} = u${index - 1}.${tables[index - 1]?.key}`,
    )
    .join(' ');
}
