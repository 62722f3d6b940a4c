/** Which of the database's errors mean "not now" rather than "wrong": they become 503, never a lost session. */
import { codeOf } from '../error_code.js';
import { StoreUnavailable } from '../errors.js';

/** read_only_sql_transaction: a write on a standby, as after a failover. */
export const READ_ONLY = '25006';

/** SQLSTATE classes and codes (PostgreSQL manual, appendix A) of a server that is away, starting, full, or busy. */
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

/** SQLSTATES of a server that lets this account in no more, or has no such database: somebody has to set it right. */
const REFUSALS: ReadonlySet<string> = new Set([
  '28000', // invalid_authorization_specification
  '28P01', // invalid_password
  '3D000', // invalid_catalog_name
]);

/**
 * Does the server refuse this account or database? To visitors that is 503 as any other fault, for it is none of theirs
 * and passes when the password is set right; a start should end with it instead of waiting.
 */
export function isRefusal(error: unknown): boolean {
  return REFUSALS.has(String(codeOf(error))) || (error instanceof Error && NO_PASSWORD.test(driversText(error)));
}

/** Node's names for a connection that could not be made or broke. */
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

// What follows is thrown by pg 8, and by tarn, knex's pool, as a plain Error without a code: the text is all there is to
// tell it by.

/** pg/lib/client.js: query_timeout. */
const NO_ANSWER = 'Query read timeout';

/** pg/lib/client.js: the socket closed, the client was used after that, connect_timeout. tarn: its pool was destroyed. */
const LOST =
  /^(?:Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|aborted$)/;

/** pg/lib/crypto/sasl.js: the server wants a password and DATABASE_URL has none. */
const NO_PASSWORD = /^SASL: /;

/**
 * Has the connection a plan no more under this name, or one that a migration has overtaken? With the plan made anew the
 * same statement passes. The second code has other meanings, too; the name of PostgreSQL's function tells them apart.
 */
export function isStalePlan(error: unknown): boolean {
  const code = codeOf(error);
  if (code === '26000') return true; // invalid_sql_statement_name
  const routine = typeof error === 'object' && error !== null && 'routine' in error ? error.routine : undefined;
  return code === '0A000' && routine === 'RevalidateCachedQuery'; // feature_not_supported
}

/** Is this a fault of the connection or of the server's state, so that the same statement may pass later? */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof StoreUnavailable) return true;
  if (!(error instanceof Error)) return false;
  // Node tries IPv6 and IPv4 of one name, and reports both failures in one.
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(isUnavailable);
  // By its name: the class is that of the application's knex, which may be another than the one beside this package.
  if (error.name === 'KnexTimeoutError' || isStalePlan(error)) return true;
  const code = codeOf(error);
  if (typeof code === 'string') {
    return code.startsWith('08') || SQLSTATES.has(code) || REFUSALS.has(code) || SYSTEM_CODES.has(code);
  }
  const text = driversText(error);
  return text === NO_ANSWER || LOST.test(text) || isRefusal(error);
}

/** knex writes the statement before the driver's text: "select 1 - Connection terminated unexpectedly". */
function driversText({ message }: Error): string {
  const dash = message.lastIndexOf(' - ');
  return dash < 0 ? message : message.slice(dash + 3);
}

/** Was it a write where only reading is allowed, or a StoreUnavailable that says so? */
export function isReadOnly(error: unknown): boolean {
  return codeOf(error instanceof StoreUnavailable ? error.cause : error) === READ_ONLY;
}

/** Did query_timeout end it: no answer came, not even that of statement_timeout? */
export function isSilence(error: unknown): boolean {
  return error instanceof Error && driversText(error) === NO_ANSWER;
}

/** The error to throw in its place; 503, the driver's own error stays as `cause`. */
export function unavailable(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  return new StoreUnavailable('The database does not answer, or not in time. Try again in a moment.', { cause: error });
}

/** What to throw in place of a database's error: StoreUnavailable where it means "not now", otherwise the error itself. */
export function storeError(error: unknown): unknown {
  return isUnavailable(error) ? unavailable(error) : error;
}
