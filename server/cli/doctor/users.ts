/** Where a Django's users are: in the model of the settings, or in one that the database itself gives away. */
import type { Knex } from 'knex';
import { parse_user_key } from '../../auth/user_key.js';
import {
  findUserModel,
  type UserModel,
  type UserModelSettings,
  userModelCandidates,
  userTableName,
} from '../../auth/user_model.js';
import { usersFrom } from '../../auth/user_statements.js';
import { runPrepared, type Statement } from '../../db/prepared.js';
import { SchemaMismatch } from '../../errors.js';

/** What is known of the users of the sessions that were looked at. */
export interface UserFacts {
  /** Why the settings do not fit this database; null when they do. */
  readonly mismatch: string | null;
  /** The settings that do, as lines for the environment; null when there is nothing to set. */
  readonly lines: Readonly<Record<string, string>> | null;
  /** Algorithm → how many users; null where no users were found. */
  readonly hashers: Readonly<Record<string, number>> | null;
  /** Encoded passwords of the users that the sessions name, by the id as it is there. For hashing only: never shown. */
  readonly passwords: ReadonlyMap<string, string>;
}

export interface UserQuestion {
  readonly settings: UserModelSettings;
  /** The ids that the sessions name. */
  readonly ids: readonly string[];
  /** How many of the sessions are a valid login of users with these passwords. */
  readonly valid: (passwords: ReadonlyMap<string, string>) => number;
}

interface Candidate {
  readonly settings: UserModelSettings;
  readonly lines: Readonly<Record<string, string>>;
}

/** Reads only. Sessions are the best witnesses: a login holds a hash of the very password that the right table has. */
export async function gatherUsers(trx: Knex, { settings, ids, valid }: UserQuestion): Promise<UserFacts> {
  const configured = await modelOf(trx, settings);
  const isConfigured = typeof configured !== 'string';
  const mismatch = isConfigured ? null : configured;
  const own = isConfigured ? await passwordsOf(trx, configured, ids) : new Map<string, string>();
  let best = {
    score: isConfigured ? Math.max(valid(own), 0) : -1,
    model: isConfigured ? configured : null,
    passwords: own,
  };
  let lines: UserFacts['lines'] = null;
  for (const candidate of await candidates(trx, settings)) {
    if (best.score > 0) break;
    const model = await modelOf(trx, candidate.settings);
    if (typeof model === 'string' || model.tables[0].oid === best.model?.tables[0].oid) continue;
    const passwords = await passwordsOf(trx, model, ids);
    const score = valid(passwords);
    if (score <= best.score) continue;
    best = { score, model, passwords };
    lines = candidate.lines;
  }
  const hashers = best.model === null ? null : await hashersOf(trx, best.model);
  return { mismatch, lines, hashers, passwords: best.passwords };
}

async function modelOf(trx: Knex, settings: UserModelSettings): Promise<UserModel | string> {
  try {
    return await findUserModel(trx, settings);
  } catch (error) {
    if (error instanceof SchemaMismatch) return error.message;
    throw error;
  }
}

/** Every table of users, with the settings that would name it. */
async function candidates(trx: Knex, settings: UserModelSettings): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  for (const { name, model } of await userModelCandidates(trx)) {
    const names =
      model === null
        ? { AUTH_USER_MODEL: (await modelWithoutTable(trx)) ?? settings.AUTH_USER_MODEL, AUTH_USER_TABLE: name }
        : { AUTH_USER_MODEL: model, AUTH_USER_TABLE: null };
    const USERNAME_FIELD = (await usernameColumn(trx, name)) ?? settings.USERNAME_FIELD;
    const guessed = { ...settings, ...names, AUTH_USER_COLUMNS: {}, USERNAME_FIELD };
    const lines: Record<string, string> = {};
    if (userTableName(settings) !== userTableName(guessed)) {
      lines['AUTH_USER_MODEL'] = names.AUTH_USER_MODEL;
      if (names.AUTH_USER_TABLE !== null) lines['AUTH_USER_TABLE'] = names.AUTH_USER_TABLE;
    }
    if (USERNAME_FIELD !== settings.USERNAME_FIELD) lines['USERNAME_FIELD'] = USERNAME_FIELD;
    found.push({ settings: guessed, lines });
  }
  return found;
}

async function rowsOf<Row>(trx: Knex, sql: string, bindings: readonly Knex.RawBinding[] = []): Promise<readonly Row[]> {
  return ((await trx.raw(sql, [...bindings])) as { rows: Row[] }).rows;
}

/**
 * The only model in Django's content types whose table is not called after it: that of a `db_table`. Content types of
 * apps that Django has no migration of are what removed apps leave behind.
 */
async function modelWithoutTable(trx: Knex): Promise<string | undefined> {
  const [there] = await rowsOf<{ found: boolean }>(
    trx,
    "SELECT to_regclass('django_content_type') IS NOT NULL AND to_regclass('django_migrations') IS NOT NULL AS found",
  );
  if (there?.found !== true) return undefined;
  const models = await rowsOf<{ model: string }>(
    trx,
    `SELECT app_label || '.' || model AS model FROM django_content_type
      WHERE to_regclass(quote_ident(app_label || '_' || model)) IS NULL
        AND app_label IN (SELECT app FROM django_migrations)
        AND app_label NOT IN ('admin', 'auth', 'contenttypes', 'sessions', 'sites')`,
  );
  return models.length === 1 ? models[0]?.model : undefined;
}

/** A USERNAME_FIELD is unique (auth.E003): `username` or `email` if they are, otherwise the only text that is. */
async function usernameColumn(trx: Knex, table: string): Promise<string | undefined> {
  const unique = await rowsOf<{ name: string }>(
    trx,
    `SELECT a.attname AS name FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = coalesce(to_regclass(quote_ident(?)), to_regclass(quote_ident(split_part(?, '.', 1)) || '.' || quote_ident(split_part(?, '.', 2))))
        AND i.indisunique AND NOT i.indisprimary AND i.indnkeyatts = 1 AND i.indpred IS NULL AND i.indexprs IS NULL
        AND a.atttypid IN ('varchar'::regtype, 'text'::regtype) ORDER BY a.attnum`,
    [table, table, table],
  );
  const names = [...new Set(unique.map(({ name }) => name))];
  return ['username', 'email'].find((name) => names.includes(name)) ?? names[0];
}

/** With the model's own names, in which a `?` is no place for a value as it is for `knex.raw`. */
const unnamed = (text: string): Statement => ({ name: '', text });

async function passwordsOf(trx: Knex, model: UserModel, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const keys = new Map(ids.map((id) => [id, parse_user_key(id, model.keyType)]));
  const wanted = [...new Set(keys.values())].filter((key) => key !== null);
  const is_active = model.columns.get('is_active');
  const { rows } = await runPrepared(
    trx,
    unnamed(`SELECT u0.${model.tables[0].key}::text AS id, ${model.columns.get('password')?.sql} AS password FROM ${usersFrom(model)}
      WHERE u0.${model.tables[0].key} = ANY ($1::${model.keyType}[])${is_active === undefined ? '' : ` AND ${is_active.sql}`}`),
    [wanted],
  );
  const passwords = new Map(rows.map(([id, password]) => [id, password]));
  return new Map(
    [...keys].flatMap(([id, key]) => {
      const password = key === null ? undefined : passwords.get(key);
      return typeof password !== 'string' ? [] : [[id, password] as const];
    }),
  );
}

/** By the first part of what looks like a hash: the column may hold anything, also a password in the clear. */
async function hashersOf(trx: Knex, model: UserModel): Promise<Readonly<Record<string, number>>> {
  const { rows } = await runPrepared(
    trx,
    unnamed(`SELECT CASE WHEN password LIKE '!%' OR password = '' THEN 'unusable'
                 WHEN password ~ '^[a-z][a-z0-9_]{2,30}[$][^$]*[$].' THEN split_part(password, '$', 1)
                 ELSE 'unknown' END AS algorithm,
            count(*) AS count
       FROM (SELECT ${model.columns.get('password')?.sql} AS password FROM ${usersFrom(model)}) AS users
      GROUP BY 1 ORDER BY 2 DESC, 1`),
    [],
  );
  return Object.fromEntries(rows.map(([algorithm, count]) => [String(algorithm), Number(count)]));
}
