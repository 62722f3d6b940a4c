/** A pgbouncer of the tests' own, Debian's, which shares two connections among all clients by transaction. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { answering, freePort } from '../support/ports.js';

const MISSING =
  'pgbouncer is not installed, and this suite talks to a real one: apt-get install pgbouncer (or brew install pgbouncer).';

/** As DEPLOYMENT.md says it must be set: pgbouncer refuses start-up parameters that it does not know. */
const settings = (port: number, { hostname, port: server, username, password }: URL): string => `
[databases]
* = host=${hostname} port=${server} user=${decodeURIComponent(username)}${password === '' ? '' : ` password='${decodeURIComponent(password)}'`}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
server_login_retry = 1
ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout
`;

export interface Pgbouncer {
  /** The database's URL by way of pgbouncer. */
  readonly url: string;
  stop(): Promise<void>;
}

/** @param url the database behind it */
export async function startPgbouncer(url: string): Promise<Pgbouncer> {
  const port = await freePort();
  const folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-pgbouncer-'));
  const file = path.join(folder, 'pgbouncer.ini');
  writeFileSync(file, settings(port, new URL(url)));
  // It refuses to run as root, and reads its file as whoever it becomes.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    chmodSync(folder, 0o755);
    chmodSync(file, 0o644);
  }
  const child = spawn('pgbouncer', [...(isRoot ? ['-u', 'nobody'] : []), file], { stdio: 'ignore' });
  const end = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', end);
  await answering(child, port, MISSING);
  const bounced = new URL(url);
  bounced.port = String(port);
  return {
    url: bounced.href,
    stop: async () => {
      process.off('exit', end);
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      rmSync(folder, { recursive: true });
    },
  };
}
