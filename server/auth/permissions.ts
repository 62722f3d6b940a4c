/** What users may do, from Django's own tables (django.contrib.auth.backends.ModelBackend and PermissionsMixin). */
import type { Knex } from 'knex';
import { quoteIdentifier } from '../db/literals.js';
import type { Between, Found, Group, Holder } from './permission_lookup.js';
import type { UserModel } from './user_model.js';

/** Whose permissions are asked for. */
export interface PermissionHolder {
  readonly pk: number | bigint | string;
  readonly is_superuser: boolean;
}

async function rowsOf<Row>(knex: Knex, sql: string, bindings: readonly (string | number)[]): Promise<readonly Row[]> {
  return ((await knex.raw(sql, [...bindings])) as { rows: Row[] }).rows;
}

/** Which of the model's tables has them (null where the model has no PermissionsMixin), and by which column they name the user: `user_id` for a model called User. */
export async function findBetween(knex: Knex, { tables }: Pick<UserModel, 'tables'>): Promise<Between | null> {
  for (const { oid } of tables) {
    const [row] = await rowsOf<{ schema: string; name: string; column: string | null }>(
      knex,
      `SELECT n.nspname AS schema, u.relname AS name,
              (SELECT a.attname FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
                WHERE k.contype = 'f' AND k.conrelid = g.oid AND k.confrelid = u.oid LIMIT 1) AS "column"
         FROM pg_class u JOIN pg_namespace n ON n.oid = u.relnamespace
         JOIN pg_class g ON g.relnamespace = u.relnamespace AND g.relname = u.relname || '_groups'
         JOIN pg_class p ON p.relnamespace = u.relnamespace AND p.relname = u.relname || '_user_permissions'
        WHERE u.oid = ?::oid`,
      [oid],
    );
    if (row === undefined || row.column === null) continue;
    const table = (suffix: string): string => `${quoteIdentifier(row.schema)}.${quoteIdentifier(row.name + suffix)}`;
    return { groups: table('_groups'), permissions: table('_user_permissions'), user: quoteIdentifier(row.column) };
  }
  return null;
}

/**
 * One user's permissions in one request: asked for once, together with those of others who ask in the same tick, when
 * somebody first wants to know. Whoever asks anew at the next request sees what has changed, as in Django.
 */
export class Permissions {
  readonly #find: (holder: Holder) => Promise<Found>;
  #found: Promise<Found> | undefined;
  #all: ReadonlySet<string> | undefined;

  /** @param find what asks the database; StoreUnavailable when it does not answer */
  constructor(find: (holder: Holder) => Promise<Found>) {
    this.#find = find;
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
