/** Recognises database errors that are temporary. They become 503, never a lost session. */
import { codeOf } from '../error_code.js';
import { StoreUnavailable } from '../errors.js';

/** read_only_sql_transaction: a write on a standby, such as after a failover. */
export const READ_ONLY = '25006';

/** SQLSTATEs (PostgreSQL manual, appendix A) of a server that is stopping, starting, full or busy. */
const SQLSTATES: ReadonlySet<string> = new Set([
  READ_ONLY,
  '53300', // too_many_connections
  '55P03', // lock_not_available: lock_timeout
  '57014', // query_canceled: statement_timeout
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  '40001', // serialization_failure, also a standby's conflict with recovery
  '40P01', // deadlock_detected
  '53200', // out_of_memory
  '53100', // disk_full
  '55000', // object_not_in_prerequisite_state: the database takes no connections (ALLOW_CONNECTIONS false)
]);

/** SQLSTATEs of a server that refuses this account or database, until an administrator corrects it. */
const REFUSALS: ReadonlySet<string> = new Set([
  '28000', // invalid_authorization_specification
  '28P01', // invalid_password
  '3D000', // invalid_catalog_name
]);

/**
 * Whether the server refuses this account or database. For visitors that is a 503, as it may be corrected while the server
 * runs. At the start it should end the process, instead of being retried.
 */
export function isRefusal(error: unknown): boolean {
  return REFUSALS.has(String(codeOf(error))) || (error instanceof Error && NO_PASSWORD.test(driversText(error)));
}

/** Node's error codes for a connection that failed or broke. */
const SYSTEM_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT', // a Unix socket that is not there
]);

// pg 8, and tarn, which is knex's pool, throw the following errors without a code. Only their messages identify them.

/** pg/lib/client.js: query_timeout. */
const NO_ANSWER = 'Query read timeout';

/** pg/lib/client.js: the socket closed, the client was used after that, connect_timeout. tarn and knex: the pool was destroyed. */
const LOST =
  /^(?:Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|Unable to acquire a connection$|aborted$)/;

/** pg/lib/crypto/sasl.js: the server requires a password, and DATABASE_URL has none. */
const NO_PASSWORD = /^SASL: /;

/**
 * Whether the connection has lost this prepared statement, or a migration has made it invalid. The statement succeeds when
 * it is prepared again. Code 0A000 has other meanings too; the name of PostgreSQL's C function distinguishes them.
 */
export function isStalePlan(error: unknown): boolean {
  const code = codeOf(error);
  if (code === '26000') return true; // invalid_sql_statement_name
  const routine = typeof error === 'object' && error !== null && 'routine' in error ? error.routine : undefined;
  return code === '0A000' && routine === 'RevalidateCachedQuery'; // feature_not_supported
}

/** Whether the error is temporary: the same statement may succeed later. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof StoreUnavailable) return true;
  if (!(error instanceof Error)) return false;
  // Node tries the IPv6 and the IPv4 addresses of a name, and reports all failures in an AggregateError.
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(isUnavailable);
  // By name instead of `instanceof`: the application may use another copy of knex than this package.
  if (error.name === 'KnexTimeoutError' || isStalePlan(error)) return true;
  const code = codeOf(error);
  if (typeof code === 'string') {
    return code.startsWith('08') || SQLSTATES.has(code) || REFUSALS.has(code) || SYSTEM_CODES.has(code);
  }
  const text = driversText(error);
  return text === NO_ANSWER || LOST.test(text) || isRefusal(error);
}

/** pg's message. knex puts the statement before it: "select 1 - Connection terminated unexpectedly". */
function driversText({ message }: Error): string {
  const dash = message.lastIndexOf(' - ');
  return dash < 0 ? message : message.slice(dash + 3);
}

/** Whether it is the error of a write on a read-only server, or a StoreUnavailable with that cause. */
export function isReadOnly(error: unknown): boolean {
  return codeOf(error instanceof StoreUnavailable ? error.cause : error) === READ_ONLY;
}

/** Whether pg's query_timeout ended the statement: the server sent nothing, not even the error of statement_timeout. */
export function isSilence(error: unknown): boolean {
  return error instanceof Error && driversText(error) === NO_ANSWER;
}

/** A StoreUnavailable (503) with the driver's error as `cause`. */
export function unavailable(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  return new StoreUnavailable('The database does not answer, or not in time. Try again in a moment.', { cause: error });
}

/** The error to throw for a database error: StoreUnavailable if it is temporary, otherwise the error itself. */
export function storeError(error: unknown): unknown {
  return isUnavailable(error) ? unavailable(error) : error;
}
