/** Starts and stops what the live suites talk to: databases, Django, and our server as its own process. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { compiled } from '../support/programs.js';
import type { Environment } from './environments.js';

const ROOT = join(import.meta.dirname, '../..');
const SITE = join(import.meta.dirname, 'site');

/** Settings as environment variables, for either server. */
export type Values = Readonly<Record<string, string>> & { readonly DATABASE_URL: string; readonly SECRET_KEY: string };

export interface RunningServer {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  /** What it wrote so far, for a failing test's message. */
  readonly log: () => string;
  stop(): Promise<void>;
}

const running = new Set<RunningServer>();
const children: ChildProcess[] = [];

// Whatever ends the run, nothing is left behind.
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Wait for what a process writes; rejects with all that it wrote when it ends, or takes too long. */
async function written(child: ChildProcess, pattern: RegExp, log: () => string, what: string): Promise<string> {
  const end = Date.now() + 60_000;
  for (;;) {
    const found = pattern.exec(log())?.[1];
    if (found !== undefined) return found;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${what} ended at once:\n${log()}`);
    if (Date.now() > end) throw new Error(`${what} does not start:\n${log()}`);
    await pause(20);
  }
}

function watch(child: ChildProcess, url: () => string): { server: RunningServer; log: () => string } {
  let text = '';
  const take = (chunk: Buffer): void => {
    text = (text + chunk.toString('utf8')).slice(-20_000);
  };
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  const log = (): string => text;
  const server: RunningServer = {
    get url() {
      return url();
    },
    log,
    async stop() {
      running.delete(server);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    },
  };
  running.add(server);
  children.push(child);
  return { server, log };
}

/** Our server, with the lab open and no captcha. */
export async function startKoa(values: Values): Promise<RunningServer> {
  const fixed = { HOST: '127.0.0.1', PORT: '0', LAB: '1', LOGIN_CAPTCHA: 'off', ALLOWED_HOSTS: '*', LOG_LEVEL: 'warn' };
  const child = spawn(process.execPath, [compiled('server/main.ts')], {
    cwd: ROOT,
    env: { ...process.env, ...fixed, ...values },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let url = '';
  const { server, log } = watch(child, () => url);
  url = await written(child, /Listening on (http:\S+?)\/?\n/, log, 'Our server');
  while ((await fetch(`${url}/readyz`)).status !== 200) await pause(20);
  return server;
}

/** Django on test/django/site. The tables must be there: see `manage`. */
export async function startDjango(django: Environment, values: Values): Promise<RunningServer> {
  const child = spawn(django.python, ['serve.py'], { cwd: SITE, env: pythonEnv(values), stdio: 'pipe' });
  let port = '';
  const { server, log } = watch(child, () => `http://127.0.0.1:${port}`);
  port = await written(child, /listening (\d+)/, log, `Django ${django.version}`);
  return server;
}

/** Run `manage.py` of the site; resolves to what it printed, rejects with what it complained of. */
export async function manage(django: Environment, values: Values, ...command: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(django.python, ['manage.py', ...command], {
    cwd: SITE,
    env: pythonEnv(values),
  });
  return stdout;
}

/** Run our own command line. */
export function koaCommand(values: Values, ...command: string[]): Promise<string> {
  return koaCommandWith('', values, ...command);
}

/** The same with lines for its standard input. */
export async function koaCommandWith(input: string, values: Values, ...command: string[]): Promise<string> {
  const running = promisify(execFile)(process.execPath, [compiled('server/cli/main.ts'), ...command], {
    cwd: ROOT,
    env: { ...process.env, ...values },
  });
  running.child.stdin?.end(input);
  return (await running).stdout;
}

/** Stop what is still running. */
export async function stopServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()));
}

/** The environment of a Python process that tests start. */
export function pythonEnv(values: Values): NodeJS.ProcessEnv {
  // Byte code stays out of the repository's folders.
  return { ...process.env, ...values, PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore' };
}
