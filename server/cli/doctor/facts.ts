/** Gathers the facts for `doctor` in one read-only transaction. */
import type { Knex } from 'knex';
import type { Clock } from '../../clock.js';
import { WITH_PARTS } from '../../db/partitions.js';
import { checkSessionTable, DJANGO_SESSION, quoteTable, sessionTables } from '../../db/session_table.js';
import { splitTableName } from '../../db/table_name.js';
import { SchemaMismatch } from '../../errors.js';
import { rowsOf } from '../../rows.js';
import { djangoSchemas, pathName } from '../../search_path.js';

export interface SessionRow {
  readonly session_key: string;
  readonly session_data: string;
  readonly expire_date: Date;
}

/** How often a table was searched and written, since the counters in pg_stat_user_tables were reset. */
export interface Traffic {
  readonly reads: number;
  readonly writes: number;
  readonly deletes: number;
}

/** @template U the facts about users, see `GatherOptions.users` */
export interface Facts<U> {
  readonly serverVersion: string;
  /** The database's clock minus this machine's, in seconds. */
  readonly clockDifference: number;
  /** The schema that was examined, if it is not on the search_path; otherwise null. */
  readonly schema: string | null;
  /** Whether this connection sets the search_path, instead of the database or role. */
  readonly isPathGiven: boolean;
  /**
   * The session table that was examined: SESSION_TABLE, or, if that is missing or has no live row, one that has some. If
   * none has a row, the table of a custom session model.
   */
  readonly sessionTable: string;
  /** Why no row can be inserted, as a sentence; null if rows can be inserted. */
  readonly sessionTableProblem: string | null;
  /** `name type [not null]` of each column; null if the table does not exist. */
  readonly sessionColumns: readonly string[] | null;
  /** The indexes' definitions after `USING`. */
  readonly sessionIndexes: readonly string[];
  /** The rows with the latest expire_date, which include the newest ones. */
  readonly newest: readonly SessionRow[];
  /** Exact up to MOST_ROWS, otherwise an estimate. */
  readonly rows: number;
  /** MOST_EXPIRED means: that many or more. */
  readonly expired: number;
  /** Seconds since the oldest row expired; null if none has expired. */
  readonly oldestExpired: number | null;
  readonly traffic: Traffic;
  /** Whether Django's own migrate has recorded the sessions app. */
  readonly recorded: boolean;
  readonly users: U;
}

export interface GatherOptions<U> {
  /** SESSION_TABLE. */
  readonly table: string;
  /** How many of the newest rows to read. */
  readonly sample: number;
  readonly now: Clock;
  /** Gathers the facts about the users of the newest rows, in the same transaction. */
  readonly users: (trx: Knex, newest: readonly SessionRow[]) => Promise<U>;
  /** Whether these rows were signed with one of our keys, and so belong to this server's Django. */
  readonly areOurs: (newest: readonly SessionRow[]) => boolean;
}

async function exists(trx: Knex, table: string): Promise<boolean> {
  const [row] = await rowsOf<{ found: boolean }>(trx, 'SELECT to_regclass(?) IS NOT NULL AS found', [table]);
  return row?.found === true;
}

/** Whether the table exists and this database user may read it. */
async function isReadable(trx: Knex, table: string): Promise<boolean> {
  const sql = "SELECT coalesce(has_table_privilege(to_regclass(?), 'SELECT'), false) AS readable";
  const [row] = await rowsOf<{ readable: boolean }>(trx, sql, [table]);
  return row?.readable === true;
}

/** @throws the database's errors */
export function gatherFacts<U>(knex: Knex, options: GatherOptions<U>): Promise<Facts<U>> {
  return knex.transaction((trx) => gatherAnywhere(trx, options), { readOnly: true });
}

/**
 * Gathers on the search_path first. If its rows are not signed with our keys, looks in other schemas for a Django whose
 * rows are. If no schema has such rows and there is no Django on the search_path, takes the only other schema with a Django.
 */
async function gatherAnywhere<U>(trx: Knex, options: GatherOptions<U>): Promise<Facts<U>> {
  const here = await gather(trx, options);
  if (options.areOurs(here.newest)) return here;
  const others: Facts<U>[] = [];
  const [path] = await rowsOf<{ search_path: string }>(trx, 'SHOW search_path');
  for (const schema of await djangoSchemas(trx)) {
    await rowsOf(trx, "SELECT set_config('search_path', ?, true)", [`${pathName(schema)}, ${path?.search_path}`]);
    const there = { ...(await gather(trx, options)), schema };
    if (options.areOurs(there.newest)) return there;
    others.push(there);
  }
  const [only] = others;
  return only !== undefined && others.length === 1 && !(await hasDjango(trx, path?.search_path ?? '')) ? only : here;
}

/** Whether Django's migrate ran on this search_path. Our migrations write a history too, but no content types. */
async function hasDjango(trx: Knex, search_path: string): Promise<boolean> {
  await rowsOf(trx, "SELECT set_config('search_path', ?, true)", [search_path]);
  if (!(await exists(trx, 'django_migrations'))) return false;
  if (!(await exists(trx, 'koa_django_session_created'))) return true;
  if (!(await isReadable(trx, 'django_content_type'))) return false;
  return (await rowsOf(trx, 'SELECT 1 FROM django_content_type LIMIT 1')).length > 0;
}

async function gather<U>(trx: Knex, { table: wanted, sample, now, users }: GatherOptions<U>): Promise<Facts<U>> {
  const before = now();
  const [clock] = await rowsOf<{ version: string; epoch: string }>(
    trx,
    "SELECT current_setting('server_version') AS version, extract(epoch FROM clock_timestamp()) AS epoch",
  );
  const clockDifference = Number(clock?.epoch) - (before + now()) / 2;
  const [path] = await rowsOf<{ source: string }>(trx, "SELECT source FROM pg_settings WHERE name = 'search_path'");
  const sessionTable = await chooseTable(trx, wanted);
  const table = quoteTable(sessionTable);
  const hasSessions = await exists(trx, table);
  const newest = hasSessions ? await newestRows(trx, table, sample) : [];
  const nothing = { rows: 0, expired: 0, oldestExpired: null, traffic: { reads: 0, writes: 0, deletes: 0 } };
  return {
    serverVersion: clock?.version ?? '',
    clockDifference,
    schema: null,
    isPathGiven: path?.source === 'client',
    sessionTable,
    sessionTableProblem: hasSessions ? await problemOf(trx, sessionTable) : null,
    sessionColumns: hasSessions ? await columnsOf(trx, table) : null,
    sessionIndexes: await indexesOf(trx, table),
    newest,
    ...(hasSessions ? { ...(await counts(trx, table)), traffic: await trafficOf(trx, table) } : nothing),
    recorded: await recorded(trx),
    users: await users(trx, newest),
  };
}

/** See `Facts.sessionTable`. The setting may be wrong. */
async function chooseTable(trx: Knex, wanted: string): Promise<string> {
  const others = (await sessionTables(trx)).filter((name) => name !== wanted);
  for (const condition of ['expire_date > now()', 'true']) {
    for (const name of [wanted, ...others]) {
      const table = quoteTable(name);
      if (!(await exists(trx, table))) continue;
      if ((await rowsOf(trx, `SELECT 1 FROM ${table} WHERE ${condition} LIMIT 1`)).length > 0) return name;
    }
  }
  // A custom session model is likely the one in use: Django creates django_session even if it is unused.
  const [own, another] = others.filter((name) => splitTableName(name).schema === undefined);
  return own !== undefined && another === undefined && wanted === DJANGO_SESSION ? own : wanted;
}

async function problemOf(trx: Knex, table: string): Promise<string | null> {
  try {
    await checkSessionTable(trx, table);
    return null;
  } catch (error) {
    if (error instanceof SchemaMismatch) return error.message;
    throw error;
  }
}

/** Ordered by expire_date, which has an index, so that a large table is not sorted. */
function newestRows(trx: Knex, table: string, sample: number): Promise<readonly SessionRow[]> {
  const sql = `SELECT session_key, session_data, expire_date FROM ${table} ORDER BY expire_date DESC LIMIT ?`;
  return rowsOf<SessionRow>(trx, sql, [sample]);
}

async function columnsOf(trx: Knex, table: string): Promise<readonly string[]> {
  const found = await rowsOf<{ line: string }>(
    trx,
    `SELECT attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END AS line
       FROM pg_attribute WHERE attrelid = ?::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [table],
  );
  return found.map(({ line }) => line);
}

async function indexesOf(trx: Knex, table: string): Promise<readonly string[]> {
  const found = await rowsOf<{ line: string }>(
    trx,
    `SELECT CASE WHEN indisunique THEN 'unique ' ELSE '' END
              || regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', '') AS line
       FROM pg_index WHERE indrelid = to_regclass(?) AND indisvalid ORDER BY 1`,
    [table],
  );
  return found.map(({ line }) => line);
}

/** Rows are counted up to this number; above it, the planner's estimate is used. */
const MOST_ROWS = 10_000;
/** Expired rows are counted up to this number. */
export const MOST_EXPIRED = 100_000;

async function countUpTo(trx: Knex, rows: string, most: number): Promise<number> {
  const [row] = await rowsOf<{ count: string }>(
    trx,
    `SELECT count(*) AS count FROM (SELECT 1 FROM ${rows} LIMIT ${most}) r`,
  );
  return Number(row?.count);
}

/** The planner's estimate. It uses the size of the files, including partitions, even before the first ANALYZE. */
async function estimateOf(trx: Knex, table: string): Promise<number> {
  const [row] = await rowsOf<{ 'QUERY PLAN': readonly { Plan: { 'Plan Rows': number } }[] }>(
    trx,
    `EXPLAIN (FORMAT JSON) SELECT 1 FROM ${table}`,
  );
  return row?.['QUERY PLAN'][0]?.Plan['Plan Rows'] ?? 0;
}

async function counts(trx: Knex, table: string): Promise<Pick<Facts<unknown>, 'rows' | 'expired' | 'oldestExpired'>> {
  const counted = await countUpTo(trx, table, MOST_ROWS);
  const [oldest] = await rowsOf<{ seconds: string | null }>(
    trx,
    `SELECT extract(epoch FROM now() - min(expire_date)) AS seconds FROM ${table}`,
  );
  const seconds = Number(oldest?.seconds ?? 0);
  return {
    rows: counted < MOST_ROWS ? counted : await estimateOf(trx, table),
    expired: seconds > 0 ? await countUpTo(trx, `${table} WHERE expire_date < now()`, MOST_EXPIRED) : 0,
    oldestExpired: seconds > 0 ? seconds : null,
  };
}

async function trafficOf(trx: Knex, table: string): Promise<Traffic> {
  const [row] = await rowsOf<{ reads: string; writes: string; deletes: string }>(
    trx,
    `${WITH_PARTS}
     SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0) AS reads,
            coalesce(sum(n_tup_ins + n_tup_upd), 0) AS writes, coalesce(sum(n_tup_del), 0) AS deletes
       FROM pg_stat_user_tables WHERE relid IN (SELECT oid FROM parts)`,
    [table],
  );
  return { reads: Number(row?.reads), writes: Number(row?.writes), deletes: Number(row?.deletes) };
}

/** True also if this database user may not read the history, to report no false problem. */
async function recorded(trx: Knex): Promise<boolean> {
  if (!(await exists(trx, 'django_migrations'))) return false;
  if (!(await isReadable(trx, 'django_migrations'))) return true;
  const sql = "SELECT 1 FROM django_migrations WHERE app = 'sessions' AND name = '0001_initial'";
  return (await rowsOf(trx, sql)).length > 0;
}
