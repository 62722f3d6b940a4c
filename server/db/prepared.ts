/** Runs a named prepared statement on one of knex's connections, by the shortest way. */
import type { Knex } from 'knex';

/** A statement with `$1`, `$2` … and the name under which PostgreSQL keeps its plan: one name has one text. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** What pg makes a parameter of; arrays become PostgreSQL's. */
export type Parameter = string | number | Date | readonly string[] | readonly Date[];

export interface Rows<Row> {
  readonly rows: readonly Row[];
  readonly rowCount: number | null;
}

/** The part of a knex client that hands out pg's connections; in a transaction always the transaction's own. */
interface ConnectionSource {
  acquireConnection(): Promise<Connection>;
  releaseConnection(connection: Connection): unknown;
  listenerCount(event: 'query'): number;
  emit(event: 'query', query: { readonly sql: string; readonly bindings: readonly Parameter[] }): void;
  emit(event: 'query-error', error: unknown, query: { readonly __knexUid: string }): void;
}

interface Connection {
  readonly __knexUid: string;
  query<Row>(query: {
    readonly name?: string;
    readonly text: string;
    readonly values: readonly Parameter[];
  }): Promise<Rows<Row>>;
}

/**
 * `knex.raw(text, values).options({ name })` without what lies between: building the query, its events and its promises
 * cost as much CPU as the statement itself (40 of 100 µs, measured). Pool, timeouts and transactions are knex's, and
 * `knex.on('query')` hears of the statement, `knex.on('query-error')` of its failure.
 *
 * @param prepared false to send the text each time, for a pgbouncer that keeps no prepared statements
 * @throws what pg or the pool throws, as knex does, but without the statement in the message
 */
export async function runPrepared<Row>(
  knex: Knex,
  { name, text }: Statement,
  values: readonly Parameter[],
  prepared = true,
): Promise<Rows<Row>> {
  const source = knex.client as ConnectionSource;
  const connection = await source.acquireConnection();
  try {
    if (source.listenerCount('query') > 0) source.emit('query', { sql: text, bindings: values });
    return await connection.query<Row>(prepared ? { name, text, values } : { text, values });
  } catch (error) {
    // connectKnex listens, and gives a connection up on which no answer came.
    source.emit('query-error', error, connection);
    throw error;
  } finally {
    source.releaseConnection(connection);
  }
}
