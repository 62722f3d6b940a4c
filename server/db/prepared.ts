/** Runs a named prepared statement on one of knex's connections, by the shortest way. */
import type { Knex } from 'knex';
import pg from 'pg';
import { arrayText, timestamptzText } from './literals.js';
import { isStalePlan } from './unavailable.js';

/** A statement with `$1`, `$2` … and the name under which PostgreSQL keeps its plan: one name has one text. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** Whether to ask for the types of its columns, once for each plan, because they are not known beforehand. */
  readonly described?: boolean;
}

/** Sent as text, in the form in which PostgreSQL reads it. */
export type Parameter = string | Date | null | readonly string[] | readonly Date[];

/** A row's columns in the statement's order, in PostgreSQL's text form; null is NULL. */
export type Row = readonly (string | null)[];

export type Parser = (text: string) => unknown;

export interface Answer {
  readonly rows: readonly Row[];
  /** What makes of each column's text the value that pg gives; absent where the statement is not `described`. */
  readonly parsers?: readonly Parser[] | undefined;
  /** Rows read, or rows written. */
  readonly rowCount: number;
}

/** The part of a knex client that hands out pg's connections; in a transaction always the transaction's own. */
interface ConnectionSource {
  acquireConnection(): Promise<Client>;
  releaseConnection(client: Client): unknown;
  listenerCount(event: 'query'): number;
  emit(event: 'query', query: { readonly sql: string; readonly bindings: readonly Parameter[] }): void;
  emit(event: 'query-error', error: unknown, query: { readonly __knexUid: string; readonly sql: string }): void;
}

/** pg's Client as far as it is used here, with knex's mark. */
interface Client {
  readonly __knexUid: string;
  query(query: PreparedQuery): void;
}

/** pg's Connection: the messages of PostgreSQL's extended query protocol. */
interface Connection {
  readonly stream: { cork(): void; uncork(): void };
  /** By name, what this connection's server has a plan of. */
  readonly parsedStatements: Record<string, string | undefined>;
  close(message: { readonly type: 'S'; readonly name: string }): void;
  parse(message: { readonly name: string; readonly text: string }): void;
  bind(message: { readonly statement: string; readonly values: readonly (string | null)[] }): void;
  describe(message: { readonly type: 'P'; readonly name: string }): void;
  execute(): void;
  sync(): void;
}

/** By connection and name, the parsers of a plan's columns: a plan that gives other types is refused, and made anew. */
const described = new WeakMap<Connection, Map<string, readonly Parser[]>>();

/** Whoever waits for a query. */
interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

function parameterText(value: Parameter): string | null {
  if (value === null || typeof value === 'string') return value;
  if (value instanceof Date) return timestamptzText(value);
  return arrayText(value.map((item: string | Date) => (typeof item === 'string' ? item : timestamptzText(item))));
}

/**
 * One run of a statement, in the form in which pg takes queries of others (as pg-cursor's). What pg's own does besides
 * costs more than all of this: asking the server to describe columns that are known, an event and an object a row, and
 * a search for each column's type.
 *
 * It lets go of what it was given and of what it was answered as soon as it can. V8 makes a function that is assigned
 * to a property among the old objects, as pg does for its `query_timeout`; whatever that refers to, this query, lives
 * until the next full collection. Copying the rows with it took a twentieth of a read's CPU.
 */
class PreparedQuery {
  readonly name: string;
  readonly text: string;
  /** Called with an error or an answer; pg puts its own around it, for `query_timeout`. */
  callback: (error: unknown, answer?: Answer) => void;
  #values: readonly (string | null)[];
  #rows: Row[] = [];
  #rowCount = 0;
  #waiting: Waiting | undefined;
  #parsers: readonly Parser[] | undefined;
  readonly #isDescribed: boolean;

  /** @param name '' for a statement that the server forgets at once */
  constructor(
    name: string,
    { text, described: isDescribed = false }: Statement,
    values: readonly (string | null)[],
    waiting: Waiting,
  ) {
    this.name = name;
    this.text = text;
    this.#isDescribed = isDescribed;
    this.#values = values;
    this.#waiting = waiting;
    // By way of a constant: assigned at once, this one would be made among the old objects, too.
    const settle = (error: unknown, answer?: Answer): void => {
      const { resolve, reject } = this.#waiting ?? {};
      this.#waiting = undefined;
      if (answer === undefined) reject?.(error);
      else resolve?.(answer);
    };
    this.callback = settle;
  }

  submit(connection: Connection): null {
    const { name, text } = this;
    const isNew = connection.parsedStatements[name] === undefined;
    if (this.#isDescribed && !isNew) this.#parsers = described.get(connection)?.get(name);
    // One packet instead of four.
    connection.stream.cork();
    try {
      if (isNew) {
        // What was forgotten here may still be there under this name; to close what is not there is no error.
        if (name !== '') connection.close({ type: 'S', name });
        connection.parse({ name, text });
      }
      connection.bind({ statement: name, values: this.#values });
      if (this.#isDescribed && this.#parsers === undefined) connection.describe({ type: 'P', name: '' });
      connection.execute();
      connection.sync();
    } finally {
      connection.stream.uncork();
      this.#values = [];
    }
    return null;
  }

  handleRowDescription({ fields }: { readonly fields: readonly { readonly dataTypeID: number }[] }): void {
    this.#parsers = fields.map(({ dataTypeID }) => pg.types.getTypeParser(dataTypeID, 'text') as Parser);
  }

  handleDataRow({ fields }: { readonly fields: Row }): void {
    this.#rows.push(fields);
  }

  /** The tag ends in a number: `SELECT 3`, `UPDATE 1`, `INSERT 0 1`. */
  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#rowCount = Number(text.slice(text.lastIndexOf(' ') + 1));
  }

  handleReadyForQuery(connection: Connection): void {
    const rows = this.#rows;
    if (this.#parsers !== undefined && this.name !== '') {
      const plans = described.get(connection) ?? new Map<string, readonly Parser[]>();
      if (plans.get(this.name) !== this.#parsers) described.set(connection, plans.set(this.name, this.#parsers));
    }
    this.#rows = [];
    this.callback(null, { rows, rowCount: this.#rowCount, parsers: this.#parsers });
  }

  handleError(error: unknown, connection: Connection): void {
    if (isStalePlan(error)) delete connection.parsedStatements[this.name];
    this.callback(error);
  }
}

function run(client: Client, name: string, statement: Statement, values: readonly (string | null)[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    client.query(new PreparedQuery(name, statement, values, { resolve, reject }));
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
