/** Looks users up by their keys: those of one tick share a prepared statement. */
import type { Knex } from 'knex';
import { type BatchAnswers, type BatchCall, Batcher } from '../db/batcher.js';
import type { Deadline } from '../db/deadline.js';
import { type Parser, type Row, runPrepared } from '../db/prepared.js';
import { isUnavailable, unavailable } from '../db/unavailable.js';
import { rowValues, type UserStatements } from './user_statements.js';

/** A row, which several requests may share, and the function that converts it to values. */
interface FoundRow {
  readonly row: Row;
  readonly fields: readonly string[];
  readonly parsers: readonly Parser[];
}

export class UserLookup {
  readonly #knex: Knex;
  readonly #statements: () => Promise<Pick<UserStatements, 'get_by_ids' | 'fields'>>;
  readonly #prepared: boolean;
  // Half of a crowd's users are looked up while this process answers the other half: reads with the user are 6% faster,
  // with permissions 13%, writes the same (measured in pairs, 32 connections).
  readonly #batcher = new Batcher<undefined, FoundRow | null>((calls) => this.#findMany(calls), {
    shared: true,
    halve: true,
  });

  /**
   * @param statements for the current table
   * @param prepared false to send the text each time, for a pgbouncer that keeps no prepared statements
   */
  constructor(knex: Knex, statements: () => Promise<Pick<UserStatements, 'get_by_ids' | 'fields'>>, prepared: boolean) {
    this.#knex = knex;
    this.#statements = statements;
    this.#prepared = prepared;
  }

  /**
   * The values by field, and the key's text as `pk`; null if there is no such user.
   * @param key as `parseUserKey` gives it
   * @throws what PostgreSQL says of this key or of the table; StoreUnavailable
   */
  async find(key: string, deadline: Deadline): Promise<Record<string, unknown> | null> {
    const found = await this.#batcher.call({ key, input: undefined }, deadline);
    if (found === null) return null;
    // Separate values for each request, because it may change them.
    return rowValues(found.row, found.fields, found.parsers);
  }

  async #findMany(calls: readonly BatchCall<undefined>[]): Promise<BatchAnswers<FoundRow | null>> {
    try {
      const { get_by_ids, fields } = await this.#statements();
      const keys = calls.map(({ key }) => key);
      const { rows, parsers = [] } = await runPrepared(this.#knex, get_by_ids, [keys], this.#prepared);
      const found = new Map(rows.map((row) => [row[0], { row, fields, parsers }]));
      return keys.map((key) => found.get(key) ?? null);
    } catch (error) {
      if (isUnavailable(error)) throw unavailable(error);
      if (calls.length === 1) throw error;
      // A key that PostgreSQL refuses must not fail the others.
      return calls.map(async (call) => (await this.#findMany([call]))[0] ?? null);
    }
  }
}
