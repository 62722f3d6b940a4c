/** The members of knex that it does not document, and types as `any`. */
import type { Knex } from 'knex';

/** What knex adds to a connection. */
export interface KnexConnection {
  /** knex's events name the connection by it. */
  readonly __knexUid: string;
}

/** tarn's pool, in which knex keeps its connections. */
export interface KnexPool {
  numUsed(): number;
  numFree(): number;
  /** The number of callers that wait for a connection. */
  numPendingAcquires(): number;
}

interface KnexClient {
  readonly config: Knex.Config;
  readonly pool: KnexPool;
  emit(event: 'query-error', error: unknown, query: object): void;
}

const clientOf = (knex: Knex): KnexClient => knex.client as KnexClient;

/** What a knex was made with. The password is not enumerable. */
export const configOf = (knex: Knex): Knex.Config => clientOf(knex).config;

export const poolOf = (knex: Knex): KnexPool => clientOf(knex).pool;

/** Calls the listeners of knex's event `query-error`, as a failed statement does. */
export function emitQueryError(knex: Knex, error: unknown): void {
  clientOf(knex).emit('query-error', error, {});
}

/**
 * Makes knex close a connection and open a new one, before it would use it again. Instead of the documented
 * `pool.validate`, which only the newest knex calls.
 */
export function dispose(connection: KnexConnection, reason: unknown): void {
  Object.assign(connection, { __knex__disposed: reason });
}
