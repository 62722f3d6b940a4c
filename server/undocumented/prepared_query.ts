/** A query class of our own on pg's connection: one named prepared statement, run once. */
import pg from 'pg';

/** A statement with `$1`, `$2` … and the name under which PostgreSQL keeps its plan. A name always stands for the same text. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** Whether to ask for the types of its columns, once for each plan, because they are not known beforehand. */
  readonly described?: boolean;
}

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

/** The part of pg's Client that is used here. */
export interface Client {
  query(query: PreparedQuery): void;
}

/** pg's Connection: the messages of PostgreSQL's extended query protocol. */
interface Connection {
  readonly stream: { cork(): void; uncork(): void };
  /** The texts of the statements that are prepared on this connection, by name. */
  readonly parsedStatements: Record<string, string | undefined>;
  close(message: { readonly type: 'S'; readonly name: string }): void;
  parse(message: { readonly name: string; readonly text: string }): void;
  bind(message: { readonly statement: string; readonly values: readonly (string | null)[] }): void;
  describe(message: { readonly type: 'P'; readonly name: string }): void;
  execute(): void;
  sync(): void;
}

/** Booleans are never parsed by the application's own parser: `is_active` must not be the text 'f', which counts as true. */
const parserOf = (dataTypeID: number): Parser =>
  dataTypeID === pg.types.builtins.BOOL
    ? (text) => text === 't'
    : (pg.types.getTypeParser(dataTypeID, 'text') as Parser);

/**
 * The parsers of a prepared statement's columns, by connection and name. PostgreSQL refuses to run a statement whose column
 * types have changed, and it is prepared anew.
 */
const described = new WeakMap<Connection, Map<string, readonly Parser[]>>();

/** Who is waiting for a query. */
interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  /** Whether the error says that the connection has no valid plan of this name any more. */
  readonly isStalePlan: (error: unknown) => boolean;
}

/**
 * One run of a statement, as a query object that pg's Client takes (pg-cursor is one, too). It saves what pg's own query does
 * besides: it asks for no description of columns that are known, emits no event and builds no object for a row, and looks no
 * parser up for each column.
 *
 * It drops its parameters, its rows and who waits for them as soon as it can: pg assigns a function literal to `callback`,
 * which V8 allocates in old space, so that this object lives until the next full collection (DECISIONS.md, decision 15).
 */
export class PreparedQuery {
  readonly name: string;
  readonly text: string;
  /** Called with an error or an answer. pg replaces it by a function that also stops the timer of `query_timeout`. */
  callback: (error: unknown, answer?: Answer) => void;
  #values: readonly (string | null)[];
  #rows: Row[] = [];
  #rowCount = 0;
  #waiting: Waiting | undefined;
  #parsers: readonly Parser[] | undefined;
  readonly #isDescribed: boolean;
  readonly #isStalePlan: (error: unknown) => boolean;

  /** @param name '' for a statement without a kept plan: PostgreSQL drops it at the next unnamed one */
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
    this.#isStalePlan = waiting.isStalePlan;
    // First a constant: V8 allocates a function literal that is assigned to a property in old space (DECISIONS.md, decision 15).
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
    // One TCP packet instead of four.
    connection.stream.cork();
    try {
      if (isNew) {
        // PostgreSQL may still hold a statement of this name that was forgotten here. Closing an unknown name is no error.
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
    this.#parsers = fields.map(({ dataTypeID }) => parserOf(dataTypeID));
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
    // It has values of the row, such as the session key, and an error may be logged whole.
    if (error instanceof Error) delete (error as { detail?: string }).detail;
    if (this.#isStalePlan(error)) delete connection.parsedStatements[this.name];
    this.callback(error);
  }
}
