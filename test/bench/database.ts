/** The PostgreSQL of the benchmark: its own cluster with its own settings (fsync on), or the one that BENCH_DATABASE_URL names. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../server/embedded_database/index.js';

export interface BenchDatabase {
  readonly url: string;
  /** Of another database of the same cluster. */
  urlOf(database: string): string;
  readonly version: string;
  /** The postmaster, when it runs here: its CPU time is measured then. */
  readonly pid: number | undefined;
  /** The folder that has pgbench, when one has. */
  readonly pgbench: string | undefined;
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  stop(): Promise<void>;
}

const FOLDER = fileURLToPath(new URL('../../.data/bench', import.meta.url));

/** A quarter of the memory, as PostgreSQL's manual (19.4.1) advises: with 16 GB, a million sessions of all peers fit. */
const SHARED_BUFFERS = `shared_buffers=${Math.floor(totalmem() / 4 / 2 ** 20)}MB`;

const SETTINGS = ['max_connections=200', SHARED_BUFFERS, 'max_wal_size=8GB', 'fsync=on', 'synchronous_commit=on'];

/** Starts the cluster under `.data/bench` (kept between runs, so that a million rows are filled once) and connects. */
export async function openDatabase(): Promise<BenchDatabase> {
  const given = process.env['BENCH_DATABASE_URL'];
  const server = given === undefined ? await startEmbeddedPostgres({ folder: FOLDER, settings: SETTINGS }) : undefined;
  const url = given ?? server?.url ?? '';
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const shown = await client.query<{ server_version: string }>('SHOW server_version');
  return {
    url,
    urlOf: (name) => Object.assign(new URL(url), { pathname: `/${name}` }).href,
    version: shown.rows[0]?.server_version ?? 'unknown',
    pid: server === undefined ? undefined : postmaster(),
    pgbench: process.env['PATH']?.split(':').find((folder) => existsSync(join(folder, 'pgbench'))),
    query: async <Row>(text: string, values: readonly unknown[] = []) =>
      (await client.query(text, [...values])).rows as Row[],
    async stop() {
      await client.end();
      await server?.stop();
    },
  };
}

/** The first line of postmaster.pid, wherever the cluster's data lies in the folder. */
function postmaster(): number | undefined {
  const file = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith('postmaster.pid'),
  );
  return file === undefined ? undefined : Number.parseInt(readFileSync(join(FOLDER, file), 'utf8'), 10);
}

/** PostgreSQL's configuration as far as it bears on the numbers; for the report. */
export async function databaseSettings(database: BenchDatabase): Promise<Record<string, string>> {
  const names = ['shared_buffers', 'fsync', 'synchronous_commit', 'max_connections', 'max_wal_size'];
  const rows = await database.query<{ name: string; setting: string }>(
    'SELECT name, current_setting(name) AS setting FROM pg_settings WHERE name = ANY($1)',
    [names],
  );
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
}

/** The machine in a line. */
export function processor(): string {
  try {
    return /^model name\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
