/** Looks permissions up by the keys of users: those of one tick share a prepared statement. */
import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { type BatchAnswers, type BatchCall, Batcher } from '../db/batcher.js';
import type { Deadline } from '../db/deadline.js';
import { expectedOnce } from '../db/expected_once.js';
import { runPrepared, type Statement } from '../db/prepared.js';
import type { PermissionTables } from './permission_tables.js';
import type { KeyType } from './user_key.js';

const NONE: ReadonlySet<string> = new Set();

/** A user's key from `parseUserKey`, and `is_superuser` of the row. */
export interface Holder {
  readonly key: string;
  readonly is_superuser: boolean;
}

export interface Group {
  readonly name: string;
  readonly permissions: ReadonlySet<string>;
}

/** The permissions of one user; users of one lookup share the sets of their groups. */
export interface Found {
  /** The user's own; for a superuser all existing ones. */
  readonly own: ReadonlySet<string>;
  /** By their ids. */
  readonly groups: readonly Group[];
}

/**
 * `$1`: the keys of users; `$2`: whether to return all permissions, for a superuser among them. A row is one of these:
 *
 * | holder | group_id | found                                                            |
 * |--------|----------|------------------------------------------------------------------|
 * | key    | NULL     | the user's own permissions                                       |
 * | key    | id       | the name of a group of the user                                  |
 * | NULL   | id       | the permissions of a group; one row for all users of the group   |
 * | NULL   | NULL     | all permissions                                                  |
 *
 * Permissions are a JSON list: a row for each takes ten times the CPU of this process, where a group has a hundred.
 */
export function permissionStatement(tables: PermissionTables, keyType: KeyType): Statement {
  const { groups, permissions, user, auth_group, auth_group_permissions, auth_permission, django_content_type } =
    tables;
  const keys = `${keyType}[]`;
  const names = `SELECT holder, group_id, json_agg(t.app_label || '.' || p.codename)::text AS found`;
  const types = `JOIN ${django_content_type} t ON t.id = p.content_type_id`;
  // The names of permissions are joined once, to the users' own and those of groups together: each node of a plan costs
  // PostgreSQL time, also where it returns a few rows.
  const text = `
    WITH asked AS MATERIALIZED (
      SELECT key FROM unnest($1::${keys}) AS given (key) WHERE ${expectedOnce('key')}
    ), member AS MATERIALIZED (
      SELECT ug.${user}::text AS holder, g.id AS group_id, g.name
        FROM asked JOIN ${groups} ug ON ug.${user} = asked.key JOIN ${auth_group} g ON g.id = ug.group_id
    ), granted AS (
      SELECT up.${user}::text AS holder, NULL::bigint AS group_id, up.permission_id
        FROM asked JOIN ${permissions} up ON up.${user} = asked.key
      UNION ALL
      SELECT NULL, gp.group_id, gp.permission_id
        FROM ${auth_group_permissions} gp WHERE gp.group_id IN (SELECT group_id FROM member)
    )
    ${names} FROM granted JOIN ${auth_permission} p ON p.id = granted.permission_id ${types} GROUP BY holder, group_id
    UNION ALL
    SELECT holder, group_id, name FROM member
    UNION ALL
    ${names} FROM (SELECT NULL::text AS holder, NULL::bigint AS group_id WHERE $2::boolean) AS anybody, ${auth_permission} p ${types}
     GROUP BY holder, group_id
    ORDER BY group_id`;
  // One name has one text.
  return { name: `permissions_${createHash('sha256').update(text).digest('hex').slice(0, 12)}`, text };
}

export class PermissionLookup {
  readonly #knex: Knex;
  readonly #statement: () => Promise<Statement | null>;
  readonly #prepared: boolean;
  readonly #batcher = new Batcher<Holder, Found>((calls) => this.#findMany(calls), { shared: true });

  /**
   * @param statement for the current tables; null if the model has no permissions
   * @param prepared false to send the text each time, for a pgbouncer that keeps no prepared statements
   */
  constructor(knex: Knex, statement: () => Promise<Statement | null>, prepared: boolean) {
    this.#knex = knex;
    this.#statement = statement;
    this.#prepared = prepared;
  }

  /** @throws what PostgreSQL says of the tables; StoreUnavailable at the deadline */
  find(holder: Holder, deadline: Deadline): Promise<Found> {
    return this.#batcher.call({ key: `${holder.key} ${holder.is_superuser}`, input: holder }, deadline);
  }

  async #findMany(calls: readonly BatchCall<Holder>[]): Promise<BatchAnswers<Found>> {
    const statement = await this.#statement();
    const holders = calls.map(({ input }) => input);
    if (statement === null) return holders.map(() => ({ own: NONE, groups: [] }));
    const values = [holders.map(({ key }) => key), String(holders.some(({ is_superuser }) => is_superuser))];
    const { rows } = await runPrepared(this.#knex, statement, values, this.#prepared);
    const owned = new Map<string, ReadonlySet<string>>();
    const ofGroups = new Map<string, ReadonlySet<string>>();
    let all = NONE;
    for (const [holder = null, group = null, found] of rows) {
      if (holder !== null && group !== null) continue;
      const names: ReadonlySet<string> = new Set(JSON.parse(found ?? '[]') as string[]);
      if (holder !== null) owned.set(holder, names);
      else if (group !== null) ofGroups.set(group, names);
      else all = names;
    }
    const memberships = new Map<string, Group[]>();
    for (const [holder = null, group = null, name] of rows) {
      if (holder === null || group === null) continue;
      const groups = memberships.get(holder) ?? [];
      groups.push({ name: String(name), permissions: ofGroups.get(group) ?? NONE });
      memberships.set(holder, groups);
    }
    return holders.map(({ key, is_superuser }) => ({
      own: is_superuser ? all : (owned.get(key) ?? NONE),
      groups: memberships.get(key) ?? [],
    }));
  }
}
