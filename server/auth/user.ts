/** The classes of `ctx.request.user`: User and AnonymousUser (django.contrib.auth.models). */
import { ImproperlyConfigured, ValueError } from '../errors.js';
import type { Permissions } from './permissions.js';

/** The members of every class of users (AbstractBaseUser). A custom backend may return another class. */
export interface BaseUser {
  readonly is_authenticated: true;
  /** Sessions store `String(id)`, and pass it to the backend. */
  readonly id: string | number | bigint;
  /** As stored; a change ends every session of the user. Never displayed. */
  readonly password: string;
  /** The value of USERNAME_FIELD, with which the user logs in. */
  get_username(): string;
  /**
   * What ties a session to the user, where Django's model overrides its method of this name; otherwise a hash of `password`.
   * @param secret SECRET_KEY, or one of its fallbacks
   */
  get_session_auth_hash?(secret: string): string;
}

/**
 * Declare the class of your users for `ctx.user` here:
 *
 * ```ts
 * declare module 'koa-django-session' {
 *   interface Register { user: Member }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications merge into it
export interface Register {}

/** The registered class; by default `User`. */
export type RegisteredUser = Register extends { readonly user: infer U extends BaseUser } ? U : User;

/** The user of a request. `is_authenticated` distinguishes them. */
export type CurrentUser<U extends BaseUser = RegisteredUser> = U | AnonymousUser;

/** A row of the users' table. Fields that the model does not have are Django's defaults. */
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
 * Reuse the cached permissions when a login or a new password replaces this object by the user as stored now; Django
 * changes its single object. Nothing is reused for another user, or for one who became a superuser.
 */
export let keepPermissions: (former: object | undefined, user: object) => void;

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/**
 * A user with an account. Extend it for a custom user model:
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
  /** A number if JavaScript can represent it exactly, otherwise a string. */
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
  // Private, so that logs and JSON of a user do not contain them.
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
    // AbstractBaseUser.is_active is True for models without such a field.
    this.is_active = fields['is_active'] !== false;
    this.is_staff = fields['is_staff'] === true;
    this.is_superuser = fields['is_superuser'] === true;
    this.last_login = row.last_login;
    this.date_joined = fields['date_joined'] instanceof Date ? fields['date_joined'] : null;
    this.#row = row;
    this.#permissions = row.permissions;
  }

  /** Django's `user.pk`: equal to `id`, but a bigint for integers that JavaScript numbers cannot represent. */
  get pk(): number | bigint | string {
    return this.#row.pk ?? this.id;
  }

  /** As stored: algorithm, parameters, salt and hash. */
  get password(): string {
    return this.#row.password;
  }

  /** The path of the user's backend; null if the user is not from `authenticate` or `login`. */
  get backend(): string | null {
    return backendOf(this);
  }

  /** The value of USERNAME_FIELD. */
  get_username(): string {
    return this.#row.natural_key;
  }

  /** The value of USERNAME_FIELD, as Django's templates print a user. */
  toString(): string {
    return this.get_username();
  }

  /** First and last name, separated by a space and trimmed; may be empty. */
  get_full_name(): string {
    return `${this.first_name} ${this.last_name}`.trim();
  }

  /** The first name; may be empty. */
  get_short_name(): string {
    return this.first_name;
  }

  /** A column of the users' table by its field's name, as returned by pg; undefined if there is none. */
  protected field(name: string): unknown {
    const { fields } = this.#row;
    return Object.hasOwn(fields, name) ? fields[name] : undefined;
  }

  /**
   * Whether the user has this permission, such as `'shop.change_good'`. Inactive users have none, superusers all. Await it, also
   * for templates: the promise counts as true.
   * @param obj for one object, as in Django, whose ModelBackend gives permissions for none
   */
  async has_perm(perm: string, obj?: unknown): Promise<boolean> {
    return this.is_active && (this.is_superuser || (await this.get_all_permissions(obj)).has(perm));
  }

  /**
   * Whether the user has all of these permissions. @throws ValueError for a string, which would be iterated by
   * characters
   */
  async has_perms(perms: Iterable<string>, obj?: unknown): Promise<boolean> {
    if (typeof perms === 'string') throw new ValueError('perm_list must be an iterable of permissions.');
    for (const perm of perms) if (!(await this.has_perm(perm, obj))) return false;
    return true;
  }

  /** Whether the user has any permission in this app. */
  async has_module_perms(app_label: string): Promise<boolean> {
    if (!this.is_active) return false;
    if (this.is_superuser) return true;
    for (const perm of await this.get_all_permissions()) if (perm.startsWith(`${app_label}.`)) return true;
    return false;
  }

  /** The user's own permissions, without those of groups. @param obj see `has_perm` */
  async get_user_permissions(obj?: unknown): Promise<ReadonlySet<string>> {
    return this.#hasAny(obj) ? this.#known().ofUser(this) : new Set();
  }

  /** The permissions of the user's groups. @param obj see `has_perm` */
  async get_group_permissions(obj?: unknown): Promise<ReadonlySet<string>> {
    return this.#hasAny(obj) ? this.#known().ofGroups(this) : new Set();
  }

  /**
   * The permissions of the user and of their groups, as `app_label.codename`; all of them for a superuser.
   * @param obj see `has_perm`
   */
  async get_all_permissions(obj?: unknown): Promise<ReadonlySet<string>> {
    return this.#hasAny(obj) ? this.#known().all(this) : new Set();
  }

  /** ModelBackend: inactive users have no permissions, and nobody has any for an object. */
  #hasAny(obj: unknown): boolean {
    return this.is_active && (obj === undefined || obj === null);
  }

  /** The names of the user's groups, in their order. */
  groups(): Promise<readonly string[]> {
    return this.#known().groups(this);
  }

  #known(): Permissions {
    if (this.#permissions === undefined) {
      throw new TypeError('This user was not read from a UserTable, so its permissions are unknown.');
    }
    return this.#permissions;
  }
}

const NONE: ReadonlySet<string> = new Set();

/**
 * The anonymous user: `ctx.request.user` before a login.
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

  /** As Django's templates print it. */
  toString(): string {
    return 'AnonymousUser';
  }

  /** Always false. */
  async has_perm(_perm: string): Promise<boolean> {
    return false;
  }

  /** True for an empty list, as in Django. */
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

/** The fields that each User has of its own, so that a getter of a subclass would never be asked. */
const OWN_FIELDS = [
  'id',
  'username',
  'first_name',
  'last_name',
  'email',
  'is_active',
  'is_staff',
  'is_superuser',
  'last_login',
  'date_joined',
  'is_authenticated',
  'is_anonymous',
] as const;

/** @throws ImproperlyConfigured for what is no class, and for a getter or method that a field of User hides */
export function checkUserClass(userClass: unknown): void {
  if (typeof userClass !== 'function' || typeof userClass.prototype !== 'object') {
    throw new ImproperlyConfigured('`userClass` of a UserTable is a class.');
  }
  for (let proto: object | null = userClass.prototype; proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (proto === User.prototype) return;
    const hidden = OWN_FIELDS.find((name) => Object.hasOwn(proto as object, name));
    if (hidden === undefined) continue;
    throw new ImproperlyConfigured(
      `${userClass.name}.${hidden} is a getter or a method, which is never asked, because User has a field of this name. Write a field: \`${hidden} = …;\``,
    );
  }
}

const vouched = new WeakMap<object, string>();

/** The path of the backend of a user of any class; null if not authenticated by one. */
export function backendOf(user: object): string | null {
  return vouched.get(user) ?? null;
}

/** Store the backend of a user outside the object, which belongs to the backend and may be frozen. */
export function vouchFor<U extends object>(user: U, path: string): U {
  vouched.set(user, path);
  return user;
}
