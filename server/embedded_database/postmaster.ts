/** PostgreSQL's process: starts it so that it ends with us, finds it again after a crash, and stops it cleanly. */
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
 * A shell script between us and PostgreSQL. Its standard input is a pipe from us. The kernel closes the pipe when we end,
 * even by kill -9. Then the script stops PostgreSQL: by SIGINT (fast shutdown), after 30 seconds by SIGQUIT (immediate
 * shutdown). It repeats the signal, because PostgreSQL ignores signals just after its start. If $1 is not empty, it removes
 * that folder at the end.
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

/** How a postmaster's command line begins. Another program may have the word in the path of its file. */
const POSTMASTER = /(?:^|\/)postgres -D /;

/** A setting on PostgreSQL's command line: the mark of the process that started it. */
const OWNER = 'koa_django_session.owner';

export interface StartPostmaster {
  readonly postgres: string;
  readonly account: Account | undefined;
  readonly data: string;
  readonly port: number;
  readonly log: string;
  /** Settings of postgresql.conf as `name=value`. They override ours. */
  readonly settings: readonly string[];
  /** A folder to remove when PostgreSQL has ended. */
  readonly remove?: string;
}

/** A PostgreSQL that we started. */
export interface Postmaster {
  /** Identifies this start, on PostgreSQL's command line. */
  readonly mark: string;
  /** Resolves with the exit status or signal when PostgreSQL ends, stopped or by itself. */
  readonly ended: Promise<string>;
  /** Stops PostgreSQL with a fast shutdown. Resolves when it has ended. May be called twice. */
  stop(): Promise<void>;
}

/** Starts PostgreSQL in its own POSIX session, so that Ctrl-C reaches only our server, which stops PostgreSQL last. */
export function startPostmaster(options: StartPostmaster): Postmaster {
  const mark = `${ownMark()}@${randomBytes(6).toString('hex')}`;
  const settings = [
    `port=${options.port}`,
    'listen_addresses=127.0.0.1',
    // No Unix socket: it is not needed, and its path is limited to about 100 bytes, which a deep folder exceeds.
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
  // The child alone must not keep this process running.
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

/** The content of `postmaster.pid`: process and port of the PostgreSQL that runs on a data directory, or that crashed. */
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

/** The PostgreSQL that runs on a data directory, and the process that started it if that one still runs. */
export interface Running {
  readonly postmaster: ProcessInfo;
  readonly port: number;
  /** See `Postmaster.mark`; undefined if PostgreSQL was not started by us. */
  readonly mark: string | undefined;
  readonly owner: ProcessInfo | undefined;
}

/** undefined if none runs. postmaster.pid may be stale: its process a zombie, or its pid now that of another program. */
export function runningPostmaster(data: string): Running | undefined {
  const file = readPidFile(data);
  const postmaster = file === undefined ? undefined : processInfo(file.pid);
  if (file === undefined || postmaster === undefined || !POSTMASTER.test(postmaster.command)) return undefined;
  const [, mark] = new RegExp(`${OWNER}=(\\S+)`).exec(postmaster.command) ?? [];
  return { postmaster, port: file.port, mark, owner: mark === undefined ? undefined : lives(mark) };
}

/**
 * Prepares a start: refuses if another server uses this data directory, stops an orphaned PostgreSQL, and removes a stale
 * postmaster.pid.
 *
 * @param lost the mark of a PostgreSQL of this process that ended by itself; if it still runs, it is an orphan
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

/** Tries SIGINT (fast shutdown), SIGQUIT (immediate), SIGKILL. All are safe; the last two cost a recovery. */
async function stopOrphan({ pid, began }: ProcessInfo): Promise<void> {
  const gone = (): boolean => processInfo(pid)?.began !== began;
  for (const [signal, seconds] of [
    ['SIGINT', 15],
    ['SIGQUIT', 10],
    ['SIGKILL', 5],
  ] as const) {
    for (let waited = 0; waited < seconds; waited += 0.05) {
      if (gone()) return;
      // Repeated each second, because a postmaster ignores signals just after its start.
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
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

/**
 * PostgreSQL ignores the file of a dead process, but takes a zombie, or another program with the same pid, for a running
 * postmaster. Its shared memory still prevents two servers on one data directory.
 */
function removeStalePidFile(data: string): void {
  const before = readPidFile(data);
  if (before === undefined || runningPostmaster(data) !== undefined) return;
  if (readPidFile(data)?.text === before.text) unlinkSync(path.join(data, 'postmaster.pid'));
}
