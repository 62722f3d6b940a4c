/** Users' permissions, from Django's tables (django.contrib.auth.backends.ModelBackend and PermissionsMixin). */
import type { Found, Group, Holder } from './permission_lookup.js';

/** The user whose permissions are looked up. */
export interface PermissionHolder {
  readonly pk: number | bigint | string;
  readonly is_superuser: boolean;
}

/**
 * One user's permissions in one request: looked up once, at the first check, together with other users of the same
 * tick. The next request sees changes, as in Django.
 */
export class Permissions {
  readonly #find: (holder: Holder) => Promise<Found>;
  readonly #source: object;
  #found: Promise<Found> | undefined;
  #all: ReadonlySet<string> | undefined;

  /**
   * @param find queries the database; StoreUnavailable when it does not respond
   * @param source of the users, by identity: two tables may have the same key
   */
  constructor(find: (holder: Holder) => Promise<Found>, source: object) {
    this.#find = find;
    this.#source = source;
  }

  /**
   * Which of two objects of one user, read at two times, to use further: `other`, unless only this one was looked up.
   */
  joined(other: Permissions): Permissions {
    const isOther = other.#source === this.#source && (other.#found !== undefined || this.#found === undefined);
    return isOther ? other : this;
  }

  async ofUser(user: PermissionHolder): Promise<ReadonlySet<string>> {
    return new Set((await this.#ask(user)).own);
  }

  async ofGroups(user: PermissionHolder): Promise<ReadonlySet<string>> {
    const { own, groups } = await this.#ask(user);
    // For a superuser, the group permissions are all permissions, too (ModelBackend._get_permissions).
    return user.is_superuser ? new Set(own) : union(groups);
  }

  async all(user: PermissionHolder): Promise<ReadonlySet<string>> {
    const { own, groups } = await this.#ask(user);
    this.#all ??= union([{ permissions: own }, ...groups]);
    return this.#all;
  }

  async groups(user: PermissionHolder): Promise<readonly string[]> {
    return (await this.#ask(user)).groups.map(({ name }) => name);
  }

  /** After a failure the next call tries again. */
  async #ask({ pk, is_superuser }: PermissionHolder): Promise<Found> {
    this.#found ??= this.#find({ key: String(pk), is_superuser });
    try {
      return await this.#found;
    } catch (error) {
      this.#found = undefined;
      throw error;
    }
  }
}

/** A copy, because the sets of groups are shared by their users. */
function union(parts: readonly Pick<Group, 'permissions'>[]): ReadonlySet<string> {
  const all = new Set<string>();
  for (const { permissions } of parts) for (const name of permissions) all.add(name);
  return all;
}
