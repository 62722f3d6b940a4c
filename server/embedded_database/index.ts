/**
 * A real PostgreSQL of our own for those who set no DATABASE_URL: programs from an npm package, data in the data folder,
 * on a free port of the loopback address, alive as long as this process.
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
/** Seconds that a start may take; a recovery after a crash is part of it. */
const START_TIMEOUT = 60;
/** Seconds between the restarts after a crash. When all have failed we give up. */
const RESTARTS = [0.1, 0.5, 1, 2, 5, 10, 20];

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
  /** Resolves, to what happened, when it ended by itself and could not be started again; otherwise never. */
  readonly crashed: Promise<string>;
  /** Stop it cleanly. Call it last, when nothing needs the database any more; twice is once. */
  stop(): Promise<void>;
}

/**
 * Start the embedded PostgreSQL, the first time with a new cluster. What an earlier run left (an orphan, a zombie, a
 * stale postmaster.pid) is taken over. When PostgreSQL crashes it is started again, at the same URL.
 *
 * @throws ImproperlyConfigured, in a sentence that says what to do: there are no programs for this platform, another
 *   server runs on the folder, the folder holds something else, PostgreSQL does not start
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { log = () => {}, throwaway = false } = options;
  // First: where there are none, no folder is left behind.
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

/** What removes a throw-away folder at the end runs as PostgreSQL's account. */
function giveTo(account: Account | undefined, folder: string): void {
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
}

const THROWAWAY = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=1000'];

/** The URL of the embedded PostgreSQL that a server runs on this data folder now; undefined when none does. */
export function runningEmbeddedUrl(folder: string): string | undefined {
  const url = keptUrl(folder);
  try {
    const running = runningPostmaster(path.join(folder, 'postgres', 'data'));
    return running?.owner !== undefined && running.port === Number(url?.port) ? url?.href : undefined;
  } catch (error) {
    // Another account's; we could not connect either.
    if (['EACCES', 'EPERM'].includes(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  }
}

/** Start PostgreSQL again when it ends without having been told to, until it is told to or does not start any more. */
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
      // The mark: what answers at this port may be the PostgreSQL of another start that was a moment earlier.
      if (runningPostmaster(cluster.data)?.mark === postmaster.mark) {
        await withClient(url, async () => {});
        return;
      }
    } catch (error) {
      // Not listening yet; "the database system is starting up".
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
  // Of two starts at once PostgreSQL lets one through; the other is told who was first.
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
