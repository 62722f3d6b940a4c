/** The statements of the table koa_user_sessions. */
import type { Knex } from 'knex';
import type { Clock } from '../../clock.js';
import { quoteTable } from '../../db/session_table.js';
import { storeError } from '../../db/unavailable.js';
import { hasCode } from '../../error_code.js';
import { SchemaMismatch } from '../../errors.js';
import { checkedClock } from '../../settings/given.js';
import type { Settings } from '../../settings.js';
import { idOf, KeySeal } from './sealed_key.js';

/** The settings that UserSessions depends on. */
export type UserSessionsSettings = Pick<
  Settings,
  'SECRET_KEY' | 'SECRET_KEY_FALLBACKS' | 'SESSION_TABLE' | 'AUTH_USER_MODEL'
>;

/** A session as seen in a request. */
export interface Sighting {
  readonly session_key: string;
  readonly user_id: string;
  readonly user_agent: string;
  readonly address: string;
  /** The former key of this session; null if it is new here or has kept its key. */
  readonly formerKey: string | null;
}

export interface Entry {
  readonly id: string;
  readonly session_key: string;
  readonly begun: Date;
  readonly last_seen: Date;
  readonly expire_date: Date;
  readonly user_agent: string;
  readonly address: string;
}

interface Row extends Omit<Entry, 'session_key' | 'expire_date'> {
  readonly sealed_key: string;
}

/** The maximum age of `last_seen` in seconds: a session is written at most once in this time. */
export const SEEN_EVERY = 300;

const UNDEFINED_TABLE = '42P01';
/** The number of expired rows removed at once. */
const PRUNE_AT_ONCE = 500;

export class UserSessionsTable {
  readonly #knex: Knex;
  readonly #now: Clock | undefined;
  readonly #seal: KeySeal;
  readonly #sessions: string;
  /** Distinguishes user models and session tables, whose ids may be equal. */
  readonly #scope: readonly [session_table: string, user_model: string];

  /** @param now for tests; without it the database's own clock, which all servers share */
  constructor(knex: Knex, settings: UserSessionsSettings, now: Clock | undefined) {
    this.#knex = knex;
    this.#now = now === undefined ? undefined : checkedClock(now);
    this.#seal = new KeySeal(settings);
    this.#sessions = quoteTable(settings.SESSION_TABLE);
    this.#scope = [settings.SESSION_TABLE, settings.AUTH_USER_MODEL.toLowerCase()];
  }

  /**
   * Record sessions whose row exists. A new key replaces the former one and keeps its start time. Written in the order
   * of the ids, so that two servers cannot deadlock.
   */
  async note(sightings: readonly Sighting[]): Promise<void> {
    if (sightings.length === 0) return;
    const given = sightings.map(({ formerKey, ...sighting }) => ({
      ...sighting,
      id: idOf(sighting.session_key),
      former_id: formerKey === null ? null : idOf(formerKey),
      sealed_key: this.#seal.seal(sighting.session_key),
    }));
    await this.#rows(
      `WITH clock AS (${this.#clock()}),
            given AS (
              SELECT given.*, s.expire_date
                FROM jsonb_to_recordset(?::jsonb) AS given (id text, former_id text, session_key text, sealed_key text,
                                                            user_id text, user_agent text, address text)
                JOIN ${this.#sessions} s ON s.session_key = given.session_key),
            former AS (
              DELETE FROM koa_user_sessions e USING given WHERE e.id = given.former_id RETURNING e.id, e.begun)
       INSERT INTO koa_user_sessions AS e (id, sealed_key, session_table, user_model, user_id, user_agent, address,
                                           begun, last_seen, expire_date)
       SELECT given.id, sealed_key, ?, ?, user_id, user_agent, address, coalesce(former.begun, at), at, expire_date
         FROM given CROSS JOIN clock LEFT JOIN former ON former.id = given.former_id ORDER BY given.id
           ON CONFLICT (id) DO UPDATE
          SET sealed_key = excluded.sealed_key, user_id = excluded.user_id, user_agent = excluded.user_agent,
              address = excluded.address, begun = least(e.begun, excluded.begun), last_seen = excluded.last_seen,
              expire_date = excluded.expire_date
        WHERE e.last_seen <= excluded.last_seen - interval '${SEEN_EVERY} seconds'
           OR e.begun > excluded.begun OR e.user_id <> excluded.user_id`,
      [JSON.stringify(given), ...this.#scope],
    );
  }

  /** The live sessions of a user, the last seen first. Entries without a session are removed. */
  async entries(user_id: string): Promise<readonly Entry[]> {
    const rows = await this.#rows<Row>(
      `SELECT id, sealed_key, begun, last_seen, user_agent, address FROM koa_user_sessions
        WHERE session_table = ? AND user_model = ? AND user_id = ? ORDER BY last_seen DESC, id`,
      [...this.#scope, user_id],
    );
    const keys = new Map<string, string>();
    for (const { id, sealed_key } of rows) {
      const session_key = this.#seal.open(sealed_key, id);
      if (session_key !== null) keys.set(id, session_key);
    }
    const expiries = await this.#expiries([...keys.values()]);
    const dead: string[] = [];
    const living = rows.flatMap(({ sealed_key: _, ...row }) => {
      const session_key = keys.get(row.id) ?? '';
      const expire_date = expiries.get(session_key);
      if (expire_date !== undefined) return [{ ...row, session_key, expire_date }];
      dead.push(row.id);
      return [];
    });
    await this.remove(dead);
    return living;
  }

  async #expiries(sessionKeys: readonly string[]): Promise<ReadonlyMap<string, Date>> {
    if (sessionKeys.length === 0) return new Map();
    const rows = await this.#rows<{ session_key: string; expire_date: Date }>(
      `WITH clock AS (${this.#clock()})
       SELECT session_key, expire_date FROM ${this.#sessions}
        WHERE session_key IN (SELECT jsonb_array_elements_text(?::jsonb)) AND expire_date > (SELECT at FROM clock)`,
      [JSON.stringify(sessionKeys)],
    );
    return new Map(rows.map(({ session_key, expire_date }) => [session_key, expire_date]));
  }

  async remove(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#rows('DELETE FROM koa_user_sessions WHERE id IN (SELECT jsonb_array_elements_text(?::jsonb))', [
      JSON.stringify(ids),
    ]);
  }

  /** Remove some expired rows of any user, for installations that run only Django's clearsessions. */
  async prune(): Promise<void> {
    await this.#rows(
      `WITH clock AS (${this.#clock()}),
            old AS MATERIALIZED (SELECT id FROM koa_user_sessions WHERE expire_date < (SELECT at FROM clock)
                                  ORDER BY expire_date LIMIT ${PRUNE_AT_ONCE} FOR UPDATE SKIP LOCKED)
       DELETE FROM koa_user_sessions WHERE id IN (SELECT id FROM old)`,
      [],
    );
  }

  /** A statement that selects the time as `at`. The number comes from our clock, never from a request. */
  #clock(): string {
    return this.#now === undefined ? 'SELECT clock_timestamp() AS at' : `SELECT to_timestamp(${this.#now()}) AS at`;
  }

  /** @throws StoreUnavailable when the database does not answer; SchemaMismatch if the table is missing */
  async #rows<Found>(sql: string, bindings: readonly string[]): Promise<readonly Found[]> {
    try {
      const result: { rows: readonly Found[] } = await this.#knex.raw(sql, [...bindings]);
      return result.rows;
    } catch (error) {
      if (hasCode(error, UNDEFINED_TABLE)) throw missingTable(error);
      throw storeError(error);
    }
  }
}

const missingTable = (cause: unknown): SchemaMismatch =>
  new SchemaMismatch(
    "There is no table koa_user_sessions on this database's search_path, or none of the sessions (SESSION_TABLE): run migrate(knex, { only: ['0005_user_sessions'] }), or `npx koa-django-session migrate`.",
    { cause },
  );
