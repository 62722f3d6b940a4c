/** What users may do, from Django's own tables (django.contrib.auth.backends.ModelBackend and PermissionsMixin). */
import type { Knex } from 'knex';
import { isUnavailable, unavailable } from '../db/unavailable.js';
import { isChangedTable, quoteName, type UserModel } from './user_model.js';

/** Whose permissions are asked for. */
export interface PermissionHolder {
  readonly id: string | number;
  readonly is_superuser: boolean;
}

interface Found {
  readonly user: ReadonlySet<string>;
  readonly group: ReadonlySet<string>;
  readonly groups: readonly string[];
}

/** The tables between users and groups, and users and permissions; absent where the model has no PermissionsMixin. */
interface Between {
  readonly groups: string;
  readonly permissions: string;
  readonly user: string;
}

async function rowsOf<Row>(knex: Knex, sql: string, bindings: readonly (string | number)[]): Promise<readonly Row[]> {
  return ((await knex.raw(sql, [...bindings])) as { rows: Row[] }).rows;
}

/** Which of the model's tables has them, and by which column they name the user: `user_id` for a model called User. */
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
    const table = (suffix: string): string => `${quoteName(row.schema)}.${quoteName(row.name + suffix)}`;
    return { groups: table('_groups'), permissions: table('_user_permissions'), user: quoteName(row.column) };
  }
  return null;
}

const NOTHING: Found = { user: new Set(), group: new Set(), groups: [] };

/**
 * One user's permissions in one request: asked for once, in one statement, when somebody first wants to know. Whoever
 * asks anew at the next request sees what has changed, as in Django.
 */
export class Permissions {
  readonly #knex: Knex;
  readonly #between: () => Promise<Between | null>;
  #found: Promise<Found> | undefined;

  constructor(knex: Knex, between: () => Promise<Between | null>) {
    this.#knex = knex;
    this.#between = between;
  }

  async ofUser(user: PermissionHolder): Promise<ReadonlySet<string>> {
    return (await this.#ask(user)).user;
  }

  async ofGroups(user: PermissionHolder): Promise<ReadonlySet<string>> {
    return (await this.#ask(user)).group;
  }

  async all(user: PermissionHolder): Promise<ReadonlySet<string>> {
    const { user: own, group } = await this.#ask(user);
    return new Set([...own, ...group]);
  }

  async groups(user: PermissionHolder): Promise<readonly string[]> {
    return (await this.#ask(user)).groups;
  }

  /** @throws StoreUnavailable when the database does not answer, or has other tables now; the next call asks again */
  async #ask(user: PermissionHolder): Promise<Found> {
    this.#found ??= this.#query(user);
    try {
      return await this.#found;
    } catch (error) {
      this.#found = undefined;
      throw isUnavailable(error) || isChangedTable(error) ? unavailable(error) : error;
    }
  }

  async #query({ id, is_superuser }: PermissionHolder): Promise<Found> {
    const between = await this.#between();
    if (between === null) return NOTHING;
    const { groups, permissions, user } = between;
    // A superuser has every permission there is, by himself and by his groups (ModelBackend._get_permissions).
    const named = `SELECT 'user' AS source, t.app_label || '.' || p.codename AS name, 0 AS place
         FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id`;
    const sql = is_superuser
      ? `${named} UNION ALL SELECT 'name', g.name, g.id FROM ${groups} ug JOIN auth_group g ON g.id = ug.group_id
          WHERE ug.${user} = ? ORDER BY place`
      : `${named} JOIN ${permissions} up ON up.permission_id = p.id WHERE up.${user} = ?
         UNION ALL
         SELECT 'group', t.app_label || '.' || p.codename, 0
           FROM ${groups} ug JOIN auth_group_permissions gp ON gp.group_id = ug.group_id
           JOIN auth_permission p ON p.id = gp.permission_id JOIN django_content_type t ON t.id = p.content_type_id
          WHERE ug.${user} = ?
         UNION ALL
         SELECT 'name', g.name, g.id FROM ${groups} ug JOIN auth_group g ON g.id = ug.group_id WHERE ug.${user} = ?
         ORDER BY place`;
    const found = await rowsOf<{ source: 'user' | 'group' | 'name'; name: string }>(
      this.#knex,
      sql,
      is_superuser ? [id] : [id, id, id],
    );
    const of = (source: string): string[] => found.filter((row) => row.source === source).map(({ name }) => name);
    const own = new Set(of('user'));
    return { user: own, group: is_superuser ? own : new Set(of('group')), groups: of('name') };
  }
}
