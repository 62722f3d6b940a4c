/** A Redis of the tests' own: Debian's redis-server on a free port, which keeps nothing on disk. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { answering, freePort } from '../support/ports.js';

const MISSING =
  'redis-server is not installed, and these suites talk to a real one: apt-get install redis-server (or brew install redis).';

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Sends a signal; `SIGSTOP` makes it silent with its connections open, `SIGCONT` ends that. */
  signal(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/** @param port for a server that comes back where another was */
export async function startRedis(port?: number): Promise<RedisServer> {
  const own = port ?? (await freePort());
  const child = spawn(
    'redis-server',
    ['--port', String(own), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir()],
    { stdio: 'ignore' },
  );
  const end = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', end);
  await answering(child, own, MISSING);
  return {
    url: `redis://127.0.0.1:${own}/0`,
    port: own,
    signal: (signal) => {
      child.kill(signal);
    },
    stop: async () => {
      process.off('exit', end);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
