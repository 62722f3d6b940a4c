/** Runs a named prepared statement on one of knex's connections, by the shortest way. */
import type { Knex } from 'knex';
import { type Answer, type Client as PgClient, PreparedQuery, type Statement } from '../undocumented/prepared_query.js';
import { arrayText, timestamptzText } from './literals.js';
import { isStalePlan } from './unavailable.js';

export type { Answer, Parser, Row, Statement } from '../undocumented/prepared_query.js';

/** Sent as text, in the form in which PostgreSQL reads it. */
export type Parameter = string | Date | null | readonly string[] | readonly Date[];

/** A connection of pg's, with knex's mark. */
interface Client extends PgClient {
  readonly __knexUid: string;
}

/** The part of a knex client that hands out pg's connections; in a transaction always the transaction's own. */
interface ConnectionSource {
  acquireConnection(): Promise<Client>;
  releaseConnection(client: Client): unknown;
  listenerCount(event: 'query'): number;
  emit(event: 'query', query: { readonly sql: string; readonly bindings: readonly Parameter[] }): void;
  emit(event: 'query-error', error: unknown, query: { readonly __knexUid: string; readonly sql: string }): void;
}

function parameterText(value: Parameter): string | null {
  if (value === null || typeof value === 'string') return value;
  if (value instanceof Date) return timestamptzText(value);
  return arrayText(value.map((item: string | Date) => (typeof item === 'string' ? item : timestamptzText(item))));
}

function run(client: Client, name: string, statement: Statement, values: readonly (string | null)[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    client.query(new PreparedQuery(name, statement, values, { resolve, reject, isStalePlan }));
  });
}

/**
 * `knex.raw(text, values).options({ name })` without what lies between: building the query, its events and its promises
 * cost as much CPU as the statement itself (40 of 100 µs, measured). Pool, timeouts and transactions are knex's, and
 * `knex.on('query')` hears of the statement, `knex.on('query-error')` of its failure.
 *
 * A plan that the connection has lost (DISCARD ALL), or that a migration has overtaken, is made anew at once; in a
 * transaction, which such an error ends, for the next one.
 *
 * @param prepared false to send the text each time, for a pgbouncer that keeps no prepared statements
 * @throws what pg or the pool throws, as knex does, but without the statement in the message
 */
export async function runPrepared(
  knex: Knex,
  statement: Statement,
  values: readonly Parameter[],
  prepared = true,
): Promise<Answer> {
  const transaction = knex.isTransaction === true ? (knex as Knex.Transaction) : undefined;
  // When BEGIN fails, knex goes on with what was to be done in the transaction, on a connection that others have by then.
  if (transaction?.isCompleted()) throw new Error('The transaction is over.');
  const source = knex.client as ConnectionSource;
  const texts = values.map(parameterText);
  const { text } = statement;
  const kept = prepared ? statement.name : '';
  const client = await source.acquireConnection();
  try {
    if (source.listenerCount('query') > 0) source.emit('query', { sql: text, bindings: values });
    try {
      return await run(client, kept, statement, texts);
    } catch (error) {
      if (transaction !== undefined || !isStalePlan(error)) throw error;
      return await run(client, kept, statement, texts);
    }
  } catch (error) {
    // connectKnex listens, and gives a connection up on which no answer came.
    source.emit('query-error', error, { __knexUid: client.__knexUid, sql: text });
    throw error;
  } finally {
    source.releaseConnection(client);
  }
}
