/** Looks permissions up by the keys of users: those of one tick share a prepared statement. */
import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { type BatchAnswers, type BatchCall, Batcher } from '../db/batcher.js';
import type { Deadline } from '../db/deadline.js';
import { runPrepared, type Statement } from '../db/prepared.js';
import type { PermissionTables } from './permission_tables.js';
import type { KeyType } from './user_key.js';

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
 * `$1`: the keys of users; `$2`: whether to return all permissions, for a superuser among them. A group's permissions
 * are returned once, for all of its users.
 */
export function permissionStatement(tables: PermissionTables, keyType: KeyType): Statement {
  const { groups, permissions, user, auth_group, auth_group_permissions, auth_permission, django_content_type } =
    tables;
  const name = `t.app_label || '.' || p.codename`;
  const types = `JOIN ${django_content_type} t ON t.id = p.content_type_id`;
  const text = `
    WITH member AS MATERIALIZED (
      SELECT ug.${user}::text AS holder, g.id, g.name FROM ${groups} ug JOIN ${auth_group} g ON g.id = ug.group_id
       WHERE ug.${user} = ANY($1::${keyType}[])
    )
    SELECT 'own' AS kind, up.${user}::text AS holder, NULL::bigint AS id, ${name} AS name
      FROM ${permissions} up JOIN ${auth_permission} p ON p.id = up.permission_id ${types}
     WHERE up.${user} = ANY($1::${keyType}[])
    UNION ALL
    SELECT 'of group', NULL, gp.group_id, ${name}
      FROM ${auth_group_permissions} gp JOIN ${auth_permission} p ON p.id = gp.permission_id ${types}
     WHERE gp.group_id IN (SELECT id FROM member)
    UNION ALL
    SELECT 'member', holder, id, name FROM member
    UNION ALL
    SELECT 'any', NULL, NULL, ${name} FROM ${auth_permission} p ${types} WHERE $2::boolean
    ORDER BY id`;
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
    if (statement === null) return holders.map(() => ({ own: new Set<string>(), groups: [] }));
    const values = [holders.map(({ key }) => key), String(holders.some(({ is_superuser }) => is_superuser))];
    const { rows } = await runPrepared(this.#knex, statement, values, this.#prepared);
    const any = new Set<string>();
    const own = byKey(() => new Set<string>());
    const ofGroup = byKey(() => new Set<string>());
    const groups = byKey((): Group[] => []);
    for (const [kind, holder, id, text] of rows) {
      const name = String(text);
      if (kind === 'own') own(holder).add(name);
      else if (kind === 'of group') ofGroup(id).add(name);
      else if (kind === 'member') groups(holder).push({ name, permissions: ofGroup(id) });
      else any.add(name);
    }
    return holders.map(({ key, is_superuser }) => ({ own: is_superuser ? any : own(key), groups: groups(key) }));
  }
}

/** The value for a key, created at first access. */
function byKey<Value>(make: () => Value): (key: string | null | undefined) => Value {
  const values = new Map<string, Value>();
  return (key) => {
    const text = String(key);
    const value = values.get(text) ?? make();
    values.set(text, value);
    return value;
  };
}
