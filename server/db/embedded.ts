/**
 * A real PostgreSQL of our own for those who set no DATABASE_URL: programs from an npm package, data in the data folder,
 * on a free port of the loopback address, alive as long as this process.
 */
import { chmodSync, chownSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { ImproperlyConfigured } from '../errors.js';
import { databaseAccount } from './embedded/account.js';
import { findBinaries } from './embedded/binaries.js';
import { type Cluster, openCluster, SUPERUSER, trimLog } from './embedded/cluster.js';
import { clusterFolder, makeDataFolder } from './embedded/places.js';
import { type Postmaster, runningPostmaster, startPostmaster, takeOver } from './embedded/postmaster.js';

export { makeDataFolder } from './embedded/places.js';

const DATABASE = 'koa_django_session';
/** How long a start may take; a recovery after a crash is part of it. */
const START_TIMEOUT = 60;

export interface EmbeddedOptions {
  /** The data folder; made if missing. PostgreSQL's files go into `postgres/` in it, its URL into `database_url`. */
  readonly folder: string;
  /** Takes sentences for the person who started the server. No password is in them. */
  readonly log?: (line: string) => void;
  /**
   * For tests: nothing is flushed to disk, and the data folder is removed when PostgreSQL ends, however that comes
   * about.
   */
  readonly throwaway?: boolean;
  /** Further settings of postgresql.conf, `name=value`. */
  readonly settings?: readonly string[];
}

export interface EmbeddedPostgres {
  /** With the password: for connecting, not for showing. */
  readonly url: string;
  /** Resolves when PostgreSQL ended without `stop` having been called, to what happened; otherwise never. */
  readonly crashed: Promise<string>;
  /** Stop it cleanly. Call it last, when nothing needs the database any more; twice is once. */
  stop(): Promise<void>;
}

/**
 * Start the embedded PostgreSQL, the first time with a new cluster. What an earlier run left (an orphan, a zombie, a
 * stale postmaster.pid) is taken over.
 *
 * @throws ImproperlyConfigured, in a sentence that says what to do: there are no programs for this platform, another
 *   server runs on the folder, the folder holds something else, PostgreSQL does not start
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { folder, log = () => {}, throwaway = false } = options;
  makeDataFolder(folder);
  const account = databaseAccount(path.join(folder, 'postgres', 'data'));
  const { initdb, postgres } = findBinaries(account, folder, log);
  // What removes a throw-away folder at the end runs as PostgreSQL's account.
  if (throwaway && account !== undefined) chownSync(folder, account.uid, account.gid);
  const place = clusterFolder(folder, account, log);
  const cluster = await openCluster({ folder: place, account, initdb, fsync: !throwaway });
  await takeOver(cluster.data, place, log);
  trimLog(cluster.log);

  const settings = throwaway
    ? [
        'fsync=off',
        'synchronous_commit=off',
        'full_page_writes=off',
        'max_connections=300',
        ...(options.settings ?? []),
      ]
    : ['fsync=on', ...(options.settings ?? [])];
  const begin = async (port: number): Promise<Postmaster> => {
    const postmaster = startPostmaster({
      postgres,
      account,
      data: cluster.data,
      port,
      log: cluster.log,
      settings,
      ...(throwaway ? { remove: path.resolve(folder) } : {}),
    });
    await untilReady(postmaster, urlOf(cluster, port, 'postgres'), cluster);
    return postmaster;
  };
  const port = await freePort(lastPort(folder));
  const postmaster = await begin(port);
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= postmaster.stop();
    return stopping;
  };
  try {
    await createDatabase(urlOf(cluster, port, 'postgres'));
    const url = urlOf(cluster, port, DATABASE);
    writePrivately(path.join(folder, 'database_url'), `${url}\n`);
    const crashed = new Promise<string>((resolve) => {
      void postmaster.ended.then((how) => {
        if (stopping === undefined) resolve(how);
      });
    });
    return { url, crashed, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The URL of the embedded PostgreSQL that a server runs on this data folder now; undefined when none does. */
export function runningEmbeddedUrl(folder: string): string | undefined {
  try {
    const url = readFileSync(path.join(folder, 'database_url'), 'utf8').trim();
    const running = runningPostmaster(path.join(folder, 'postgres', 'data'));
    return running?.owner !== undefined && running.port === Number(new URL(url).port) ? url : undefined;
  } catch {
    return undefined;
  }
}

const urlOf = ({ password }: Cluster, port: number, database: string): string =>
  `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;

/** The port of the last run, so that a psql or a Django that was told the URL finds the database again. */
function lastPort(folder: string): number {
  try {
    return Number(new URL(readFileSync(path.join(folder, 'database_url'), 'utf8').trim()).port);
  } catch {
    return 0;
  }
}

/** The wanted port if it is free, otherwise one that the kernel chooses. */
async function freePort(wanted: number): Promise<number> {
  for (const port of [wanted, 0]) {
    const server = createServer();
    const found = await new Promise<number | undefined>((resolve) => {
      server.once('error', () => resolve(undefined));
      server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
      });
    });
    if (found !== undefined) return found;
  }
  throw new ImproperlyConfigured('There is no free port on 127.0.0.1 for the embedded PostgreSQL.');
}

async function untilReady(postmaster: Postmaster, url: string, cluster: Cluster): Promise<void> {
  let exit: string | undefined;
  void postmaster.ended.then((how) => {
    exit = how;
  });
  const failed = (what: string): ImproperlyConfigured => {
    const lines = readFileSync(cluster.log, 'utf8').trim().split('\n').slice(-3).join('\n');
    return new ImproperlyConfigured(`The embedded PostgreSQL ${what}. The end of ${cluster.log}:\n${lines}`);
  };
  const deadline = performance.now() + START_TIMEOUT * 1000;
  while (exit === undefined) {
    try {
      await withClient(url, async () => {});
      return;
    } catch (error) {
      const { code } = error as { code?: string };
      // Not listening yet; "the database system is starting up".
      if (code !== 'ECONNREFUSED' && code !== '57P03') {
        await postmaster.stop();
        throw error;
      }
    }
    if (performance.now() > deadline) {
      await postmaster.stop();
      throw failed(`was not ready after ${START_TIMEOUT} seconds`);
    }
    await pause(20);
  }
  throw failed(`did not start (${exit})`);
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

async function createDatabase(url: string): Promise<void> {
  await withClient(url, async (client) => {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE "${DATABASE}"`);
  });
}

/** For the owner's eyes; renamed into place, so that a reader never sees half of it. */
function writePrivately(file: string, content: string): void {
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, content, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  try {
    renameSync(temporary, file);
  } finally {
    rmSync(temporary, { force: true });
  }
}
