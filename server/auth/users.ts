/** Users: Django's table auth_user through knex, and who `ctx.request.user` is (django.contrib.auth.models). */
import type { Knex } from 'knex';
import { type Clock, systemClock } from '../clock.js';
import { type DatabaseBounds, databaseBounds, shareOf } from '../db/bounds.js';
import { Deadline } from '../db/deadline.js';
import { Queue } from '../db/queue.js';
import { isUnavailable, unavailable } from '../db/unavailable.js';
import { ValueError } from '../errors.js';
import { isWellFormed } from '../signing/crypto.js';
import { make_password } from './hashers.js';
import { UserLookup } from './user_lookup.js';
import { MAX_NAME_LENGTH, normalize_username } from './username.js';

/** A row of auth_user. */
export interface UserRow {
  readonly id: number;
  readonly username: string;
  /** As stored: algorithm, parameters, salt and hash. */
  readonly password: string;
  readonly first_name: string;
  readonly last_name: string;
  readonly email: string;
  readonly is_active: boolean;
  readonly is_staff: boolean;
  readonly is_superuser: boolean;
  readonly last_login: Date | null;
  readonly date_joined: Date;
}

/** Somebody who has an account. */
export class User implements UserRow {
  readonly is_authenticated = true;
  readonly is_anonymous = false;
  readonly id: number;
  readonly username: string;
  readonly first_name: string;
  readonly last_name: string;
  readonly email: string;
  readonly is_active: boolean;
  readonly is_staff: boolean;
  readonly is_superuser: boolean;
  readonly last_login: Date | null;
  readonly date_joined: Date;
  /** The path of the backend that vouched for this user; null where nobody asked one (`authenticate` and `login` do). */
  readonly backend: string | null;
  /** Private, so that a user written to a log or as JSON does not show it. */
  readonly #password: string;

  constructor(row: UserRow, backend: string | null = null) {
    this.id = row.id;
    this.username = row.username;
    this.first_name = row.first_name;
    this.last_name = row.last_name;
    this.email = row.email;
    this.is_active = row.is_active;
    this.is_staff = row.is_staff;
    this.is_superuser = row.is_superuser;
    this.last_login = row.last_login;
    this.date_joined = row.date_joined;
    this.#password = row.password;
    this.backend = backend;
  }

  /** As stored: algorithm, parameters, salt and hash. */
  get password(): string {
    return this.#password;
  }

  get_username(): string {
    return this.username;
  }

  get_full_name(): string {
    return `${this.first_name} ${this.last_name}`.trim();
  }

  get_short_name(): string {
    return this.first_name;
  }
}

/** Nobody: what `ctx.request.user` is until a login. */
export class AnonymousUser {
  readonly is_authenticated = false;
  readonly is_anonymous = true;
  readonly id = null;
  readonly username = '';
  readonly is_active = false;
  readonly is_staff = false;
  readonly is_superuser = false;

  get_username(): string {
    return this.username;
  }
}

const INT4_MAX = 2_147_483_647;

/**
 * A user's id from what a session holds under `_auth_user_id`: text as Python's int() reads it, or a whole number.
 * null for all else, and for what PostgreSQL's integer cannot hold. (Django raises ValidationError, a 500, for some.)
 */
export function parse_user_id(value: unknown): number | null {
  let id: number;
  if (typeof value === 'number' || typeof value === 'bigint') id = Number(value);
  else if (typeof value === 'string' && /^\s*[+-]?\d+(?:_\d+)*\s*$/.test(value)) id = Number(value.replaceAll('_', ''));
  else return null;
  return Number.isInteger(id) && Math.abs(id) <= INT4_MAX ? id : null;
}

/** The domain in lower case; the part before the last @ may tell case (BaseUserManager.normalize_email). */
export function normalize_email(email: string): string {
  const text = email.trim();
  const at = text.lastIndexOf('@');
  return at === -1 ? email : text.slice(0, at + 1) + text.slice(at + 1).toLowerCase();
}

/** PostgreSQL's text holds neither NUL nor half a surrogate pair, so no row has such a name. */
const isStorable = (text: string): boolean => !text.includes('\0') && isWellFormed(text);

export interface NewUser {
  readonly username: string;
  /** From `make_password`; without one the account cannot log in with a password. */
  readonly password?: string | null;
  readonly email?: string;
  readonly first_name?: string;
  readonly last_name?: string;
  readonly is_active?: boolean;
  readonly is_staff?: boolean;
  readonly is_superuser?: boolean;
}

const COLUMNS =
  'id, username, password, first_name, last_name, email, is_active, is_staff, is_superuser, last_login, date_joined';

const LOOKUP = {
  get_by_ids: {
    name: 'auth_user_by_ids',
    text: `SELECT id::text, ${COLUMNS} FROM auth_user WHERE id = ANY($1::bigint[])`,
    described: true,
  },
  fields: COLUMNS.split(', '),
};

/** Sent with their text each time. */
const STATEMENTS = {
  get_by_natural_key: `SELECT ${COLUMNS} FROM auth_user WHERE username = ?`,
  create: `INSERT INTO auth_user (username, password, first_name, last_name, email, is_active, is_staff, is_superuser, date_joined)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING ${COLUMNS}`,
  set_password: `UPDATE auth_user SET password = ? WHERE id = ? RETURNING ${COLUMNS}`,
  update_last_login: `UPDATE auth_user SET last_login = ? WHERE id = ? RETURNING ${COLUMNS}`,
} as const;

const UNIQUE_VIOLATION = '23505';
const TOO_LONG = '22001';

export interface UserTableOptions {
  readonly now?: Clock;
  /** Seconds, DATABASE_TIMEOUT: every bound on a wait is derived from it (server/db/bounds.ts). 1 when absent. */
  readonly timeout?: number;
  /** False behind a pgbouncer in transaction mode that keeps no prepared statements (max_prepared_statements = 0). */
  readonly prepared?: boolean;
}

/** Django's table auth_user. @throws StoreUnavailable from every method when the database does not answer */
export class UserTable {
  readonly #knex: Knex;
  readonly #now: Clock;
  readonly #bounds: DatabaseBounds;
  readonly #lookup: UserLookup;
  readonly #queue: Queue;

  constructor(knex: Knex, { now = systemClock, timeout, prepared = true }: UserTableOptions = {}) {
    this.#knex = knex;
    this.#now = now;
    this.#bounds = databaseBounds(timeout);
    this.#lookup = new UserLookup(knex, async () => LOOKUP, prepared);
    this.#queue = new Queue(shareOf(knex), this.#bounds.statement);
  }

  /**
   * null when there is none, also for what is no id at all. Those of one tick share a statement.
   * @param deadline of the request that asks; one of its own when absent
   */
  async get_by_id(id: string | number, deadline = this.#deadline()): Promise<User | null> {
    const key = parse_user_id(id);
    const found = key === null ? null : await this.#lookup.find(String(key), deadline);
    return found === null ? null : new User({ ...(found as unknown as UserRow), id: Number(found['id']) });
  }

  #deadline(): Deadline {
    return new Deadline(this.#bounds.request);
  }

  /** By the exact name, as stored; null when there is none, also for a name that no row can have. */
  async get_by_natural_key(username: string): Promise<User | null> {
    const possible = username.length <= MAX_NAME_LENGTH && isStorable(username);
    return possible ? this.#one('get_by_natural_key', [username]) : null;
  }

  /**
   * Add a user, with name and email normalised as Django does.
   * @throws ValueError when the name is empty, taken, or does not fit
   */
  async create_user(user: NewUser): Promise<User> {
    const username = normalize_username(user.username);
    if (username === '') throw new ValueError('The given username must be set');
    const email = normalize_email(user.email ?? '');
    const { first_name = '', last_name = '', is_active = true, is_staff = false, is_superuser = false } = user;
    if (![username, email, first_name, last_name].every(isStorable)) {
      throw new ValueError('A name must not hold a NUL character or half a surrogate pair.');
    }
    const password = user.password ?? (await make_password(null));
    const date_joined = new Date(this.#now() * 1000);
    try {
      const created = await this.#one('create', [
        username,
        password,
        first_name,
        last_name,
        email,
        is_active,
        is_staff,
        is_superuser,
        date_joined,
      ]);
      if (created === null) throw new ValueError('The database did not return the new user.');
      return created;
    } catch (error) {
      if (hasCode(error, UNIQUE_VIOLATION)) {
        throw new ValueError('A user with that username already exists.', { cause: error });
      }
      if (hasCode(error, TOO_LONG)) {
        throw new ValueError(
          'A value is longer than its column: 150 characters for names, 254 for an email, 128 for a stored password.',
          { cause: error },
        );
      }
      throw error;
    }
  }

  /**
   * Store a password from `make_password`. Every session of the user ends with it, but for one that is given the
   * returned user by `update_session_auth_hash`.
   * @returns the user with the new password, null when there is no such user
   */
  async set_password(id: number, encoded: string): Promise<User | null> {
    return this.#one('set_password', [encoded, id]);
  }

  /** Where the table is, by identity: a store of sessions with the same one can write both in one commit. */
  get database(): object {
    return this.#knex;
  }

  /** @param transaction of `database`, to be part of; one of its own when absent */
  async update_last_login(id: number, at: Date, transaction?: object): Promise<User | null> {
    return this.#one('update_last_login', [at, id], transaction as Knex.Transaction | undefined);
  }

  async #one(
    statement: keyof typeof STATEMENTS,
    bindings: readonly (string | number | boolean | Date)[],
    transaction?: Knex.Transaction,
  ): Promise<User | null> {
    const ask = async (knex: Knex): Promise<{ rows: readonly UserRow[] }> =>
      knex.raw(STATEMENTS[statement], [...bindings]);
    try {
      // A transaction has its connection already.
      const result = await (transaction === undefined
        ? this.#queue.run(null, this.#deadline(), () => ask(this.#knex))
        : ask(transaction));
      const row = result.rows[0];
      // pg gives a bigint column, which a Django project may have made of the id, as text.
      return row === undefined ? null : new User({ ...row, id: Number(row.id) });
    } catch (error) {
      throw isUnavailable(error) ? unavailable(error) : error;
    }
  }
}

function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
