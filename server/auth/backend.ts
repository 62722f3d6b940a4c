/** Who may log in: the contract of an authentication backend, and Django's ModelBackend. */
import type { Deadline } from '../db/deadline.js';
import { check_password, type HasherOptions, harden_runtime, spend_runtime } from './hashers.js';
import type { User, UserTable } from './users.js';

export interface Credentials {
  readonly username?: string | null;
  readonly password?: string | null;
}

/** One of Django's AUTHENTICATION_BACKENDS. */
export interface AuthenticationBackend {
  /** Django's dotted path, which sessions hold under `_auth_user_backend`. Both sides must use the same. */
  readonly path: string;
  /** The user whom these credentials prove; null: ask the next backend. PermissionDenied: ask nobody else. */
  authenticate(credentials: Credentials): Promise<User | null>;
  /** The user of a session; null when there is none any more or they may not log in now. */
  get_user(user_id: string, deadline?: Deadline): Promise<User | null>;
  /**
   * Note the time of a login (Django does it on the signal user_logged_in).
   * @param transaction that the session's row is written in, where the store of sessions has the same `database`
   * @returns the user as stored now
   */
  update_last_login?(user: User, at: Date, transaction?: object): Promise<User | null>;
  /**
   * What the users are kept in: UserTable's knex instance. Where sessions have the same, a login is one commit. A backend
   * whose `update_last_login` does not write on the `transaction` that it is given leaves this undefined.
   */
  readonly database?: object | undefined;
}

/** `django.contrib.auth.backends.ModelBackend`: name and password of auth_user. */
export class ModelBackend implements AuthenticationBackend {
  readonly path: string = 'django.contrib.auth.backends.ModelBackend';
  readonly #users: UserTable;
  readonly #hashers: HasherOptions;

  /** @param options.hashers which hashes verify; the first is the one whose time every failure takes */
  constructor(users: UserTable, options: HasherOptions = {}) {
    this.#users = users;
    this.#hashers = options;
  }

  /**
   * An unknown name, a wrong password, an inactive account, an unusable password and a weaker hash end alike and take
   * the time of one check at the default strength.
   */
  async authenticate({ username, password }: Credentials): Promise<User | null> {
    if (typeof username !== 'string' || typeof password !== 'string') return null;
    const user = await this.#users.get_by_natural_key(username);
    if (user === null) {
      await spend_runtime(this.#hashers);
      return null;
    }
    if (!(await check_password(password, user.password, this.#hashers))) return null;
    if (this.user_can_authenticate(user)) return user;
    await harden_runtime(password, user.password, this.#hashers);
    return null;
  }

  async get_user(user_id: string, deadline?: Deadline): Promise<User | null> {
    const user = await this.#users.get_by_id(user_id, deadline);
    return user !== null && this.user_can_authenticate(user) ? user : null;
  }

  update_last_login(user: User, at: Date, transaction?: object): Promise<User | null> {
    return this.#users.update_last_login(user.id, at, transaction);
  }

  get database(): object {
    return this.#users.database;
  }

  /** Override it to let inactive users in, as Django's AllowAllUsersModelBackend does. */
  protected user_can_authenticate(user: User): boolean {
    return user.is_active;
  }
}
