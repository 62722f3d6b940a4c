/**
 * Runs a PostgreSQL server when DATABASE_URL is not set. Its programs are from an npm package, its data are in the data
 * folder. It listens on a free port of 127.0.0.1, and ends with this process.
 */
import { chownSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { hasCode } from '../error_code.js';
import { ImproperlyConfigured } from '../errors.js';
import { type Account, databaseAccount } from './account.js';
import { freePort, keepUrl, keptUrl, urlOf } from './address.js';
import { packagedPrograms, usableBinaries } from './binaries.js';
import { type Cluster, openCluster, trimLog } from './cluster.js';
import { clusterFolder, makeDataFolder } from './places.js';
import { type Postmaster, runningPostmaster, startPostmaster, takeOver } from './postmaster.js';

export { makeDataFolder } from './places.js';

const DATABASE = 'koa_django_session';
/** The timeout of a start in seconds, including recovery after a crash. */
const START_TIMEOUT = 60;
/** Seconds before each restart after a crash. After the last one has failed, no other is tried. */
const RESTARTS = [0.1, 0.5, 1, 2, 5, 10, 20];

export interface EmbeddedOptions {
  /** The data folder, created if missing. It gets PostgreSQL's files in `postgres/`, and its URL in `database_url`. */
  readonly folder: string;
  /** Called with messages for the person who started the server. They contain no password. */
  readonly log?: (line: string) => void;
  /**
   * For tests: does not flush to disk, and removes the data folder when PostgreSQL ends, also after a crash.
   */
  readonly throwaway?: boolean;
  /** Further settings of postgresql.conf, `name=value`. */
  readonly settings?: readonly string[];
}

export interface EmbeddedPostgres {
  /** Contains the password: do not log it. */
  readonly url: string;
  /** Resolves with the exit status or signal when PostgreSQL ended by itself and all restarts failed; otherwise never. */
  readonly crashed: Promise<string>;
  /** Stops PostgreSQL cleanly. Call it after all connections are closed. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts the embedded PostgreSQL, and creates the cluster the first time. Cleans up after an earlier run: an orphaned
 * PostgreSQL, a zombie, a stale postmaster.pid. After a crash, PostgreSQL is restarted at the same URL.
 *
 * @throws ImproperlyConfigured with what to do: there are no programs for this platform, another server uses the folder,
 *   the folder contains something else, or PostgreSQL does not start
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { log = () => {}, throwaway = false } = options;
  // First, so that no folder is created if there are no programs.
  const native = packagedPrograms();
  const folder = path.resolve(options.folder);
  makeDataFolder(folder);
  const account = databaseAccount(path.join(folder, 'postgres', 'data'));
  const { initdb, postgres } = usableBinaries(native, account, folder, log);
  if (throwaway) giveTo(account, folder);
  const place = clusterFolder(folder, account, log);
  const cluster = await openCluster({ folder: place, account, initdb, fsync: !throwaway });
  if (throwaway) giveTo(account, place);

  const begin = async (port: number, lost?: string): Promise<Postmaster> => {
    await takeOver(cluster.data, place, log, lost);
    trimLog(cluster.log);
    const postmaster = startPostmaster({
      postgres,
      account,
      data: cluster.data,
      port,
      log: cluster.log,
      settings: [...(throwaway ? THROWAWAY : ['fsync=on']), ...(options.settings ?? [])],
      ...(throwaway ? { remove: folder } : {}),
    });
    await untilReady(postmaster, urlOf(cluster, port, 'postgres'), cluster, place, log);
    return postmaster;
  };

  const port = await freePort(Number(keptUrl(folder)?.port ?? 0));
  const keeper = keepUp(await begin(port), (lost) => begin(port, lost), throwaway ? [] : RESTARTS, log);
  try {
    await createDatabase(urlOf(cluster, port, 'postgres'));
    const url = urlOf(cluster, port, DATABASE);
    keepUrl(folder, url);
    return { url, ...keeper };
  } catch (error) {
    await keeper.stop();
    throw error;
  }
}

/** Changes the owner of a throwaway folder, because the shell that removes it runs as PostgreSQL's account. */
function giveTo(account: Account | undefined, folder: string): void {
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
}

const THROWAWAY = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=1000'];

/** The URL of the embedded PostgreSQL that a server is running on this data folder; undefined if none is. */
export function runningEmbeddedUrl(folder: string): string | undefined {
  const url = keptUrl(folder);
  try {
    const running = runningPostmaster(path.join(folder, 'postgres', 'data'));
    return running?.owner !== undefined && running.port === Number(url?.port) ? url?.href : undefined;
  } catch (error) {
    // The folder of another account: we cannot read its password, so we could not connect.
    if (['EACCES', 'EPERM'].includes(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  }
}

/** Restarts PostgreSQL when it ends by itself, until `stop` is called or all restarts have failed. */
function keepUp(
  first: Postmaster,
  again: (lost: string) => Promise<Postmaster>,
  pauses: readonly number[],
  log: (line: string) => void,
): Pick<EmbeddedPostgres, 'crashed' | 'stop'> {
  let giveUp = (_how: string): void => {};
  const crashed = new Promise<string>((resolve) => {
    giveUp = resolve;
  });
  let current: Postmaster | undefined = first;
  let restarting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  const patience = new AbortController();

  const watch = (postmaster: Postmaster): void => {
    current = postmaster;
    void postmaster.ended.then((how) => {
      if (stopping === undefined) restarting = restart(postmaster.mark, how);
    });
  };
  const restart = async (lost: string, how: string): Promise<void> => {
    current = undefined;
    log(`The embedded PostgreSQL ended (${how}).`);
    for (const seconds of pauses) {
      await pause(seconds * 1000, undefined, { ref: false, signal: patience.signal }).catch(() => {});
      if (stopping !== undefined) return;
      try {
        watch(await again(lost));
        log('The embedded PostgreSQL runs again.');
        return;
      } catch (error) {
        log(error instanceof Error ? error.message : String(error));
      }
    }
    giveUp(how);
  };
  watch(first);
  return {
    crashed,
    stop: () => {
      patience.abort();
      stopping ??= (async () => {
        await restarting;
        await current?.stop();
      })();
      return stopping;
    },
  };
}

async function untilReady(
  postmaster: Postmaster,
  url: string,
  cluster: Cluster,
  place: string,
  log: (line: string) => void,
): Promise<void> {
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
      // Compare the mark: the PostgreSQL of a concurrent start may be the one that answers at this port.
      if (runningPostmaster(cluster.data)?.mark === postmaster.mark) {
        await withClient(url, async () => {});
        return;
      }
    } catch (error) {
      // Not listening yet, or "the database system is starting up" (57P03).
      if (!hasCode(error, 'ECONNREFUSED', '57P03')) {
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
  // Of two concurrent starts, PostgreSQL lets one run. For the other, takeOver throws an error that names the process.
  const winner = runningPostmaster(cluster.data);
  if (winner?.owner !== undefined && winner.mark !== postmaster.mark) await takeOver(cluster.data, place, log);
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
