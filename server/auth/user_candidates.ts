/**
 * Finds tables that may belong to a user model, and the model of each, by Django's content types and the admin's log.
 */
import type { Knex } from 'knex';
import { tableNameText } from '../db/table_name.js';
import { rowsOf } from '../rows.js';
import { IS_OURS_AND_READABLE } from '../search_path.js';
import type { UserModelSettings } from '../settings.js';
import { truncateName, userTableName } from './table_names.js';

/** A column in the catalogue. */
export interface CandidateColumn {
  readonly name: string;
  /** As `format_type` prints it. */
  readonly type: string;
  readonly nullable: boolean;
  /** Unique by an index on this column alone and on all rows; the primary key's index is ignored. */
  readonly unique: boolean;
  readonly key: boolean;
}

/** A table with the columns of AbstractBaseUser, or of a model that inherits from one (multi-table inheritance). */
export interface UserCandidate {
  readonly oid: string;
  /** The value for AUTH_USER_TABLE. */
  readonly table: string;
  /** The model's name, `accounts.user`; several names if the database does not decide, or none. */
  readonly models: readonly string[];
  /** The columns of `password` and `last_login`. */
  readonly password: string;
  readonly last_login: string;
  /** The columns of the table, then those of its parents. */
  readonly columns: readonly CandidateColumn[];
  /** The tables of the parent models, nearest first. */
  readonly parents: readonly string[];
  /** Whether Django's content types contain its model; true without content types. */
  readonly isKnown: boolean;
  /** Whether the admin's log refers to its users. */
  readonly isAdmins: boolean;
  /** Whether it has the tables of PermissionsMixin. */
  readonly hasPermissions: boolean;
}

interface FoundTable {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly visible: boolean;
  readonly parent: string | null;
  readonly columns: readonly CandidateColumn[];
  readonly is_admins: boolean;
  /** The model's name, from the user's column in the table between users and groups; null if there is none. */
  readonly holder: string | null;
}

/**
 * Tables that this database user may read, with a column for a hash and a nullable one for a time; and the tables of
 * their child models. Tables of another Django, in a schema with its own django_migrations, are skipped.
 */
const TABLES = `
  WITH RECURSIVE readable AS (
    SELECT c.oid, c.relname, c.relnamespace, n.nspname, pg_table_is_visible(c.oid) AS visible
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE ${IS_OURS_AND_READABLE}
  ), family AS (
    SELECT oid, NULL::oid AS parent FROM readable
     WHERE EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
                      AND a.atttypid = 'varchar'::regtype AND (a.attname = 'password' OR a.atttypmod = 128 + 4))
       AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.attnotnull
                      AND a.atttypid = 'timestamptz'::regtype)
     UNION
    SELECT k.conrelid, k.confrelid FROM pg_constraint k JOIN family ON family.oid = k.confrelid
      JOIN pg_index i ON i.indrelid = k.conrelid AND i.indisprimary AND i.indnkeyatts = 1
      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = i.indkey[0] AND k.conkey = ARRAY[a.attnum]
     WHERE k.contype = 'f' AND a.attname LIKE '%\\_ptr\\_id'
  ), columns AS (
    SELECT a.attrelid, a.attnum, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
           coalesce(bool_or(NOT i.indisprimary), false) AS "unique", coalesce(bool_or(i.indisprimary), false) AS key
      FROM (SELECT DISTINCT oid FROM family) family JOIN pg_attribute a ON a.attrelid = family.oid
      LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisunique AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
                          AND i.indpred IS NULL
     WHERE a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull
  ), listed AS (
    SELECT attrelid, json_agg(json_build_object('name', name, 'type', type, 'nullable', nullable, 'unique', "unique", 'key', key)
                              ORDER BY attnum) AS columns
      FROM columns GROUP BY attrelid
  )
  SELECT oid::text AS oid, nspname AS schema, relname AS name, visible, parent::text AS parent,
         listed.columns,
         EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid = to_regclass('django_admin_log') AND k.confrelid = family.oid) AS is_admins,
         (SELECT regexp_replace(a.attname, '_id$', '') FROM pg_class g JOIN pg_attribute a ON a.attrelid = g.oid AND a.attnum > 0
           WHERE g.relnamespace = readable.relnamespace AND g.relname = readable.relname || '_groups'
             AND NOT a.attisdropped AND a.attname NOT IN ('id', 'group_id') LIMIT 1) AS holder
    FROM family JOIN readable USING (oid) JOIN listed ON listed.attrelid = oid ORDER BY visible DESC, nspname, relname`;

/** A model in Django's content types. */
interface ContentType {
  readonly app_label: string;
  readonly model: string;
  /** Whether a table has the model's default name; not if it has a db_table, or is a proxy. */
  readonly has_table: boolean;
  /** Whether Django has migrated its app; content types of removed apps remain. */
  readonly migrated: boolean;
}

async function contentTypes(knex: Knex): Promise<readonly ContentType[]> {
  const [readable] = await rowsOf<{ types: boolean; history: boolean }>(
    knex,
    `SELECT coalesce(has_table_privilege(to_regclass('django_content_type'), 'SELECT'), false) AS types,
            coalesce(has_table_privilege(to_regclass('django_migrations'), 'SELECT'), false) AS history`,
  );
  if (readable?.types !== true) return [];
  const migrated = readable.history ? 'app_label IN (SELECT app FROM django_migrations)' : 'true';
  return rowsOf<ContentType>(
    knex,
    `SELECT app_label, model, to_regclass(quote_ident(app_label || '_' || model)) IS NOT NULL AS has_table,
            ${migrated} AS migrated FROM django_content_type ORDER BY 1, 2`,
  );
}

const DJANGOS_APPS = new Set(['admin', 'auth', 'contenttypes', 'sessions', 'sites', 'messages']);
const labelOf = ({ app_label, model }: ContentType): string => `${app_label}.${model}`;

/**
 * The models that the table may belong to: those with this default name, or those without a table of their default
 * name.
 */
function modelsOf(
  { name, visible, holder }: FoundTable,
  types: readonly ContentType[],
): Pick<UserCandidate, 'models' | 'isKnown'> {
  const named = types.filter((type) => visible && truncateName(`${type.app_label}_${type.model}`) === name);
  if (named.length > 0) return { models: named.map(labelOf), isKnown: true };
  const others = types.filter(
    ({ app_label, has_table, migrated }) => !has_table && migrated && !DJANGOS_APPS.has(app_label),
  );
  const held = others.filter(({ model }) => model === holder);
  if (held.length > 0) return { models: held.map(labelOf), isKnown: true };
  return { models: others.map(labelOf), isKnown: holder === null && others.length > 0 };
}

/** A table's name for the settings: without schema if on the search_path. */
const settingOf = ({ schema, name, visible }: FoundTable): string =>
  tableNameText(visible ? { table: name } : { schema, table: name });

const isNamed = ({ password, last_login }: Pick<UserCandidate, 'password' | 'last_login'>): boolean =>
  password === 'password' && last_login === 'last_login';

/** Finds the column by its name, or by the type of the field in AbstractBaseUser. */
function columnOf(columns: readonly CandidateColumn[], name: string, hint: RegExp, shape: string): string | undefined {
  const fitting = columns.filter(
    ({ type, nullable }) => type === shape && nullable === (shape === 'timestamp with time zone'),
  );
  const found =
    columns.find((column) => column.name === name) ?? fitting.find((column) => hint.test(column.name)) ?? fitting[0];
  return found?.name;
}

/** Reads only the catalogue, content types and history. */
export async function userCandidates(knex: Knex): Promise<readonly UserCandidate[]> {
  const tables = await rowsOf<FoundTable>(knex, TABLES);
  const types = tables.length === 0 ? [] : await contentTypes(knex);
  // After Django's migrations, its groups are known.
  const isComplete = types.some((type) => labelOf(type) === 'auth.group');
  const candidates = tables.map((table): UserCandidate | null => {
    const parents: FoundTable[] = [];
    for (let { parent } = table; parent !== null && parents.length < 8; ) {
      const next = tables.find(({ oid }) => oid === parent);
      if (next === undefined) break;
      parents.push(next);
      parent = next.parent;
    }
    const family = [table, ...parents];
    const columns = family.flatMap((each) => each.columns);
    const password = columnOf(columns, 'password', /pass|pwd|secret|hash/i, 'character varying(128)');
    const last_login = columnOf(columns, 'last_login', /login|seen|last/i, 'timestamp with time zone');
    if (password === undefined || last_login === undefined) return null;
    const hasPermissions = family.some(({ holder }) => holder !== null);
    const isAdmins = family.some(({ is_admins }) => is_admins);
    // Renamed columns alone prove nothing: many tables have a short text and a time.
    if (!isNamed({ password, last_login }) && !hasPermissions && !isAdmins && !isComplete) return null;
    const { models, isKnown } = modelsOf(table, types);
    return {
      oid: table.oid,
      table: settingOf(table),
      models,
      password,
      last_login,
      columns,
      parents: parents.map(({ oid }) => oid),
      isKnown: isKnown || !isComplete,
      isAdmins: table.is_admins,
      hasPermissions,
    };
  });
  return withoutChance(
    candidates.filter((candidate) => candidate !== null),
    isComplete,
  );
}

/**
 * Drops tables that are not of users if others surely are; and models that inherit from auth.User: with another
 * AUTH_USER_MODEL it is swapped out, and no model may inherit from it (fields.E301).
 */
function withoutChance(candidates: readonly UserCandidate[], isComplete: boolean): readonly UserCandidate[] {
  const sure = candidates.filter((each) => isNamed(each) || each.hasPermissions || each.isAdmins);
  const own = isComplete ? candidates.find(({ models }) => models.includes('auth.user')) : undefined;
  return (sure.length > 0 ? sure : candidates).filter(({ parents }) => own === undefined || !parents.includes(own.oid));
}

/** The settings for the table, by name; without AUTH_USER_MODEL if the database does not determine it. */
export function tableSettings(
  { table, models }: Pick<UserCandidate, 'table' | 'models'>,
  configured: UserModelSettings,
): Readonly<Record<string, string>> {
  const { AUTH_USER_MODEL: own, AUTH_USER_TABLE } = configured;
  const [label = own] = models.length === 1 ? models : [];
  const isOwn = label.toLowerCase() === own.toLowerCase();
  return {
    ...(isOwn ? {} : { AUTH_USER_MODEL: label }),
    ...(userTableName({ AUTH_USER_MODEL: label, AUTH_USER_TABLE }) === table ? {} : { AUTH_USER_TABLE: table }),
  };
}
