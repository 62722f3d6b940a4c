/** Django's AUTH_USER_MODEL: finds the users' table and columns in this database. */
import type { Knex } from 'knex';
import { quoteIdentifier } from '../db/literals.js';
import { splitTableName } from '../db/table_name.js';
import { hasCode } from '../error_code.js';
import { SchemaMismatch } from '../errors.js';
import { rowsOf } from '../rows.js';
import { djangoSchemas, searchPathAdvice } from '../search_path.js';
import { SETTINGS, type UserModelSettings } from '../settings.js';
import { userTableName } from './table_names.js';
import { tableSettings, userCandidates } from './user_candidates.js';
import { type KeyType, keyTypeOf } from './user_key.js';

export type { UserModelSettings } from '../settings.js';

/** Django's own model. */
export const DEFAULT_USER_MODEL: UserModelSettings = {
  AUTH_USER_MODEL: SETTINGS.AUTH_USER_MODEL.default,
  AUTH_USER_TABLE: SETTINGS.AUTH_USER_TABLE.default,
  AUTH_USER_COLUMNS: SETTINGS.AUTH_USER_COLUMNS.default,
  USERNAME_FIELD: SETTINGS.USERNAME_FIELD.default,
  EMAIL_FIELD: SETTINGS.EMAIL_FIELD.default,
};

/** A column of the model. `sql` is its quoted name with the alias of its table: `u0."email"`. */
export interface UserColumn {
  readonly name: string;
  readonly table: UserTablePart;
  readonly sql: string;
  readonly nullable: boolean;
  /** Whether the database provides its value: a default, an identity, a generated column. */
  readonly filled: boolean;
}

/** One of the model's tables: with multi-table inheritance a model has several. */
export interface UserTablePart {
  readonly oid: string;
  /** Quoted for a statement: `"public"."accounts_user"`. */
  readonly sql: string;
  /** The table's bare name. */
  readonly name: string;
  /** The primary key's column, quoted. */
  readonly key: string;
}

/** A user model as found in the database: tables, columns and primary key. */
export interface UserModel {
  readonly label: string;
  readonly tables: readonly [UserTablePart, ...UserTablePart[]];
  readonly keyType: KeyType;
  /** By field name, which is the column's name unless AUTH_USER_COLUMNS maps it. */
  readonly columns: ReadonlyMap<string, UserColumn>;
  readonly settings: UserModelSettings;
}

interface FoundTable {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
}

/** By the search_path, also if the name contains a dot, or in the schema given before it. */
async function findTable(knex: Knex, name: string): Promise<FoundTable | undefined> {
  const { schema = '', table = '' } = splitTableName(name);
  const [found] = await rowsOf<FoundTable>(
    knex,
    `SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.oid = coalesce(to_regclass(quote_ident(?)), to_regclass(concat_ws('.', quote_ident(nullif(?, '')), quote_ident(?))))`,
    [name, schema, table],
  );
  return found;
}

interface FoundColumn {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly filled: boolean;
  readonly key: boolean;
  /** For the key's column: the table that it references. */
  readonly parent: string | null;
}

/** Booleans as texts, because an application may have its own parser of booleans. */
type ColumnRow = Omit<FoundColumn, 'nullable' | 'filled' | 'key'> & Record<'nullable' | 'filled' | 'key', string>;

async function findColumns(knex: Knex, oid: string): Promise<readonly FoundColumn[]> {
  const rows = await rowsOf<ColumnRow>(
    knex,
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, (NOT attnotnull)::text AS nullable,
            (atthasdef OR attidentity <> '' OR attgenerated <> '')::text AS filled,
            coalesce(attnum = pk.indkey[0], false)::text AS key,
            (SELECT confrelid::text FROM pg_constraint
              WHERE contype = 'f' AND conrelid = attrelid AND conkey = ARRAY[attnum] AND attnum = pk.indkey[0]) AS parent
       FROM pg_attribute LEFT JOIN pg_index pk ON pk.indrelid = attrelid AND pk.indisprimary AND pk.indnkeyatts = 1
      WHERE attrelid = ?::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [oid],
  );
  return rows.map((row) => ({
    ...row,
    nullable: row.nullable === 'true',
    filled: row.filled === 'true',
    key: row.key === 'true',
  }));
}

async function tableOf(knex: Knex, oid: string): Promise<FoundTable> {
  const [found] = await rowsOf<FoundTable>(
    knex,
    `SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ?::oid`,
    [oid],
  );
  return found ?? { oid, schema: '', name: oid };
}

/** No chain of inheritance is this long. */
const MOST_TABLES = 8;

/**
 * Find the model in PostgreSQL's catalogue.
 *
 * The columns of AbstractBaseUser are sufficient (`password`, `last_login`, USERNAME_FIELD, a key of one column). A key
 * that references another table belongs to multi-table inheritance if it has Django's name, `user_ptr_id`, or if a
 * required field is missing; otherwise it is a OneToOneField.
 *
 * @param required the fields that must exist
 * @throws SchemaMismatch with a message that says what to set
 */
export async function findUserModel(
  knex: Knex,
  settings: UserModelSettings,
  required: readonly string[] = ['password', 'last_login', settings.USERNAME_FIELD],
): Promise<UserModel> {
  const first = await findTable(knex, userTableName(settings));
  if (first === undefined) throw await missingTable(knex, settings);
  const fieldOf = new Map(Object.entries(settings.AUTH_USER_COLUMNS).map(([field, column]) => [column, field]));
  const tables: UserTablePart[] = [];
  const columns = new Map<string, UserColumn>();
  let keyType: KeyType | undefined;
  for (let table: FoundTable | undefined = first; table !== undefined && tables.length < MOST_TABLES; ) {
    const found = await findColumns(knex, table.oid);
    const key = found.find((column) => column.key);
    if (key === undefined) {
      throw mismatch(settings, `table ${table.name} has no primary key of one column.`);
    }
    keyType ??= keyTypeOf(key.type);
    if (keyType === undefined) {
      throw mismatch(
        settings,
        `its key ${table.name}.${key.name} is ${key.type}. Keys that are supported: integers, uuid, text.`,
      );
    }
    const part = {
      oid: table.oid,
      sql: `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`,
      name: table.name,
      key: quoteIdentifier(key.name),
    };
    for (const { name, nullable, filled } of found) {
      const field = fieldOf.get(name) ?? name;
      if (columns.has(field)) continue;
      columns.set(field, { name, table: part, sql: `u${tables.length}.${quoteIdentifier(name)}`, nullable, filled });
    }
    tables.push(part);
    const isWhole = required.every((field) => columns.has(field));
    const next: string | null = isWhole && !key.name.endsWith('_ptr_id') ? null : key.parent;
    table = next === null ? undefined : await tableOf(knex, next);
  }
  for (const field of required) {
    if (!columns.has(field)) throw missingColumn(settings, first.name, field, columns);
  }
  return {
    label: settings.AUTH_USER_MODEL,
    tables: tables as [UserTablePart],
    keyType: keyType as KeyType,
    columns,
    settings,
  };
}

function missingColumn(
  settings: UserModelSettings,
  table: string,
  field: string,
  columns: ReadonlyMap<string, UserColumn>,
): SchemaMismatch {
  const there = [...columns.values()].map(({ name }) => name).join(', ');
  const other = `If that field's column has another name (db_column), set AUTH_USER_COLUMNS={"${field}": "COLUMN"}.`;
  const advice =
    field === settings.USERNAME_FIELD ? `Set USERNAME_FIELD to the field by which users log in. ${other}` : other;
  return mismatch(settings, `table ${table} has no column ${field}. ${advice} There are: ${there}.`);
}

const mismatch = ({ AUTH_USER_MODEL }: UserModelSettings, text: string): SchemaMismatch =>
  new SchemaMismatch(`AUTH_USER_MODEL is ${AUTH_USER_MODEL}, but ${text}`);

async function missingTable(knex: Knex, settings: UserModelSettings): Promise<SchemaMismatch> {
  const lines = (await userCandidates(knex)).map((candidate) =>
    Object.entries(tableSettings(candidate, settings))
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
  );
  const elsewhere = await djangoSchemas(knex);
  const advice =
    lines.length > 0
      ? `If this Django has a user model of its own, set ${lines.join(' or ')}.`
      : elsewhere.length > 0
        ? `Django has migrated in schema ${elsewhere.join(', ')}: put it on the search_path, ${searchPathAdvice(elsewhere[0] ?? '')}`
        : "Run Django's migrate on this database first, or see that DATABASE_URL is that of Django.";
  return mismatch(settings, `there is no table ${userTableName(settings)} in this database. ${advice}`);
}

/** undefined_column, undefined_table, and a plan invalidated by a migration. */
const CHANGED_TABLE = ['42703', '42P01', '0A000'];

/** Whether an error of PostgreSQL means that a table no longer matches the cached catalogue. */
export function isChangedTable(error: unknown): boolean {
  return hasCode(error, ...CHANGED_TABLE);
}
