/** Who `ctx.request.user` is: somebody with an account, or nobody (django.contrib.auth.models). */
import { ValueError } from '../errors.js';
import type { Permissions } from './permissions.js';

/** What every user has, whatever the class (AbstractBaseUser). A backend of one's own may give users of its own. */
export interface BaseUser {
  readonly is_authenticated: true;
  /** `String(id)` is what sessions hold, and what the backend is asked for. */
  readonly id: string | number | bigint;
  /** As stored; every session of the user ends when it changes. Never shown. */
  readonly password: string;
  /** What the user logs in with: the value of USERNAME_FIELD. */
  get_username(): string;
}

/**
 * The class of an application's users, for `ctx.user` everywhere:
 *
 * ```ts
 * declare module 'koa-django-session' {
 *   interface Register { user: Member }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications merge into it
export interface Register {}

/** The registered class; `User` where none is. */
export type RegisteredUser = Register extends { readonly user: infer U extends BaseUser } ? U : User;

/** Whom a request is from. `is_authenticated` tells which. */
export type CurrentUser<U extends BaseUser = RegisteredUser> = U | AnonymousUser;

/** A row of the users' table. A field that the model does not have is given as Django's default. */
export interface UserRow {
  readonly id: number | string;
  /** The same as Django's `user.pk`; `id` when absent. */
  readonly pk?: number | bigint | string;
  /** The value of USERNAME_FIELD. */
  readonly natural_key: string;
  /** As stored: algorithm, parameters, salt and hash. */
  readonly password: string;
  readonly last_login: Date | null;
  /** Every column of the table by its field's name. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly permissions?: Permissions;
}

/**
 * What was asked of a user's permissions is not asked again when a login or a new password puts the user as stored now in
 * the place of this one; Django changes its one object. Nothing is kept of another user, or of one who became a superuser.
 */
export let keepPermissions: (former: object | undefined, user: object) => void;

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/**
 * Somebody who has an account. A user model of one's own extends it:
 *
 * ```ts
 * class Member extends User {
 *   readonly company = String(this.field('company'));
 * }
 * const users = new UserTable(knex, { settings, userClass: Member });
 * ```
 */
export class User implements BaseUser {
  readonly is_authenticated = true;
  readonly is_anonymous = false;
  /** A number where JavaScript holds it exactly, otherwise text. */
  readonly id: number | string;
  readonly username: string;
  readonly first_name: string;
  readonly last_name: string;
  readonly email: string;
  readonly is_active: boolean;
  readonly is_staff: boolean;
  readonly is_superuser: boolean;
  readonly last_login: Date | null;
  readonly date_joined: Date | null;
  // Private, so that a user written to a log or as JSON does not show them.
  readonly #row: UserRow;
  #permissions: Permissions | undefined;

  static {
    keepPermissions = (former, user) => {
      if (!(former instanceof User && user instanceof User)) return;
      if (former.pk !== user.pk || former.is_superuser !== user.is_superuser) return;
      const [known, own] = [former.#permissions, user.#permissions];
      if (known !== undefined) user.#permissions = own?.joined(known);
    };
  }

  constructor(row: UserRow) {
    const { fields } = row;
    this.id = row.id;
    this.username = 'username' in fields ? textOf(fields['username']) : row.natural_key;
    this.first_name = textOf(fields['first_name']);
    this.last_name = textOf(fields['last_name']);
    this.email = textOf(fields['email']);
    // AbstractBaseUser.is_active is True where a model has no such field.
    this.is_active = fields['is_active'] !== false;
    this.is_staff = fields['is_staff'] === true;
    this.is_superuser = fields['is_superuser'] === true;
    this.last_login = row.last_login;
    this.date_joined = fields['date_joined'] instanceof Date ? fields['date_joined'] : null;
    this.#row = row;
    this.#permissions = row.permissions;
  }

  /** Django's `user.pk`: `id`, but a bigint where that is text because JavaScript's numbers do not hold it. */
  get pk(): number | bigint | string {
    return this.#row.pk ?? this.id;
  }

  /** As stored: algorithm, parameters, salt and hash. */
  get password(): string {
    return this.#row.password;
  }

  /** The path of the backend that vouched for this user; null for one whom neither `authenticate` nor `login` gave. */
  get backend(): string | null {
    return backendOf(this);
  }

  /** The value of USERNAME_FIELD. */
  get_username(): string {
    return this.#row.natural_key;
  }

  /** First and last name with a space between, without spaces around; empty where there are none. */
  get_full_name(): string {
    return `${this.first_name} ${this.last_name}`.trim();
  }

  /** The first name; empty where there is none. */
  get_short_name(): string {
    return this.first_name;
  }

  /** A column of the users' table by its field's name, as pg gives it; undefined where there is none. */
  protected field(name: string): unknown {
    const { fields } = this.#row;
    return Object.hasOwn(fields, name) ? fields[name] : undefined;
  }

  /** Whether the user may do this: `'shop.change_good'`. Inactive users may nothing, superusers everything. */
  async has_perm(perm: string): Promise<boolean> {
    return this.is_active && (this.is_superuser || (await this.get_all_permissions()).has(perm));
  }

  /** Whether the user may do all of this. @throws ValueError for a text, which would be taken for its letters */
  async has_perms(perms: Iterable<string>): Promise<boolean> {
    if (typeof perms === 'string') throw new ValueError('perm_list must be an iterable of permissions.');
    for (const perm of perms) if (!(await this.has_perm(perm))) return false;
    return true;
  }

  /** Whether the user may do anything in this app. */
  async has_module_perms(app_label: string): Promise<boolean> {
    if (!this.is_active) return false;
    if (this.is_superuser) return true;
    for (const perm of await this.get_all_permissions()) if (perm.startsWith(`${app_label}.`)) return true;
    return false;
  }

  /** The user's own permissions, without those of groups. */
  async get_user_permissions(): Promise<ReadonlySet<string>> {
    return this.is_active ? this.#known().ofUser(this) : new Set();
  }

  /** The permissions of the user's groups. */
  async get_group_permissions(): Promise<ReadonlySet<string>> {
    return this.is_active ? this.#known().ofGroups(this) : new Set();
  }

  /** What the user may do by groups and by permissions of their own, as `app_label.codename`; all of it for a superuser. */
  async get_all_permissions(): Promise<ReadonlySet<string>> {
    return this.is_active ? this.#known().all(this) : new Set();
  }

  /** The names of the user's groups, in their order. */
  groups(): Promise<readonly string[]> {
    return this.#known().groups(this);
  }

  #known(): Permissions {
    if (this.#permissions === undefined) {
      throw new TypeError('This user was not read from a UserTable, so nothing is known of permissions.');
    }
    return this.#permissions;
  }
}

const NONE: ReadonlySet<string> = new Set();

/**
 * Nobody: what `ctx.request.user` is until a login.
 *
 * ```ts
 * if (!ctx.user.is_authenticated) ctx.body = 'Hello, stranger.'; // ctx.user is an AnonymousUser
 * ```
 */
export class AnonymousUser {
  readonly is_authenticated = false;
  readonly is_anonymous = true;
  readonly id = null;
  readonly username = '';
  readonly is_active = false;
  readonly is_staff = false;
  readonly is_superuser = false;

  /** Always the empty text. */
  get_username(): string {
    return this.username;
  }

  /** Always false. */
  async has_perm(_perm: string): Promise<boolean> {
    return false;
  }

  /** Whether none was asked for, as in Django. */
  async has_perms(perms: Iterable<string>): Promise<boolean> {
    return [...perms].length === 0;
  }

  /** Always false. */
  async has_module_perms(_app_label: string): Promise<boolean> {
    return false;
  }

  /** Always empty. */
  async get_user_permissions(): Promise<ReadonlySet<string>> {
    return NONE;
  }

  /** Always empty. */
  async get_group_permissions(): Promise<ReadonlySet<string>> {
    return NONE;
  }

  /** Always empty. */
  async get_all_permissions(): Promise<ReadonlySet<string>> {
    return NONE;
  }

  /** Always empty. */
  async groups(): Promise<readonly string[]> {
    return [];
  }
}

const vouched = new WeakMap<object, string>();

/** The path of the backend that vouched for a user, of whatever class; null where nobody asked one. */
export function backendOf(user: object): string | null {
  return vouched.get(user) ?? null;
}

/** Note who vouched, beside the user: the object is the backend's own, and may be frozen. */
export function vouchFor<U extends object>(user: U, path: string): U {
  vouched.set(user, path);
  return user;
}
