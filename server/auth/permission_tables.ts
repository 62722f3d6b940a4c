/** Finds the tables of permissions, beside the users' table. */
import type { Knex } from 'knex';
import { SchemaMismatch } from '../errors.js';
import { truncateName } from './table_names.js';
import type { UserModel } from './user_model.js';

/** Tables and a column, quoted for a statement. */
export interface PermissionTables {
  /** Between users and groups, `auth_user_groups`, and between users and permissions. */
  readonly groups: string;
  readonly permissions: string;
  /** The column of both for the user: `user_id` for a model called User. */
  readonly user: string;
  readonly auth_group: string;
  readonly auth_group_permissions: string;
  readonly auth_permission: string;
  readonly django_content_type: string;
}

// Parts of the statement below: each is an oid, or NULL if there is no such table.
const referredBy = (table: string, column: string): string =>
  `(SELECT k.confrelid FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
     WHERE k.contype = 'f' AND k.conrelid = ${table} AND a.attname = '${column}' LIMIT 1)`;
const beside = (table: string, name: string): string =>
  `(SELECT b.oid FROM pg_class a JOIN pg_class b ON b.relnamespace = a.relnamespace AND b.relname = ${name}
     WHERE a.oid = ${table} AND b.relkind IN ('r', 'p', 'v', 'f'))`;
const onPath = (name: string): string => `to_regclass(quote_ident(${name}))::oid`;
const nameOf = (oid: string): string =>
  `(SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ${oid})`;

/** The first of the model's tables that has both tables of PermissionsMixin, and the targets of their foreign keys. */
const FIND = `
  WITH own AS (
    SELECT u.oid AS users, u.place,
           coalesce(${beside('u.oid', 'u.groups')}, ${onPath('u.groups')}) AS groups,
           coalesce(${beside('u.oid', 'u.permissions')}, ${onPath('u.permissions')}) AS permissions
      FROM unnest(?::oid[], ?::text[], ?::text[]) WITH ORDINALITY AS u (oid, groups, permissions, place)
  ), auth AS (
    SELECT *, coalesce(${referredBy('groups', 'group_id')}, ${beside('users', "'auth_group'")}, ${onPath("'auth_group'")}) AS auth_group,
           coalesce(${referredBy('permissions', 'permission_id')}, ${beside('users', "'auth_permission'")}, ${onPath("'auth_permission'")}) AS auth_permission
      FROM own WHERE groups IS NOT NULL AND permissions IS NOT NULL ORDER BY place LIMIT 1
  )
  SELECT ${nameOf('groups')} AS groups, ${nameOf('permissions')} AS permissions,
         ${nameOf('auth_group')} AS auth_group, ${nameOf('auth_permission')} AS auth_permission,
         ${nameOf(`coalesce(${beside('auth_group', "'auth_group_permissions'")}, ${onPath("'auth_group_permissions'")})`)} AS auth_group_permissions,
         ${nameOf(`coalesce(${referredBy('auth_permission', 'content_type_id')}, ${beside('auth_permission', "'django_content_type'")}, ${onPath("'django_content_type'")})`)} AS django_content_type,
         (SELECT quote_ident(a.attname) FROM pg_attribute a
            LEFT JOIN pg_constraint k ON k.contype = 'f' AND k.conrelid = a.attrelid AND k.conkey = ARRAY[a.attnum]
           WHERE a.attrelid = groups AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('id', 'group_id')
           ORDER BY (k.confrelid = users) DESC NULLS LAST, a.attnum LIMIT 1) AS "user"
    FROM auth`;

type Found = { readonly [Name in keyof PermissionTables]: string | null };

/**
 * Look them up in the database's catalogue: by their foreign keys, in the schema of the users' table, on the search_path.
 *
 * @returns null if the model has no PermissionsMixin; its users then have no permissions
 * @throws SchemaMismatch with a message that says what to do, if it has one and a table is missing
 */
export async function findPermissionTables(
  knex: Knex,
  { label, tables, columns }: Pick<UserModel, 'label' | 'tables' | 'columns'>,
): Promise<PermissionTables | null> {
  const named = (suffix: string): string[] => tables.map(({ name }) => truncateName(name + suffix));
  const { rows }: { rows: readonly Found[] } = await knex.raw(FIND, [
    tables.map(({ oid }) => oid),
    named('_groups'),
    named('_user_permissions'),
  ]);
  const found = rows[0];
  if (found === undefined) {
    if (!columns.has('is_superuser')) return null;
    const names = `${tables[0].name}_groups and ${tables[0].name}_user_permissions`;
    throw missing(label, `there are no tables ${names}`);
  }
  const texts: Record<string, string> = {};
  for (const [name, text] of Object.entries(found)) {
    if (text === null) throw missing(label, `there is no table ${name}`);
    texts[name] = text;
  }
  return texts as unknown as PermissionTables;
}

const missing = (label: string, what: string): SchemaMismatch =>
  new SchemaMismatch(
    `The permissions of ${label} cannot be read: ${what}, neither in the schema of its users nor on the search_path. Run Django's migrate, or put the schema on the search_path (?options=-csearch_path%3D… in DATABASE_URL).`,
  );
