/** Connects to PostgreSQL through knex and pg, with a timeout for every wait. */
import makeKnex, { type Knex } from 'knex';
import type { Client } from 'pg';
import { checkNames, checkOptions } from '../settings/given.js';
import { dispose, type KnexConnection } from '../undocumented/knex.js';
import { cancelRequest } from './cancel_request.js';
import { checkDatabaseUrl } from './database_url.js';
import { addressesOf } from './hosts.js';
import { PrimaryFinder } from './primary.js';
import { isReadOnly, isSilence } from './unavailable.js';
import { databaseBounds } from './wait_bounds.js';

/** All times are seconds. 0 is no timeout: for commands that a person watches, never for requests. */
export interface DatabaseOptions {
  /** The maximum number of connections. */
  readonly poolSize?: number;
  /** The timeout for a connection, including the wait for a free one in the pool. 1 when absent. */
  readonly connect_timeout?: number;
  /**
   * The timeout of a statement on the server, including its wait for locks. 1 when absent. Stores, tables and throttles on
   * this knex need it as their `timeout`: they begin no statement that may last longer than their caller waits.
   */
  readonly statement_timeout?: number;
  /** What `pg_stat_activity` shows. */
  readonly application_name?: string;
}

/** The options of pg's Client that we set. */
export interface ConnectionSettings {
  readonly connectionString: string;
  readonly application_name: string;
  readonly connectionTimeoutMillis: number;
  readonly statement_timeout: number;
  readonly query_timeout: number;
  readonly idle_in_transaction_session_timeout: number;
  readonly keepAlive: boolean;
  readonly keepAliveInitialDelayMillis: number;
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000);

const connectionTimeout = ({ connect_timeout = databaseBounds().connection }: DatabaseOptions): number =>
  milliseconds(connect_timeout);

/**
 * pg's settings with all timeouts: pg itself has none, and would wait forever for a database that does not answer.
 *
 * PostgreSQL enforces `statement_timeout`. pg enforces `query_timeout`, for a host that is gone; it is a little longer, so
 * that the server's own error arrives first.
 *
 * @param url of one host
 */
function settingsOf(url: string, options: DatabaseOptions): ConnectionSettings {
  const bounds = databaseBounds(options.statement_timeout);
  return {
    connectionString: url,
    application_name: options.application_name ?? 'koa-django-session',
    connectionTimeoutMillis: connectionTimeout(options),
    statement_timeout: milliseconds(bounds.statement),
    query_timeout: milliseconds(bounds.silence),
    idle_in_transaction_session_timeout: milliseconds(bounds.idleTransaction),
    keepAlive: true,
    // A migration has no statement timeout: TCP keepalive is what detects that its host is gone.
    keepAliveInitialDelayMillis: 10_000,
  };
}

/** The settings of one server, or for several hosts a finder that knex calls for the settings of each new connection. */
function placeOf(
  DATABASE_URL: string,
  options: DatabaseOptions,
): ConnectionSettings | PrimaryFinder<ConnectionSettings> {
  checkDatabaseUrl(DATABASE_URL);
  const { urls, target_session_attrs } = addressesOf('DATABASE_URL', DATABASE_URL);
  const hosts = urls.map((url) => settingsOf(url, options));
  const [only] = hosts;
  if (only !== undefined && target_session_attrs === 'any') return only;
  return new PrimaryFinder(hosts, target_session_attrs === 'primary' ? 'primary' : 'read-write');
}

const connectionOf = (
  place: ConnectionSettings | PrimaryFinder<ConnectionSettings>,
): NonNullable<Knex.Config['connection']> => (place instanceof PrimaryFinder ? place.settings : { ...place });

/**
 * The `connection` of a knex.
 *
 * @throws ImproperlyConfigured when the URL cannot work, as `checkDatabaseUrl` says
 */
export function knexConnection(
  DATABASE_URL: string,
  options: DatabaseOptions = {},
): NonNullable<Knex.Config['connection']> {
  return connectionOf(placeOf(DATABASE_URL, options));
}

/** Knex would also print each error that it rejects with to the console. */
const SILENT = { warn() {}, error() {}, deprecate() {}, debug() {} };

/**
 * Makes a knex for PostgreSQL. It connects at the first query, so it does not fail while the database is away. The caller
 * closes it with `destroy()`.
 *
 * The URL may name several hosts, as in libpq: `postgresql://h1:5432,h2:5433/db?target_session_attrs=read-write`. New
 * connections go to the host that takes writes, also after a failover.
 *
 * ```ts
 * const knex = connectKnex('postgresql://shop:secret@127.0.0.1:5432/shop');
 * // at shutdown
 * await knex.destroy();
 * ```
 *
 * @throws ImproperlyConfigured when the URL cannot work, such as for a missing certificate file or a character of the
 *   password that is not percent-encoded. The message contains no part of the password
 */
export function connectKnex(DATABASE_URL: string, options: DatabaseOptions = {}): Knex {
  checkOptions('connectKnex()', options);
  checkNames('connectKnex()', options, ['poolSize', 'connect_timeout', 'statement_timeout', 'application_name']);
  const connect = connectionTimeout(options);
  const standing = new Map<string, Client & KnexConnection>();
  const place = placeOf(DATABASE_URL, options);
  const finder = place instanceof PrimaryFinder ? place : undefined;
  const knex = makeKnex({
    client: 'pg',
    log: SILENT,
    connection: connectionOf(place),
    pool: {
      // 0, so that an idle connection that the server has closed is not kept for reuse.
      min: 0,
      max: options.poolSize ?? 10,
      afterCreate: (connection: Client & KnexConnection, done: (error: null, connection: Client) => void) => {
        standing.set(connection.__knexUid, connection);
        finder?.prove();
        connection.once('error', () => finder?.forget());
        connection.once('end', () => {
          standing.delete(connection.__knexUid);
          // Without a connection, nothing would report that the host is gone.
          if (standing.size === 0) finder?.forget();
        });
        done(null, connection);
      },
    },
    acquireConnectionTimeout: connect === 0 ? 60_000 : connect,
    // Error messages contain the statement with $1, not with the values, which are sessions.
    compileSqlOnError: false,
  });
  const retire = (error: unknown): void => {
    for (const connection of standing.values()) dispose(connection, error);
    finder?.forget();
  };
  let retired = Number.NEGATIVE_INFINITY;
  knex.on('query-error', (error: unknown, { __knexUid }: KnexConnection) => {
    // A connection to a former primary, now a standby, would stay in the pool as long as there is load. At most once a
    // second, in case the whole database is read-only.
    if (isReadOnly(error) && performance.now() - retired > 1000) {
      retired = performance.now();
      retire(error);
    }
    if (!isSilence(error)) return;
    // Assume the host is gone: replace all open connections before they are used again. pg would reuse a connection after
    // a query_timeout, and each request on it would time out until TCP gives up, after about 15 minutes.
    retire(error);
    const silent = standing.get(__knexUid);
    if (silent === undefined) return;
    // A backend does not notice that its client is gone while it works or waits for a lock, so cancel its statement.
    cancelRequest(silent);
    void silent.end();
  });
  return knex;
}
