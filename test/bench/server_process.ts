/** Starts a contestant's server, waits until it answers, and stops it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Contestant } from './contestants.js';
import { Connection } from './load/connection.js';
import { CORES, pin } from './processes.js';
import { SECRET_KEY } from './rows.js';

export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

/** Where the sessions are. */
export interface Data {
  readonly database: { readonly url: string };
  readonly redis?: { readonly url: string } | null;
}

let port = 21_000;

/** @param pinned the server gets core 0 for itself, where it is one process and the machine has more cores */
export async function startServer(contestant: Contestant, data: Data, pinned: boolean): Promise<RunningServer> {
  const [command = '', ...args] = contestant.command;
  const mine = port++;
  const child: ChildProcess = spawn(command, args, {
    cwd: fileURLToPath(new URL('peers/django_site', import.meta.url)),
    env: {
      ...process.env,
      ...contestant.env,
      NODE_ENV: 'production',
      PORT: String(mine),
      GUNICORN_CMD_ARGS: `--bind=127.0.0.1:${mine}`,
      DATABASE_URL: data.database.url,
      ...(data.redis && { REDIS_URL: data.redis.url }),
      SECRET_KEY,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let ended: number | string | null = null;
  const end = new Promise<void>((resolve) =>
    child.once('exit', (code, signal) => {
      ended = signal ?? code ?? 0;
      resolve();
    }),
  );
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${contestant.name}: ${command} does not start`);
  const deadline = Date.now() + 20_000;
  for (;;) {
    const probe = new Connection(mine);
    const answer = await probe
      .ask(`GET ${contestant.ready ?? '/none'} HTTP/1.1\r\nHost: 127.0.0.1:${mine}\r\n\r\n`)
      .catch(() => ({ status: 0, body: '' }));
    probe.close();
    if (answer.status === 200) break;
    if (ended !== null || Date.now() > deadline)
      throw new Error(
        `${contestant.name} does not answer (${ended ?? answer.status}): ${contestant.command.join(' ')}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (pinned && contestant.processes === 1 && CORES > 1) pin(pid, [0]);
  return {
    pid,
    port: mine,
    async stop() {
      const late = setTimeout(() => child.kill('SIGKILL'), 3000);
      child.kill('SIGTERM');
      await end;
      clearTimeout(late);
    },
  };
}
