/** Finds the table of Django's users: that of the settings, or another one that the database's contents suggest. */
import type { Knex } from 'knex';
import { tableSettings, type UserCandidate, userCandidates } from '../../auth/user_candidates.js';
import { parseUserKey } from '../../auth/user_key.js';
import { findUserModel, type UserModel, type UserModelSettings } from '../../auth/user_model.js';
import { usersFrom } from '../../auth/user_statements.js';
import { runPrepared, type Statement } from '../../db/prepared.js';
import { SchemaMismatch } from '../../errors.js';
import { readColumns, type UserColumns } from './user_columns.js';

/** The evidence that the users are in another table than the settings name. */
export type Evidence = 'logins' | 'admin' | 'content types';

/** The facts about the users of the examined sessions. */
export interface UserFacts {
  /** Why the settings do not fit this database; null if they do. */
  readonly mismatch: string | null;
  /** null if there is no evidence against the settings. */
  readonly evidence: Evidence | null;
  /** The settings that fit, for the environment, without those that are already set. */
  readonly lines: Readonly<Record<string, string>>;
  /** Alternative lines for the environment; the database does not show which one is right. */
  readonly choices: readonly string[];
  /** Other tables that may hold the users, not more likely than that of the settings. */
  readonly others: readonly string[];
  /** See UserColumns. */
  readonly usernames: readonly string[];
  readonly isGuessed: boolean;
  readonly is_active: UserColumns['is_active'];
  /** Password hash algorithm → number of users; null if no users were found. */
  readonly hashers: Readonly<Record<string, number>> | null;
  /** Encoded passwords of the sessions' users, by the id in the session. Only for the session auth hash, never shown. */
  readonly passwords: ReadonlyMap<string, string>;
}

export interface UserQuestion {
  readonly settings: UserModelSettings;
  /** The user ids in the sessions. */
  readonly ids: readonly string[];
  /** The number of sessions that are a valid login with these encoded passwords. */
  readonly valid: (passwords: ReadonlyMap<string, string>) => number;
}

/** A table with its evidence. */
interface Weighed {
  /** undefined for the settings' table if it does not look like a user table. */
  readonly candidate: UserCandidate | undefined;
  /** The reason as a sentence if the library cannot use it. */
  readonly model: UserModel | string;
  readonly isConfigured: boolean;
  readonly passwords: ReadonlyMap<string, string>;
  /**
   * The strongest evidence first: valid logins, because they contain a hash of the password in the right table; the admin's
   * log; content types; the settings; PermissionsMixin; the names of AbstractBaseUser's columns.
   */
  readonly weight: readonly number[];
}

const EVIDENCE: readonly Evidence[] = ['logins', 'admin', 'content types'];
const NOTHING: UserFacts = {
  mismatch: null,
  evidence: null,
  lines: {},
  choices: [],
  others: [],
  usernames: [],
  isGuessed: false,
  is_active: null,
  hashers: null,
  passwords: new Map(),
};
const NO_COLUMNS: UserColumns = { lines: {}, usernames: [], isGuessed: false, is_active: null };

/** Only reads. */
export async function gatherUsers(trx: Knex, question: UserQuestion): Promise<UserFacts> {
  const { settings } = question;
  const configured = await modelOf(trx, settings);
  const own = typeof configured === 'string' ? null : configured;
  const candidates = await userCandidates(trx);
  const all: Weighed[] = [];
  for (const candidate of await withoutRelatives(trx, candidates, own)) {
    const isConfigured = candidate.oid === own?.tables[0].oid;
    const model = isConfigured && own !== null ? own : await modelOf(trx, settingsOf(candidate, settings), BASE);
    all.push(await weigh(trx, { candidate, model, isConfigured }, question));
  }
  if (own !== null && !all.some(({ isConfigured }) => isConfigured)) {
    all.push(await weigh(trx, { candidate: undefined, model: own, isConfigured: true }, question));
  }
  all.sort((a, b) => compare(b.weight, a.weight));
  const mine = all.find(({ isConfigured }) => isConfigured) ?? null;
  const [best] = all;
  if (best === undefined) return { ...NOTHING, mismatch: typeof configured === 'string' ? configured : null };

  const { candidate, model, passwords } = best;
  const isRight = best === mine;
  const columns = candidate === undefined ? NO_COLUMNS : readColumns(candidate, settings, isRight);
  const equals = all.filter((each) => compare(each.weight, best.weight) === 0);
  const names = isRight ? [] : equals.flatMap((each) => namings(each.candidate, settings));
  const [named = isRight ? relabelled(candidate, settings) : {}] = names.length === 1 ? names : [];
  const rivals = isRight ? all.filter((each) => each !== best && isRival(each, best)) : [];
  return {
    mismatch: typeof model === 'string' ? model : typeof configured === 'string' ? configured : null,
    evidence: isRight || mine === null ? null : (EVIDENCE[firstDifference(best, mine)] ?? null),
    lines: { ...named, ...columns.lines },
    choices: names.length > 1 ? names.map(inOneLine) : [],
    others: rivals.flatMap((each) => each.candidate?.table ?? []),
    usernames: columns.usernames,
    isGuessed: columns.isGuessed,
    is_active: columns.is_active,
    hashers: typeof model === 'string' ? null : await hashersOf(trx, model),
    passwords,
  };
}

/** The first index at which two weights differ. */
const firstDifference = (a: Weighed, b: Weighed): number =>
  b.weight.findIndex((value, place) => value !== a.weight[place]);

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [place, value] of a.entries()) if (value !== b[place]) return value - (b[place] ?? 0);
  return 0;
}

const inherits = (child: Weighed, parent: Weighed): boolean =>
  parent.candidate !== undefined && child.candidate?.parents.includes(parent.candidate.oid) === true;

/** Whether `b` is as likely as `a` by Django's own data. The parent or a child of the same model is no rival. */
const isRival = (a: Weighed, b: Weighed): boolean =>
  !inherits(a, b) &&
  !inherits(b, a) &&
  compare(a.weight.slice(0, EVIDENCE.length), b.weight.slice(0, EVIDENCE.length)) === 0;

type Lines = Readonly<Record<string, string>>;
const inOneLine = (lines: Lines): string =>
  Object.entries(lines)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

/** The possible settings for this table: one if its model is known. */
function namings(candidate: UserCandidate | undefined, settings: UserModelSettings): readonly Lines[] {
  if (candidate === undefined) return [];
  const { table, models } = candidate;
  if (models.length < 2) return [tableSettings(candidate, settings)];
  return models.map((model) => tableSettings({ table, models: [model] }, settings));
}

/** Settings with the table's own model, if AUTH_USER_MODEL is auth.User and content types list only another model. */
function relabelled(candidate: UserCandidate | undefined, settings: UserModelSettings): Lines {
  const isDjangos = settings.AUTH_USER_MODEL.toLowerCase() === 'auth.user';
  return isDjangos && candidate?.isKnown === true && candidate.models.length === 1
    ? tableSettings(candidate, settings)
    : {};
}

const BASE = ['password', 'last_login'];

function settingsOf(candidate: UserCandidate, settings: UserModelSettings): UserModelSettings {
  const { table, models, password, last_login } = candidate;
  const [AUTH_USER_MODEL = table] = models;
  return { ...settings, AUTH_USER_MODEL, AUTH_USER_TABLE: table, AUTH_USER_COLUMNS: { password, last_login } };
}

async function modelOf(
  trx: Knex,
  settings: UserModelSettings,
  required?: readonly string[],
): Promise<UserModel | string> {
  try {
    return await findUserModel(trx, settings, required);
  } catch (error) {
    if (error instanceof SchemaMismatch) return error.message;
    throw error;
  }
}

async function weigh(
  trx: Knex,
  table: Pick<Weighed, 'candidate' | 'model' | 'isConfigured'>,
  { ids, valid }: UserQuestion,
): Promise<Weighed> {
  const { candidate, model, isConfigured } = table;
  const passwords = typeof model === 'string' ? new Map<string, string>() : await passwordsOf(trx, model, ids);
  const { isAdmins = false, isKnown = true, hasPermissions = false, password, last_login } = candidate ?? {};
  const isNamed = password === 'password' && last_login === 'last_login';
  const weight = [valid(passwords), isAdmins, isKnown, isConfigured, hasPermissions, isNamed].map(Number);
  return { ...table, passwords, weight };
}

/**
 * Of a model and its child (multi-table inheritance), leaves out the one that cannot be AUTH_USER_MODEL: the parent if only
 * the child has a field to log in with, the child if a user without a row in its table has logged in.
 */
async function withoutRelatives(
  trx: Knex,
  candidates: readonly UserCandidate[],
  configured: UserModel | null,
): Promise<readonly UserCandidate[]> {
  const out = new Set<string>();
  for (const child of candidates) {
    const [nearest] = child.parents;
    const parent = candidates.find(({ oid }) => oid === nearest);
    if (parent === undefined) continue;
    const isOwn = (column: { readonly unique: boolean }): boolean => column.unique;
    if (child.columns.some(isOwn) && !parent.columns.some(isOwn)) out.add(parent.oid);
    else if (await hasStrangers(trx, child, parent)) out.add(child.oid);
  }
  return candidates.filter(({ oid }) => !out.has(oid) || oid === configured?.tables[0].oid);
}

async function hasStrangers(trx: Knex, child: UserCandidate, parent: UserCandidate): Promise<boolean> {
  const whole = await modelOf(trx, settingsOf(child, NO_SETTINGS), BASE);
  const upper = await modelOf(trx, settingsOf(parent, NO_SETTINGS), BASE);
  if (typeof whole !== 'object' || typeof upper !== 'object') return false;
  const { rows } = await runPrepared(
    trx,
    unnamed(`SELECT 1 FROM ${usersFrom(upper)} WHERE ${upper.columns.get('last_login')?.sql} IS NOT NULL
               AND NOT EXISTS (SELECT FROM ${whole.tables[0].sql} child WHERE child.${whole.tables[0].key} = u0.${upper.tables[0].key}) LIMIT 1`),
    [],
  );
  return rows.length > 0;
}

const NO_SETTINGS: UserModelSettings = {
  AUTH_USER_MODEL: '',
  AUTH_USER_TABLE: null,
  AUTH_USER_COLUMNS: {},
  USERNAME_FIELD: '',
  EMAIL_FIELD: '',
};

/** For statements with the model's column names: a `?` in a name is no placeholder here, unlike in `knex.raw`. */
const unnamed = (text: string): Statement => ({ name: '', text });
async function passwordsOf(trx: Knex, model: UserModel, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const keys = new Map(ids.map((id) => [id, parseUserKey(id, model.keyType)]));
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

/** Users by algorithm: the first part of values that look like a hash. The column may even contain plain passwords. */
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
