/** PostgreSQL's process: started so that it cannot outlive us, found again after a crash, stopped cleanly. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { hasCode } from '../error_code.js';
import { ImproperlyConfigured } from '../errors.js';
import { type Account, asAccount } from './account.js';
import { lives, ownMark, type ProcessInfo, processInfo } from './processes.js';

/**
 * A shell between us and PostgreSQL. Its standard input is a pipe from us, that the kernel closes when we end, kill -9
 * included; then it stops PostgreSQL: fast (SIGINT) at first, at once (SIGQUIT) when that takes half a minute. Signals
 * are repeated because PostgreSQL, just started, still ignores them. With $1 set, that folder is removed at the end.
 */
const KEEPER = `
remove=$1; shift
exec 3<&0 </dev/null
"$@" 3<&- & server=$!
{
  read -r _ <&3
  n=0
  while kill -INT $server 2>/dev/null && [ $n -lt 60 ]; do sleep 0.5; n=$((n + 1)); done
  kill -QUIT $server 2>/dev/null
} & watcher=$!
exec 3<&-
wait $server; status=$?
kill $watcher 2>/dev/null
[ -z "$remove" ] || rm -rf -- "$remove"
exit $status
`;

/** The name under which PostgreSQL's command line bears the mark of the process that started it. */
const OWNER = 'koa_django_session.owner';

export interface StartPostmaster {
  readonly postgres: string;
  readonly account: Account | undefined;
  readonly data: string;
  readonly port: number;
  readonly log: string;
  /** `name=value` of postgresql.conf, over our own. */
  readonly settings: readonly string[];
  /** A folder to remove when PostgreSQL has ended. */
  readonly remove?: string;
}

/** A PostgreSQL that we started. */
export interface Postmaster {
  /** What its command line says about who started it; another start has another mark. */
  readonly mark: string;
  /** Its exit, expected or not: a status or a signal. */
  readonly ended: Promise<string>;
  /** Stop it cleanly: connections are ended, everything is written. Resolves when it is gone; twice is once. */
  stop(): Promise<void>;
}

/** Start it, in a session of its own: Ctrl-C reaches the server, which stops PostgreSQL when it has no more need of it. */
export function startPostmaster(options: StartPostmaster): Postmaster {
  const mark = `${ownMark()}@${randomBytes(6).toString('hex')}`;
  const settings = [
    `port=${options.port}`,
    'listen_addresses=127.0.0.1',
    // No socket file: it would be one more way in, and its path has a length limit that a deep folder exceeds.
    'unix_socket_directories=',
    'timezone=UTC',
    'log_timezone=UTC',
    `${OWNER}=${mark}`,
    ...options.settings,
  ];
  const log = openSync(options.log, 'a', 0o600);
  const command = [options.postgres, '-D', options.data, ...settings.flatMap((setting) => ['-c', setting])];
  const child = spawn('/bin/sh', ['-c', KEEPER, 'postgres-keeper', options.remove ?? '', ...command], {
    ...asAccount(options.account),
    stdio: ['pipe', log, log],
    detached: true,
  });
  closeSync(log);
  // The server lives as long as it listens; PostgreSQL alone keeps no process up.
  child.unref();
  const pipe = child.stdin as Socket | null;
  pipe?.unref();
  pipe?.on('error', () => {});
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit status ${code}`));
  });
  return { mark, ended, stop: () => stop(child, ended) };
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.ref();
  child.stdin?.end();
  await ended;
}

/** What `postmaster.pid` says: process and port of the PostgreSQL that runs on a data directory, or ran and crashed. */
interface PidFile {
  readonly text: string;
  readonly pid: number;
  readonly port: number;
}

function readPidFile(data: string): PidFile | undefined {
  try {
    const content = readFileSync(path.join(data, 'postmaster.pid'), 'utf8');
    const lines = content.split('\n');
    return { text: content, pid: Number(lines[0]), port: Number(lines[3]) };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The PostgreSQL that runs on a data directory now, and the process that started it if that lives. */
export interface Running {
  readonly postmaster: ProcessInfo;
  readonly port: number;
  /** Of the start; undefined when it was started by hand. */
  readonly mark: string | undefined;
  readonly owner: ProcessInfo | undefined;
}

/** undefined: none runs, whatever postmaster.pid says. Its process may be a zombie, or its number another program's. */
export function runningPostmaster(data: string): Running | undefined {
  const file = readPidFile(data);
  const postmaster = file === undefined ? undefined : processInfo(file.pid);
  if (file === undefined || postmaster === undefined || !postmaster.command.includes('postgres')) return undefined;
  const [, mark] = new RegExp(`${OWNER}=(\\S+)`).exec(postmaster.command) ?? [];
  return { postmaster, port: file.port, mark, owner: mark === undefined ? undefined : lives(mark) };
}

/**
 * Make way for a start: refuse when another server runs on this data directory, stop an orphan, remove what a crash left.
 *
 * @param lost the mark of a PostgreSQL that this process started and lost: an orphan too
 * @throws ImproperlyConfigured naming the process that holds the data directory
 */
export async function takeOver(
  data: string,
  folder: string,
  log: (line: string) => void,
  lost?: string,
): Promise<void> {
  const found = runningPostmaster(data);
  if (found === undefined) {
    removeStalePidFile(data);
    return;
  }
  const { postmaster, owner, mark } = found;
  const instead = 'Stop it first, or set DATABASE_URL.';
  if (owner !== undefined && (lost === undefined || mark !== lost)) {
    throw new ImproperlyConfigured(
      `Another server (process ${owner.pid}) already runs on the database in ${folder}. ${instead}`,
    );
  }
  if (mark === undefined) {
    throw new ImproperlyConfigured(
      `A PostgreSQL that was started by hand (process ${postmaster.pid}) runs on the database in ${folder}. ${instead}`,
    );
  }
  log(`Stopping PostgreSQL (process ${postmaster.pid}), which an earlier server left behind.`);
  await stopOrphan(postmaster);
  removeStalePidFile(data);
}

/** Fast, then at once, then hard; each is safe for the data, the later ones only cost a recovery. */
async function stopOrphan({ pid, began }: ProcessInfo): Promise<void> {
  const gone = (): boolean => processInfo(pid)?.began !== began;
  for (const [signal, seconds] of [
    ['SIGINT', 15],
    ['SIGQUIT', 10],
    ['SIGKILL', 5],
  ] as const) {
    for (let waited = 0; waited < seconds; waited += 0.05) {
      if (gone()) return;
      // Repeated each second: a postmaster that has just been started still ignores signals.
      if (Math.round(waited * 20) % 20 === 0) signalTo(pid, signal);
      await pause(50);
    }
  }
  if (!gone()) throw new ImproperlyConfigured(`PostgreSQL (process ${pid}) of an earlier server cannot be stopped.`);
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * PostgreSQL itself steps over the file of a dead process, but takes a zombie, or another program under the same number,
 * for a living postmaster. Its shared memory remains the guard against two on one directory.
 */
function removeStalePidFile(data: string): void {
  const before = readPidFile(data);
  if (before === undefined || runningPostmaster(data) !== undefined) return;
  if (readPidFile(data)?.text === before.text) unlinkSync(path.join(data, 'postmaster.pid'));
}
