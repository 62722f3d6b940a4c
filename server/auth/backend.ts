/** The interface of an authentication backend, and Django's ModelBackend. */
import type { Context } from 'koa';
import type { Deadline } from '../db/deadline.js';
import { ImproperlyConfigured } from '../errors.js';
import type { AnyContext } from '../http/application.js';
import { requestDeadline } from '../session/request_deadline.js';
import { check_password, type HasherOptions, harden_runtime, spendRuntime } from './hashers.js';
import type { BaseUser, User } from './user.js';
import type { UserTable } from './users.js';

/** A visitor's credentials; a custom backend defines its own. */
export interface Credentials {
  readonly username?: string | null | undefined;
  readonly password?: string | null | undefined;
  readonly [name: string]: unknown;
}

/** One of Django's AUTHENTICATION_BACKENDS. User ids are opaque to everyone else. */
export interface AuthenticationBackend<U extends BaseUser = User> {
  /** Django's dotted path, stored in sessions as `_auth_user_backend`. Both sides must use the same. */
  readonly path: string;
  /**
   * The user with these credentials; null or undefined: try the next backend. PermissionDenied: try no other.
   * @param ctx for credentials outside of a form: a header, a client certificate
   */
  authenticate(credentials: Credentials, ctx: Context): Promise<U | null | undefined>;
  /**
   * The user of a session; null for a deleted user, one who may not log in, or an invalid id.
   * @param deadline of the request, for database queries
   */
  get_user(user_id: string, deadline?: Deadline): Promise<U | null | undefined>;
  /**
   * Store the time of a login (in Django a receiver of user_logged_in does it).
   * @param transaction in which the session's row is written, if the session store has the same `database`
   * @param deadline of the request, for database queries
   * @returns the user as stored now; if undefined, the given user is used
   */
  update_last_login?(user: U, at: Date, transaction?: object, deadline?: Deadline): Promise<U | null | undefined>;
  /**
   * The database of the users: UserTable's knex instance. If sessions have the same, a login is one commit. Leave it
   * undefined if `update_last_login` does not use its `transaction`.
   */
  readonly database?: object | undefined;
}

/**
 * `django.contrib.auth.backends.ModelBackend`: checks name and password in the users' table.
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

  /** @param options.hashers the accepted hashers; every failure takes the time of the first one */
  constructor(users: UserTable<U>, options: HasherOptions = {}) {
    if (typeof users?.get_by_natural_key !== 'function') {
      throw new ImproperlyConfigured('new ModelBackend() needs the users: new UserTable(knex, { settings }).');
    }
    this.#users = users;
    this.#hashers = options;
  }

  /**
   * An unknown name, a wrong password, an inactive account, an unusable password and a weaker hash give the same result
   * and take the time of one check of the first hasher.
   *
   * @param credentials `password`, and `username` or the name of the USERNAME_FIELD: `{ email, password }`
   */
  async authenticate(credentials: Credentials, ctx?: AnyContext): Promise<U | null> {
    const { username = credentials[this.#users.username_field], password } = credentials;
    if (typeof username !== 'string' || typeof password !== 'string') return null;
    const deadline = ctx === undefined ? undefined : requestDeadline(ctx);
    const user = await this.#users.get_by_natural_key(username, deadline);
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

  /** Override it to accept inactive users, like Django's AllowAllUsersModelBackend. */
  protected user_can_authenticate(user: U): boolean {
    return user.is_active;
  }
}
