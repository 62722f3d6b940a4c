/** The Redis of the benchmark: a process of its own without persistence, filled with the sessions of all who keep theirs there. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createClient } from 'redis';
import { REDIS_ROWS } from './contestants.js';
import { peerJson, session_data, session_key, sessionDocument } from './rows.js';

export interface BenchRedis {
  readonly url: string;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

const PORT = 20_999;
const BATCH = 1000;
const TWO_MONTHS = 60 * 86_400_000;

export const hasRedis = (): boolean => spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0;

/** Sessions 1 to `rows`, REDIS_ROWS at most, as ours, koa-session's and connect-redis's stores write them. */
export async function openRedis(rows: number): Promise<BenchRedis> {
  const settings = ['--port', String(PORT), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const child: ChildProcess = spawn('redis-server', settings, { stdio: 'ignore' });
  const end = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `redis://127.0.0.1:${PORT}`;
  const client = createClient({ url, socket: { reconnectStrategy: (times) => (times < 100 ? 50 : false) } });
  client.on('error', () => {});
  await client.connect();
  const now = Date.now();
  const expires = now + TWO_MONTHS;
  for (let first = 1; first <= Math.min(rows, REDIS_ROWS); first += BATCH) {
    const ids = Array.from({ length: Math.min(BATCH, rows - first + 1) }, (_, n) => first + n);
    await Promise.all(
      ids.flatMap((id) => {
        const key = session_key(id);
        const json = JSON.stringify(sessionDocument(id));
        return [
          client.set(`:1:koa_django_session.cache${key}`, `${expires} ${session_data(json, '1wXyZ0')}`),
          client.set(`koa:${key}`, peerJson(json, expires)),
          client.set(`sess:${key}`, peerJson(json, expires)),
        ];
      }),
    );
  }
  await client.close();
  return {
    url,
    pid: child.pid,
    async stop() {
      child.kill('SIGTERM');
      await end;
    },
  };
}
