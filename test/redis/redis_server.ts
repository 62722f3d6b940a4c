/** Redis servers of the tests' own: Debian's redis-server on free ports of 127.0.0.1, which keep no data on disk. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { RedisConnection } from '../../server/redis/connection.js';
import { answering, freePort } from '../support/ports.js';

const MISSING =
  'redis-server is not installed, and these suites talk to a real one: apt-get install redis-server (or brew install redis).';

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Sends a signal; `SIGSTOP` makes it silent with its connections open, `SIGCONT` ends that. */
  signal(signal: NodeJS.Signals): void;
  /** Ends it by SIGKILL. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
const folders: string[] = [];
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that goes with the process. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-redis-'));
  folders.push(folder);
  return folder;
}

/**
 * @param port for a server that comes back where another was
 * @param args further arguments of redis-server
 */
export async function startRedis(port?: number, ...args: readonly string[]): Promise<RedisServer> {
  const own = port ?? (await freePort());
  const usual = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir()];
  // A replica is whole at once, not after the five seconds for which a master waits for others.
  const replication = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];
  return spawnRedis(own, ['--port', String(own), ...usual, ...replication, ...args]);
}

/** A sentinel, whose configuration file it writes itself. */
export function startSentinel(port: number, file: string): Promise<RedisServer> {
  return spawnRedis(port, [file, '--sentinel']);
}

async function spawnRedis(port: number, args: readonly string[]): Promise<RedisServer> {
  const child = spawn('redis-server', args, { stdio: 'ignore' });
  running.add(child);
  await answering(child, port, MISSING);
  return {
    url: `redis://127.0.0.1:${port}/0`,
    port,
    signal: (signal) => {
      child.kill(signal);
    },
    stop: async () => {
      running.delete(child);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** A connection that waits as long as a busy machine is slow; what is tested for its own bounds is opened with them. */
export function openPatiently(url: string): Promise<RedisConnection> {
  return RedisConnection.open(url, { timeout: 15 });
}

/** One command to one server, by a connection of its own. */
export async function tell(server: Pick<RedisServer, 'url'>, ...args: readonly string[]): Promise<unknown> {
  const connection = await openPatiently(server.url);
  try {
    return await connection.command(...args);
  } finally {
    await connection.close();
  }
}

export async function isMaster(server: RedisServer): Promise<boolean> {
  return /role:master/.test(String(await tell(server, 'INFO', 'replication')));
}

/** Asks until `isTrue`, or gives it up after 40 seconds. */
export async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 40_000; performance.now() < end; await pause(25)) {
    if (await isTrue().catch(() => false)) return;
  }
  throw new Error(`It never came that ${what}.`);
}
