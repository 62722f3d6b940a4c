/** The statements of a user model: its columns by their fields' names, wherever in its tables they are. */
import { createHash } from 'node:crypto';
import type { Statement } from '../db/prepared.js';
import { ValueError } from '../errors.js';
import { quoteName, type UserColumn, type UserModel, type UserTablePart } from './user_model.js';

type Value = string | number | boolean | Date | null;

/** The key is the last binding of each. */
export interface UserStatements {
  /** The users of an array of keys; the columns are the key's text, and then `fields`. */
  readonly get_by_ids: Statement;
  readonly fields: readonly string[];
  readonly get_by_natural_key: string;
  readonly set_password: string;
  readonly update_last_login: string;
  /** @throws ValueError for a model of several tables, which Django fills in an order of its own */
  create(values: ReadonlyMap<string, Value>): { readonly sql: string; readonly bindings: readonly Value[] };
}

/** The model's tables in a FROM, with the aliases that its columns have. */
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
    ...[...model.columns].map(([field, column]) => `${column.sql} AS ${quoteName(field)}`),
  ].join(', ');
  const column = (field: string): UserColumn => {
    const found = model.columns.get(field);
    if (found === undefined) throw new ValueError(`${model.label} has no field ${field}.`);
    return found;
  };
  const from = usersFrom(model);
  const update = (field: string): string => {
    const { table, name } = column(field);
    // The other parts of a statement see what was before it, so the changed row is taken from what it returns.
    const sources = tables.map((part) => (part === table ? 'changed' : part.sql));
    return `WITH changed AS (UPDATE ${table.sql} SET ${quoteName(name)} = ? WHERE ${table.key} = ? RETURNING *)
            SELECT ${columns} FROM ${joined(sources, tables)}`;
  };
  const byIds = `SELECT ${columns} FROM ${from} WHERE ${key} = ANY($1::${model.keyType}[])`;
  return {
    // One name has one text: a migration that changes the columns gives another.
    get_by_ids: {
      name: `users_by_ids_${createHash('sha256').update(byIds).digest('hex').slice(0, 12)}`,
      text: byIds,
      described: true,
    },
    fields: [...model.columns.keys()],
    get_by_natural_key: `SELECT ${columns} FROM ${from} WHERE ${column(model.settings.USERNAME_FIELD).sql} = ?`,
    set_password: update('password'),
    update_last_login: update('last_login'),
    create(values) {
      if (tables.length > 1) {
        throw new ValueError(`${model.label} has ${tables.length} tables: make its users at Django.`);
      }
      const names = [...values.keys()].map((field) => quoteName(column(field).name));
      const marks = names.map(() => '?');
      return {
        sql: `INSERT INTO ${tables[0].sql} AS u0 (${names.join(', ')}) VALUES (${marks.join(', ')}) RETURNING ${columns}`,
        bindings: [...values.values()],
      };
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
