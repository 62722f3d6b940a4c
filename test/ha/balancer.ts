/** Debian's haproxy before the nodes, as config/deploy/haproxy.cfg has it: whoever takes writes gets the connections. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { answering, freePort } from '../support/ports.js';
import { DATABASE } from './postgres.js';

const MISSING = 'haproxy is not installed, and this suite puts a real one before PostgreSQL: apt-get install haproxy.';

export interface BalancedNode {
  readonly name: string;
  readonly port: number;
  /** The port of `GET /primary`. */
  readonly rolePort: number;
}

export interface Balancer {
  /** The database's URL by way of haproxy. */
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

export async function startBalancer(nodes: readonly BalancedNode[]): Promise<Balancer> {
  const port = await freePort();
  const folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-haproxy-'));
  const file = path.join(folder, 'haproxy.cfg');
  const servers = nodes.map((node) => `  server ${node.name} 127.0.0.1:${node.port} check port ${node.rolePort}`);
  writeFileSync(
    file,
    `
defaults
  timeout connect 2s
listen postgres
  mode tcp
  bind 127.0.0.1:${port}
  timeout client 1h
  timeout server 1h
  option httpchk GET /primary
  http-check expect status 200
  default-server inter 500ms fastinter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
${servers.join('\n')}
`,
  );
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
  process.once('exit', () => child.kill('SIGKILL'));
  await answering(child, port, MISSING);
  return {
    port,
    url: `postgresql://postgres@127.0.0.1:${port}/${DATABASE}`,
    stop: async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true });
    },
  };
}
