/** Who may log in: the contract of an authentication backend, and Django's ModelBackend. */
import type { Context } from 'koa';
import type { Deadline } from '../db/deadline.js';
import { DEADLINE } from '../session/store.js';
import { check_password, type HasherOptions, harden_runtime, spendRuntime } from './hashers.js';
import type { BaseUser, User } from './user.js';
import type { UserTable } from './users.js';

/** What a visitor claims to be known by; a backend of one's own names its own. */
export interface Credentials {
  readonly username?: string | null | undefined;
  readonly password?: string | null | undefined;
  readonly [name: string]: unknown;
}

/** One of Django's AUTHENTICATION_BACKENDS. What its ids look like, it alone knows. */
export interface AuthenticationBackend<U extends BaseUser = User> {
  /** Django's dotted path, which sessions hold under `_auth_user_backend`. Both sides must use the same. */
  readonly path: string;
  /**
   * The user whom these credentials prove; null or undefined: ask the next backend. PermissionDenied: ask nobody else.
   * @param ctx for credentials that are not in a form: a header, a client's certificate
   */
  authenticate(credentials: Credentials, ctx: Context): Promise<U | null | undefined>;
  /**
   * The user of a session; null when there is none any more, when they may not log in now, or when that is no id.
   * @param deadline of the request, for whoever asks the database
   */
  get_user(user_id: string, deadline?: Deadline): Promise<U | null | undefined>;
  /**
   * Note the time of a login (Django does it on the signal user_logged_in).
   * @param transaction that the session's row is written in, where the store of sessions has the same `database`
   * @param deadline of the request, for whoever asks the database
   * @returns the user as stored now; without one, the user who logged in is taken as is
   */
  update_last_login?(user: U, at: Date, transaction?: object, deadline?: Deadline): Promise<U | null | undefined>;
  /**
   * What the users are kept in: UserTable's knex instance. Where sessions have the same, a login is one commit. A backend
   * whose `update_last_login` does not write on the `transaction` that it is given leaves this undefined.
   */
  readonly database?: object | undefined;
}

/**
 * `django.contrib.auth.backends.ModelBackend`: name and password of the users' table.
 *
 * ```ts
 * const users = new UserTable(knex, { settings });
 * app.use(authentication(app, { settings, backends: [new ModelBackend(users)] }));
 * ```
 */
export class ModelBackend<U extends User = User> implements AuthenticationBackend<U> {
  readonly path: string = 'django.contrib.auth.backends.ModelBackend';
  readonly #users: UserTable<U>;
  readonly #hashers: HasherOptions;

  /** @param options.hashers which hashes verify; the first is the one whose time every failure takes */
  constructor(users: UserTable<U>, options: HasherOptions = {}) {
    this.#users = users;
    this.#hashers = options;
  }

  /**
   * An unknown name, a wrong password, an inactive account, an unusable password and a weaker hash end alike and take
   * the time of one check at the default strength.
   *
   * @param credentials `password`, and `username` or what USERNAME_FIELD is called: `{ email, password }`
   */
  async authenticate(credentials: Credentials, ctx?: Context): Promise<U | null> {
    const { username = credentials[this.#users.username_field], password } = credentials;
    if (typeof username !== 'string' || typeof password !== 'string') return null;
    const user = await this.#users.get_by_natural_key(username, ctx?.session?.[DEADLINE]);
    if (user === null) {
      await spendRuntime(this.#hashers);
      return null;
    }
    if (!(await check_password(password, user.password, this.#hashers))) return null;
    if (this.user_can_authenticate(user)) return user;
    await harden_runtime(password, user.password, this.#hashers);
    return null;
  }

  async get_user(user_id: string, deadline?: Deadline): Promise<U | null> {
    const user = await this.#users.get_by_id(user_id, deadline);
    return user !== null && this.user_can_authenticate(user) ? user : null;
  }

  update_last_login(user: U, at: Date, transaction?: object, deadline?: Deadline): Promise<U | null> {
    return this.#users.update_last_login(user.id, at, transaction, deadline);
  }

  get database(): object {
    return this.#users.database;
  }

  /** Override it to let inactive users in, as Django's AllowAllUsersModelBackend does. */
  protected user_can_authenticate(user: U): boolean {
    return user.is_active;
  }
}
