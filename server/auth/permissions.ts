/** What users may do, from Django's own tables (django.contrib.auth.backends.ModelBackend and PermissionsMixin). */
import type { Found, Group, Holder } from './permission_lookup.js';

/** Whose permissions are asked for. */
export interface PermissionHolder {
  readonly pk: number | bigint | string;
  readonly is_superuser: boolean;
}

/**
 * One user's permissions in one request: asked for once, together with those of others who ask in the same tick, when
 * somebody first wants to know. Whoever asks anew at the next request sees what has changed, as in Django.
 */
export class Permissions {
  readonly #find: (holder: Holder) => Promise<Found>;
  readonly #source: object;
  #found: Promise<Found> | undefined;
  #all: ReadonlySet<string> | undefined;

  /**
   * @param find what asks the database; StoreUnavailable when it does not answer
   * @param source of the users, by identity: two tables may have the same key
   */
  constructor(find: (holder: Holder) => Promise<Found>, source: object) {
    this.#find = find;
    this.#source = source;
  }

  /** The one to go on with where both are of one user as stored at two moments: `other`, unless only this one was asked. */
  joined(other: Permissions): Permissions {
    const isOther = other.#source === this.#source && (other.#found !== undefined || this.#found === undefined);
    return isOther ? other : this;
  }

  async ofUser(user: PermissionHolder): Promise<ReadonlySet<string>> {
    return new Set((await this.#ask(user)).own);
  }

  async ofGroups(user: PermissionHolder): Promise<ReadonlySet<string>> {
    const { own, groups } = await this.#ask(user);
    // A superuser has every permission there is by his groups, too (ModelBackend._get_permissions).
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

  /** After a failure the next call asks again. */
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

/** A set of its own: those of groups are shared by all who are in them. */
function union(parts: readonly Pick<Group, 'permissions'>[]): ReadonlySet<string> {
  const all = new Set<string>();
  for (const { permissions } of parts) for (const name of permissions) all.add(name);
  return all;
}
