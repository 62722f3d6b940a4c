/** The one way in which this project opens PostgreSQL: knex and pg with a bound on every wait. */
import makeKnex, { type Knex } from 'knex';
import type { Client } from 'pg';
import { cancelRequest } from './cancel_request.js';
import { checkDatabaseUrl } from './database_url.js';
import { addressesOf } from './hosts.js';
import { PrimaryFinder } from './primary.js';
import { isReadOnly, isSilence } from './unavailable.js';
import { databaseBounds } from './wait_bounds.js';

/** All times are seconds. `0` waits for ever, which suits a command that a person watches, never a request. */
export interface DatabaseOptions {
  /** The most connections held at once. */
  readonly poolSize?: number;
  /** Until a connection stands, counting the wait for a free one in the pool. */
  readonly connect_timeout?: number;
  /** Until the server gives up a statement; a lock that another holds counts. */
  readonly statement_timeout?: number;
  /** What `pg_stat_activity` shows. */
  readonly application_name?: string;
}

/** What pg's Client and Pool take. */
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

/**
 * pg's settings with every wait bounded: by itself pg waits for ever for a database that does not answer.
 *
 * `statement_timeout` ends a statement at the server. `query_timeout` is for a server that answers no more (a dead
 * host, a cut cable) and comes a little later, so that the server's own error wins where there is one.
 *
 * @param url of one host
 */
function settingsOf(url: string, options: DatabaseOptions): ConnectionSettings {
  const bounds = databaseBounds(options.statement_timeout ?? 2.5);
  return {
    connectionString: url,
    application_name: options.application_name ?? 'koa-django-session',
    connectionTimeoutMillis: milliseconds(options.connect_timeout ?? 3),
    statement_timeout: milliseconds(bounds.statement),
    query_timeout: milliseconds(bounds.silence),
    idle_in_transaction_session_timeout: milliseconds(bounds.idleTransaction),
    keepAlive: true,
    // A migration has no timeout; so asked after ten seconds, a host that is gone is found out ten seconds later.
    keepAliveInitialDelayMillis: 10_000,
  };
}

/** Where the URL leads, for knex: one server's settings, or the finder that knex asks for them. */
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

/** Knex also writes to the console, with a stack, what it rejects with: one place of ours logs errors. */
const SILENT = { warn() {}, error() {}, deprecate() {}, debug() {} };

/**
 * Knex on PostgreSQL. Nothing is opened before the first query, so a database that is away does not stop the start.
 * The caller ends it with `destroy()`.
 *
 * The URL may name several hosts as libpq's do, `postgresql://h1:5432,h2:5433/db?target_session_attrs=read-write`: new
 * connections go to the one that takes writes, and after a failover to the one that does then.
 *
 * ```ts
 * const knex = connectKnex('postgresql://shop:secret@127.0.0.1:5432/shop');
 * // at shutdown
 * await knex.destroy();
 * ```
 *
 * @throws ImproperlyConfigured when the URL cannot work: a character of the password that is not percent-encoded, a
 *   certificate file that is missing. No part of the password is in the message
 */
export function connectKnex(DATABASE_URL: string, options: DatabaseOptions = {}): Knex {
  const connect = milliseconds(options.connect_timeout ?? 3);
  const standing = new Map<string, Connection>();
  const place = placeOf(DATABASE_URL, options);
  const finder = place instanceof PrimaryFinder ? place : undefined;
  const knex = makeKnex({
    client: 'pg',
    log: SILENT,
    connection: connectionOf(place),
    pool: {
      // A connection that the server closed while idle is never handed out again.
      min: 0,
      max: options.poolSize ?? 10,
      afterCreate: (connection: Connection, done: (error: null, connection: Connection) => void) => {
        standing.set(connection.__knexUid, connection);
        finder?.prove();
        connection.once('error', () => finder?.forget());
        connection.once('end', () => {
          standing.delete(connection.__knexUid);
          // Nothing would tell that the host is gone.
          if (standing.size === 0) finder?.forget();
        });
        done(null, connection);
      },
    },
    acquireConnectionTimeout: connect === 0 ? 60_000 : connect,
    // The text of an error is the statement's with $1 in it, not with the values: those are sessions.
    compileSqlOnError: false,
  });
  // Knex's own mark, which each of its releases looks at; `pool.validate` is asked by the newest alone.
  const retire = (error: unknown): void => {
    for (const connection of standing.values()) Object.assign(connection, { __knex__disposed: error });
    finder?.forget();
  };
  let retired = Number.NEGATIVE_INFINITY;
  knex.on('query-error', (error: unknown, { __knexUid }: Pick<Connection, '__knexUid'>) => {
    // After a failover by address, the connections to what is a standby now would stay for as long as there is load. Once
    // a second at most, for a database that is read only altogether.
    if (isReadOnly(error) && performance.now() - retired > 1000) {
      retired = performance.now();
      retire(error);
    }
    if (!isSilence(error)) return;
    // pg goes on to use a connection on which no answer came. If its other end is gone for good, each request that was
    // given it would wait in vain, for the quarter of an hour after which TCP gives up. Assume the host is gone: each is
    // replaced before somebody else is given it.
    retire(error);
    const silent = standing.get(__knexUid);
    if (silent === undefined) return;
    // A backend does not look after its client while it works or waits, and would go on beside the one that replaces it.
    cancelRequest(silent);
    void silent.end();
  });
  return knex;
}

/** pg's client as knex marks it. */
type Connection = Client & { readonly __knexUid: string };
