/** Runs named prepared statements on knex's connections, with less overhead than `knex.raw`. */
import type { Knex } from 'knex';
import { type Answer, type Client as PgClient, PreparedQuery, type Statement } from '../undocumented/prepared_query.js';
import { arrayText, timestamptzText } from './literals.js';
import { isStalePlan } from './unavailable.js';

export type { Answer, Parser, Row, Statement } from '../undocumented/prepared_query.js';

/** A parameter; sent in PostgreSQL's text format. */
export type Parameter = string | Date | null | readonly string[] | readonly Date[];

/** pg's Client with the id that knex adds. */
interface Client extends PgClient {
  readonly __knexUid: string;
}

/** knex's client as far as it is used here. In a transaction, it always gives the transaction's connection. */
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
 * As `knex.raw(text, values).options({ name })`, without the cost of knex's query building, events and promises (40 of
 * 100 µs CPU per statement, measured). Uses knex's pool, timeouts and transactions. knex's events `query` and
 * `query-error` are emitted.
 *
 * If the connection has lost the prepared statement (DISCARD ALL), or a migration made it invalid, prepares it again and
 * retries once. In a transaction the error is thrown, because PostgreSQL has aborted it; the next call prepares again.
 *
 * @param prepared false to send the text each time, for a pgbouncer without prepared statements
 * @throws the errors of pg and of the pool, as knex does, but without the statement in the message
 */
export async function runPrepared(
  knex: Knex,
  statement: Statement,
  values: readonly Parameter[],
  prepared = true,
): Promise<Answer> {
  const transaction = knex.isTransaction === true ? (knex as Knex.Transaction) : undefined;
  // After a failed BEGIN, knex still runs the transaction's function, on a connection that others may use by then.
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
    // connectKnex listens, to replace a connection that does not answer.
    source.emit('query-error', error, { __knexUid: client.__knexUid, sql: text });
    throw error;
  } finally {
    source.releaseConnection(client);
  }
}
