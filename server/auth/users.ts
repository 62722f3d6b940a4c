/** The users' table of any AUTH_USER_MODEL, through knex. */
import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import type { Clock } from '../clock.js';
import { type Deadline, inTime } from '../db/deadline.js';
import { checkKnex } from '../db/given.js';
import { quoteIdentifier } from '../db/literals.js';
import { PoolShare } from '../db/pool_share.js';
import { type Answer, type Parameter, runPrepared, type Statement } from '../db/prepared.js';
import { storeError, unavailable } from '../db/unavailable.js';
import { hasCode } from '../error_code.js';
import { SchemaMismatch, StoreUnavailable, ValueError } from '../errors.js';
import { checkedClock, checkOptions, checkSettings } from '../settings/given.js';
import { isWellFormed } from '../signing/crypto.js';
import { Catalogue, type Known } from './catalogue.js';
import { checkEncoded, checkId } from './given.js';
import { make_password } from './hashers.js';
import { type Found, type Holder, PermissionLookup } from './permission_lookup.js';
import { Permissions } from './permissions.js';
import { checkUserClass, User, type UserRow } from './user.js';
import { exactKey, keyValue, parseUserKey } from './user_key.js';
import { UserLookup } from './user_lookup.js';
import { DEFAULT_USER_MODEL, isChangedTable, type UserModel, type UserModelSettings } from './user_model.js';
import { rowValues } from './user_statements.js';
import { MAX_NAME_LENGTH, normalize_username } from './username.js';

/**
 * The domain in lower case; the part before the last @ may be case-sensitive (BaseUserManager.normalize_email).
 *
 * ```ts
 * normalize_email('Ann@EXAMPLE.com'); // 'Ann@example.com'
 * ```
 */
export function normalize_email(email: string): string {
  const text = email.trim();
  const at = text.lastIndexOf('@');
  return at === -1 ? email : text.slice(0, at + 1) + text.slice(at + 1).toLowerCase();
}

/** PostgreSQL's text holds neither NUL nor half a surrogate pair, so no row has such a name. */
const isStorable = (text: string): boolean => !text.includes('\0') && isWellFormed(text);

/** The data of `UserTable.create_user`. */
export interface NewUser {
  /** The value of USERNAME_FIELD. */
  readonly username: string;
  /** From `make_password`; without it the account cannot log in with a password. */
  readonly password?: string | null;
  readonly email?: string;
  readonly first_name?: string;
  readonly last_name?: string;
  readonly is_active?: boolean;
  readonly is_staff?: boolean;
  readonly is_superuser?: boolean;
  /** Further fields of the model, by name; required for fields whose default is only in Django. */
  readonly fields?: Readonly<Record<string, string | number | boolean | Date | null>>;
}

/** Options of `UserTable`. */
export interface UserTableOptions<U extends User> {
  /** The user model's settings, from `defineSettings`; default `auth_user`. */
  readonly settings?: UserModelSettings;
  readonly now?: Clock;
  /** Seconds, DATABASE_TIMEOUT: every bound on a wait is derived from it (server/db/wait_bounds.ts). 1 when absent. */
  readonly timeout?: number;
  /**
   * False behind a pgbouncer in transaction mode without support for prepared statements (max_prepared_statements = 0).
   */
  readonly prepared?: boolean;
  /** A custom class for users. */
  readonly userClass?: new (
    row: UserRow,
  ) => U;
}

const UNIQUE_VIOLATION = '23505';
const TOO_LONG = '22001';
/** PostgreSQL's not_null_violation. */
export const NOT_NULL = '23502';
/** PostgreSQL cannot convert the text to the column's type, so no row has it. */
const NO_SUCH_VALUE = ['22P02', '22003', '22007', '22008'];

type Binding = string | number | boolean | Date | null;

/**
 * Django's users. The table and its columns are looked up in PostgreSQL's catalogue at first use.
 *
 * ```ts
 * const users = new UserTable(knex, { settings });
 * const ann = await users.get_by_natural_key('ann'); // or null
 * ```
 *
 * @throws StoreUnavailable from every method if the database does not respond, or its table no longer matches the
 *   model; see `cause`
 */
export class UserTable<U extends User = User> {
  readonly #knex: Knex;
  readonly #now: Clock;
  readonly #prepared: boolean;
  readonly #share: PoolShare;
  readonly #catalogue: Catalogue;
  readonly #lookup: UserLookup;
  readonly #settings: UserModelSettings;
  readonly #userClass: (row: UserRow) => U;
  readonly #permissions: PermissionLookup;

  constructor(knex: Knex, options: UserTableOptions<U> = {}) {
    checkKnex('new UserTable()', knex);
    checkOptions('new UserTable()', options);
    const { settings = DEFAULT_USER_MODEL, userClass: UserClass = User } = options;
    const now = checkedClock(options.now);
    // Without the braces the settings would be options, and their AUTH_USER_MODEL would not be seen.
    checkSettings(
      'new UserTable()',
      'AUTH_USER_MODEL' in Object(options) ? undefined : settings,
      'AUTH_USER_MODEL',
      'USERNAME_FIELD',
    );
    checkUserClass(UserClass);
    const { timeout, prepared = true } = options;
    this.#knex = knex;
    this.#now = now;
    this.#prepared = prepared;
    this.#share = new PoolShare(knex, timeout);
    this.#lookup = new UserLookup(knex, async () => (await this.#know()).statements, prepared);
    this.#permissions = new PermissionLookup(knex, () => this.#catalogue.permissionStatement(), prepared);
    this.#settings = settings;
    this.#catalogue = new Catalogue(knex, settings, now);
    this.#userClass = (row) => new UserClass(row) as U;
  }

  /**
   * The database of the table, compared by identity: a session store with the same object can write both in one commit.
   */
  get database(): object {
    return this.#knex;
  }

  /** The field that users log in with. */
  get username_field(): string {
    return this.#settings.USERNAME_FIELD;
  }

  /**
   * The model as found in this database.
   * @throws SchemaMismatch with a message that says what to set
   */
  async model(): Promise<UserModel> {
    return (this.#catalogue.known() ?? (await this.#catalogue.look())).model;
  }

  /** @throws StoreUnavailable at the deadline, and if the table does not match the model */
  async #know(deadline?: Deadline): Promise<Known> {
    return this.#catalogue.known() ?? this.#asked(() => inTime(this.#catalogue.look(), this.#share.deadline(deadline)));
  }

  /**
   * null if there is none, also for an invalid key. Calls of one tick share a statement.
   * @param deadline from `requestDeadline(ctx)`; one of its own when absent
   */
  async get_by_id(id: string | number, deadline?: Deadline): Promise<U | null> {
    return this.#withKnown(
      async ({ model }) => {
        const key = parseUserKey(String(id), model.keyType);
        const row = key === null ? null : await this.#lookup.find(key, this.#share.deadline(deadline));
        return row === null ? null : this.#userClass(this.#rowOf(row, model, deadline));
      },
      { deadline },
    );
  }

  /**
   * By the exact value of USERNAME_FIELD, as stored; null if there is none.
   * @param deadline from `requestDeadline(ctx)`; one of its own when absent
   */
  async get_by_natural_key(username: string, deadline?: Deadline): Promise<U | null> {
    if (typeof username !== 'string' || username.length > MAX_NAME_LENGTH || !isStorable(username)) return null;
    return this.#find(async ({ statements }) => ({ statement: statements.get_by_natural_key, values: [username] }), {
      deadline,
    });
  }

  /**
   * Store a password from `make_password`. It ends every session of the user; pass the returned user to
   * `update_session_auth_hash` to keep one.
   * @param deadline from `requestDeadline(ctx)`; one of its own when absent
   * @returns the user with the new password, null if there is no such user
   * @throws ValueError for the password itself, which Django's `set_password` takes
   */
  async set_password(id: string | number, encoded: string, deadline?: Deadline): Promise<U | null> {
    checkId('set_password()', id);
    checkEncoded('set_password()', encoded);
    return this.#find((known) => this.#byKey(known, id, 'set_password', [encoded]), { deadline });
  }

  /**
   * Stores the time of a login. Null if the user was deleted.
   *
   * @param transaction of `database` to use; a new one when absent
   * @param deadline from `requestDeadline(ctx)`; one of its own when absent
   */
  async update_last_login(id: string | number, at: Date, transaction?: object, deadline?: Deadline): Promise<U | null> {
    checkId('update_last_login()', id);
    if (!(at instanceof Date)) throw new ValueError('update_last_login() needs the time of the login: a Date.');
    return this.#find((known) => this.#byKey(known, id, 'update_last_login', [at]), {
      transaction: transaction as Knex.Transaction | undefined,
      deadline,
    });
  }

  /**
   * Add a user, with name and email normalised as Django does.
   * @throws ValueError if the name is empty, taken or too long, or a required field of the model is missing
   */
  async create_user(user: NewUser): Promise<U> {
    const known = await this.#know();
    const { model, statements } = known;
    const values = await this.#valuesOf(user, model);
    const statement = statements.create([...values.keys()]);
    try {
      const created = await this.#ask({ statement, values: [...values.values()].map(parameter) }, known);
      if (created === null) throw new ValueError('The database did not return the new user.');
      return created;
    } catch (error) {
      if (isChangedTable(error)) {
        this.#catalogue.forget();
        throw unavailable(error);
      }
      throw asValueError(error, model);
    }
  }

  /** Every column of the new row, by its field. */
  async #valuesOf(user: NewUser, model: UserModel): Promise<Map<string, Binding>> {
    const { USERNAME_FIELD, EMAIL_FIELD } = model.settings;
    if (typeof user?.username !== 'string' || typeof (user.email ?? '') !== 'string') {
      throw new ValueError('create_user() needs `username`, and `email` if there is one: texts.');
    }
    if (user.password !== undefined && user.password !== null) checkEncoded('create_user()', user.password);
    const username = normalize_username(
      USERNAME_FIELD === EMAIL_FIELD ? normalize_email(user.username) : user.username,
    );
    if (username === '') throw new ValueError('The given username must be set');
    const { first_name = '', last_name = '', is_active = true, is_staff = false, is_superuser = false } = user;
    const values = new Map<string, Binding>([
      ['password', user.password ?? (await make_password(null))],
      [EMAIL_FIELD, normalize_email(user.email ?? '')],
      [USERNAME_FIELD, username],
      ...Object.entries({ first_name, last_name, is_active, is_staff, is_superuser }),
      ['date_joined', new Date(this.#now() * 1000)],
      ...Object.entries(user.fields ?? {}),
    ]);
    for (const [field, value] of values) {
      if (typeof value === 'string' && !isStorable(value)) {
        throw new ValueError('A name must not hold a NUL character or half a surrogate pair.');
      }
      if (!model.columns.has(field)) {
        if (user.fields !== undefined && Object.hasOwn(user.fields, field)) {
          throw new ValueError(`${model.label} has no field ${field}.`);
        }
        values.delete(field);
      }
    }
    // Django generates UUIDs itself; the column has no default.
    const [{ key }] = model.tables;
    for (const [field, column] of model.columns) {
      if (quoteIdentifier(column.name) === key && !column.filled && !values.has(field) && model.keyType === 'uuid') {
        values.set(field, randomUUID());
      }
    }
    return values;
  }

  #byKey(
    { model, statements }: Known,
    id: string | number,
    statement: 'set_password' | 'update_last_login',
    values: readonly Parameter[],
  ): Promise<Asking | null> {
    const key = parseUserKey(String(id), model.keyType);
    return Promise.resolve(key === null ? null : { statement: statements[statement], values: [...values, key] });
  }

  /** Query one user; again if the table has changed since the catalogue was read. */
  async #find(asking: (known: Known) => Promise<Asking | null>, request: Request = {}): Promise<U | null> {
    return this.#withKnown(async (known) => {
      const asked = await asking(known);
      return asked === null ? null : this.#ask(asked, known, request);
    }, request);
  }

  async #withKnown<T>(ask: (known: Known) => Promise<T | null>, { transaction, deadline }: Request): Promise<T | null> {
    // After an error the transaction cannot continue.
    for (let last = transaction !== undefined; ; last = true) {
      const known = this.#catalogue.known() ?? (await this.#know(deadline));
      try {
        return await ask(known);
      } catch (error) {
        if (hasCode(error, ...NO_SUCH_VALUE)) return null;
        if (!isChangedTable(error)) throw error;
        // Another request may have read the catalogue again already.
        this.#catalogue.forget(known);
        if (last) throw unavailable(error);
      }
    }
  }

  async #ask(
    { statement, values }: Asking,
    { model, statements }: Known,
    { transaction, deadline }: Request = {},
  ): Promise<U | null> {
    const ask = (knex: Knex): Promise<Answer> => runPrepared(knex, statement, values, this.#prepared);
    // A transaction already has a connection.
    const { rows, parsers } = await this.#asked(() =>
      transaction === undefined ? this.#share.run(() => ask(this.#knex), deadline) : ask(transaction),
    );
    const [row] = rows;
    return row === undefined
      ? null
      : this.#userClass(this.#rowOf(rowValues(row, statements.fields, parsers), model, deadline));
  }

  #rowOf({ pk, ...fields }: Record<string, unknown>, { keyType, settings }: UserModel, deadline?: Deadline): UserRow {
    const { password, last_login } = fields;
    return {
      id: keyValue(String(pk), keyType),
      pk: exactKey(String(pk), keyType),
      natural_key: String(fields[settings.USERNAME_FIELD] ?? ''),
      password: String(password),
      last_login: last_login instanceof Date ? last_login : null,
      fields,
      permissions: new Permissions(
        (holder) => this.#findPermissions(holder, this.#share.deadline(deadline)),
        this.#permissions,
      ),
    };
  }

  async #findPermissions(holder: Holder, deadline: Deadline): Promise<Found> {
    try {
      return await this.#asked(() => this.#permissions.find(holder, deadline));
    } catch (error) {
      if (!isChangedTable(error)) throw error;
      this.#catalogue.forget();
      throw unavailable(error);
    }
  }

  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof SchemaMismatch)) throw storeError(error);
      // Its sentence says what to set, and the application's error handler may not show the cause.
      throw new StoreUnavailable(error.message, { cause: error });
    }
  }
}

/** The transaction and the deadline of a statement. */
interface Request {
  readonly transaction?: Knex.Transaction | undefined;
  readonly deadline?: Deadline | undefined;
}

interface Asking {
  readonly statement: Statement;
  readonly values: readonly Parameter[];
}

const parameter = (value: Binding): Parameter =>
  typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;

function asValueError(error: unknown, { label, settings }: UserModel): unknown {
  const { column } = Object(error) as { readonly column?: unknown };
  if (hasCode(error, UNIQUE_VIOLATION)) {
    const field = settings.USERNAME_FIELD.replaceAll('_', ' ');
    return new ValueError(`A user with that ${field} already exists.`, { cause: error });
  }
  if (hasCode(error, TOO_LONG)) {
    return new ValueError(
      'A value is longer than its column: 150 characters for names, 254 for an email, 128 for a stored password.',
      { cause: error },
    );
  }
  if (hasCode(error, NOT_NULL)) {
    return new ValueError(
      `${label} requires a value for ${String(column)}: give it in \`fields\`, or create this user in Django.`,
      { cause: error },
    );
  }
  return error;
}
