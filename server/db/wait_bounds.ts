/** Every timeout for PostgreSQL and Redis, as a multiple of DATABASE_TIMEOUT. */
import { ImproperlyConfigured } from '../errors.js';

interface Bound {
  /** In units of DATABASE_TIMEOUT. */
  readonly times: number;
  /** For the table in DEPLOYMENT.md. */
  readonly meaning: string;
}

export const DATABASE_BOUNDS = {
  connection: {
    times: 1,
    meaning: 'Getting a connection: waiting for a free one in the pool, and connecting.',
  },
  statement: {
    times: 1,
    meaning:
      'PostgreSQL’s statement_timeout; waiting for a lock counts. Work that may wait for a lock starts only if the request has as much time left.',
  },
  silence: {
    times: 1.25,
    meaning: 'No data from the server. All connections to it are then closed.',
  },
  redis: {
    times: 1,
    meaning: 'Connecting to Redis (half as long to a sentinel), and each command.',
  },
  request: {
    times: 2.5,
    meaning:
      'All waits of one request together, in PostgreSQL and Redis: for sessions, users, throttles and tables. The application’s own time between them does not count.',
  },
  commit: {
    times: 0.5,
    meaning:
      'The time that the request must have left before a save, a COMMIT or a write to Redis is sent, so that its result can still be reported.',
  },
  change: {
    times: 4,
    meaning: 'How long the function given to `atomic` may hold the row’s lock.',
  },
  idleTransaction: {
    times: 5,
    meaning:
      'PostgreSQL’s idle_in_transaction_session_timeout. More than a change may take: the change ends with a ROLLBACK, and its connection stays.',
  },
} as const satisfies Record<string, Bound>;

/** Seconds. */
export type DatabaseBounds = Readonly<Record<keyof typeof DATABASE_BOUNDS, number>>;

/** Seconds. A larger number was meant in milliseconds. */
const LONGEST = 600;

/** @throws ImproperlyConfigured for milliseconds, and for a text, such as that of an environment variable */
export function checkTimeout(timeout: number | undefined): void {
  if (timeout === undefined || (Number.isFinite(timeout) && timeout > 0 && timeout <= LONGEST)) return;
  throw new ImproperlyConfigured(`\`timeout\` is a number of seconds up to ${LONGEST}: the setting DATABASE_TIMEOUT.`);
}

/** @param timeout DATABASE_TIMEOUT, seconds */
export function databaseBounds(timeout = 1): DatabaseBounds {
  const bounds = Object.entries(DATABASE_BOUNDS).map(([name, { times }]) => [name, times * timeout]);
  return Object.fromEntries(bounds) as DatabaseBounds;
}
