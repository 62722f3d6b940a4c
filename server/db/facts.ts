/** What `doctor` looks at, gathered in one read-only transaction: nothing here judges, nothing writes. */
import type { Knex } from 'knex';
import type { Clock } from '../clock.js';

export interface SessionRow {
  readonly session_key: string;
  readonly session_data: string;
  readonly expire_date: Date;
}

/** How often a table was searched and written since its counters started (pg_stat_user_tables). */
export interface Traffic {
  readonly reads: number;
  readonly writes: number;
  readonly deletes: number;
}

export interface Facts {
  readonly serverVersion: string;
  /** The database's clock minus this machine's, in seconds. */
  readonly clockDifference: number;
  /** `name type [not null]` of each column; null where there is no such table. */
  readonly sessionColumns: readonly string[] | null;
  /** The indexes' definitions after `USING`. */
  readonly sessionIndexes: readonly string[];
  /** The rows that expire last: among them the newest ones. */
  readonly newest: readonly SessionRow[];
  readonly rows: number;
  readonly expired: number;
  /** Seconds since the oldest row expired; null when none did. */
  readonly oldestExpired: number | null;
  readonly traffic: Traffic;
  /** Algorithm → how many users; null where there is no auth_user. */
  readonly hashers: Readonly<Record<string, number>> | null;
  /** Encoded passwords of the users that the newest rows name. For hashing only: never shown. */
  readonly passwords: ReadonlyMap<string, string>;
  /** Whether Django's own migrate has recorded the sessions app. */
  readonly recorded: boolean;
}

export interface GatherOptions {
  /** How many of the newest rows to read. */
  readonly sample: number;
  readonly now: Clock;
  /** Ids of users that a row names, taken from verified rows by the caller. */
  readonly userIds: (rows: readonly SessionRow[]) => readonly string[];
}

async function all<Row>(trx: Knex, sql: string, bindings: readonly Knex.RawBinding[] = []): Promise<readonly Row[]> {
  return ((await trx.raw(sql, bindings)) as { rows: Row[] }).rows;
}

async function exists(trx: Knex, table: string): Promise<boolean> {
  const [row] = await all<{ found: boolean }>(trx, 'SELECT to_regclass(?) IS NOT NULL AS found', [table]);
  return row?.found === true;
}

/** @throws what the database throws; the caller says it in words */
export function gatherFacts(knex: Knex, options: GatherOptions): Promise<Facts> {
  return knex.transaction((trx) => gather(trx, options), { readOnly: true });
}

async function gather(trx: Knex, { sample, now, userIds }: GatherOptions): Promise<Facts> {
  const before = now();
  const [clock] = await all<{ version: string; epoch: string }>(
    trx,
    "SELECT current_setting('server_version') AS version, extract(epoch FROM clock_timestamp()) AS epoch",
  );
  const clockDifference = Number(clock?.epoch) - (before + now()) / 2;
  const hasSessions = await exists(trx, 'django_session');
  const newest = hasSessions ? await newestRows(trx, sample) : [];
  const hasUsers = await exists(trx, 'auth_user');
  const nothing = { rows: 0, expired: 0, oldestExpired: null, traffic: { reads: 0, writes: 0, deletes: 0 } };
  return {
    serverVersion: clock?.version ?? '',
    clockDifference,
    sessionColumns: hasSessions ? await columnsOf(trx, 'django_session') : null,
    sessionIndexes: await indexesOf(trx, 'django_session'),
    newest,
    ...(hasSessions ? { ...(await counts(trx)), traffic: await trafficOf(trx, 'django_session') } : nothing),
    hashers: hasUsers ? await hashersOf(trx) : null,
    passwords: hasUsers ? await passwordsOf(trx, userIds(newest)) : new Map(),
    recorded: await recorded(trx),
  };
}

/** By expire_date, which has an index: a table of millions is not sorted for this. */
function newestRows(trx: Knex, sample: number): Promise<readonly SessionRow[]> {
  const sql = 'SELECT session_key, session_data, expire_date FROM django_session ORDER BY expire_date DESC LIMIT ?';
  return all<SessionRow>(trx, sql, [sample]);
}

async function columnsOf(trx: Knex, table: string): Promise<readonly string[]> {
  const found = await all<{ line: string }>(
    trx,
    `SELECT attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END AS line
       FROM pg_attribute WHERE attrelid = ?::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [table],
  );
  return found.map(({ line }) => line);
}

async function indexesOf(trx: Knex, table: string): Promise<readonly string[]> {
  const found = await all<{ line: string }>(
    trx,
    `SELECT CASE WHEN indisunique THEN 'unique ' ELSE '' END
              || regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', '') AS line
       FROM pg_index WHERE indrelid = to_regclass(?) AND indisvalid ORDER BY 1`,
    [table],
  );
  return found.map(({ line }) => line);
}

async function counts(trx: Knex): Promise<Pick<Facts, 'rows' | 'expired' | 'oldestExpired'>> {
  // The planner's estimate: counting millions of rows takes seconds. It is -1 before the first ANALYZE.
  const [size] = await all<{ estimate: string }>(
    trx,
    "SELECT reltuples::bigint AS estimate FROM pg_class WHERE oid = 'django_session'::regclass",
  );
  const [expired] = await all<{ count: string; seconds: string | null }>(
    trx,
    'SELECT count(*) AS count, extract(epoch FROM now() - min(expire_date)) AS seconds FROM django_session WHERE expire_date < now()',
  );
  const estimate = Number(size?.estimate ?? 0);
  const small = estimate < 10_000;
  const [exact] = small ? await all<{ count: string }>(trx, 'SELECT count(*) AS count FROM django_session') : [];
  return {
    rows: small ? Number(exact?.count ?? 0) : estimate,
    expired: Number(expired?.count ?? 0),
    oldestExpired: expired?.seconds == null ? null : Number(expired.seconds),
  };
}

async function trafficOf(trx: Knex, table: string): Promise<Traffic> {
  const [row] = await all<{ reads: string; writes: string; deletes: string }>(
    trx,
    `SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0) AS reads,
            coalesce(sum(n_tup_ins + n_tup_upd), 0) AS writes, coalesce(sum(n_tup_del), 0) AS deletes
       FROM pg_stat_user_tables WHERE relid = ?::regclass`,
    [table],
  );
  return { reads: Number(row?.reads), writes: Number(row?.writes), deletes: Number(row?.deletes) };
}

/** By the first part of what looks like a hash: the column may hold anything, also a password in the clear. */
async function hashersOf(trx: Knex): Promise<Readonly<Record<string, number>>> {
  const found = await all<{ algorithm: string; count: string }>(
    trx,
    `SELECT CASE WHEN password LIKE '!%' OR password = '' THEN 'unusable'
                 WHEN password ~ '^[a-z][a-z0-9_]{2,30}[$][^$]*[$].' THEN split_part(password, '$', 1)
                 ELSE 'unknown' END AS algorithm,
            count(*) AS count
       FROM auth_user GROUP BY 1 ORDER BY 2 DESC, 1`,
  );
  return Object.fromEntries(found.map(({ algorithm, count }) => [algorithm, Number(count)]));
}

async function passwordsOf(trx: Knex, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = await all<{ id: string; password: string }>(
    trx,
    'SELECT id::text AS id, password FROM auth_user WHERE is_active AND id::text = ANY (?)',
    [[...ids]],
  );
  return new Map(found.map(({ id, password }) => [id, password]));
}

async function recorded(trx: Knex): Promise<boolean> {
  if (!(await exists(trx, 'django_migrations'))) return false;
  const sql = "SELECT 1 FROM django_migrations WHERE app = 'sessions' AND name = '0001_initial'";
  return (await all(trx, sql)).length > 0;
}
