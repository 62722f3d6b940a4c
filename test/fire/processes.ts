/** Server processes for the tests: started, killed, and gone when the test run is, with what they wrote kept. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { commandLine } from '../support/programs.js';
import { until } from './until.js';

const ROOT = join(import.meta.dirname, '../..');

/** Fit for production as well: long, and not one character repeated. */
export const SECRET_KEY = 'under-fire-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789';

export type Environment = Readonly<Record<string, string>>;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const QUIET = { NODE_ENV: 'development', HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'warn', LOGIN_CAPTCHA: 'off' };

/** For servers of suites that are not about its bounds: as patient as a busy machine is slow. */
export const PATIENT = { DATABASE_TIMEOUT: '5' };

/** In the server: end when the test run is gone, also when that was killed and could clean up nothing. */
const WITH_PARENT =
  'data:text/javascript,import cluster from "node:cluster";process.once("disconnect",()=>process.exit(9));cluster.isWorker||process.channel.unref();';

/** Seconds after which a start hangs. One that fails ends the process, which is seen at once. */
const PATIENCE = 150;

const running = new Set<ServerProcess>();
process.once('exit', () => {
  for (const server of running) server.kill('SIGKILL');
});

export class ServerProcess {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  url = '';
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  #log = '';

  private constructor(command: readonly string[], environment: Environment) {
    const { DATABASE_URL: _, ...rest } = process.env;
    this.#child = spawn(process.execPath, ['--import', WITH_PARENT, ...commandLine(command)], {
      cwd: ROOT,
      env: { ...rest, ...QUIET, SECRET_KEY, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#log = (this.#log + chunk.toString('utf8')).slice(-500_000);
      });
    }
    running.add(this);
    this.exited = once(this.#child, 'exit').then(([code, signal]) => {
      running.delete(this);
      return { code, signal } as Exit;
    });
  }

  /** Start and wait until it listens; `command` is a program and its arguments, and prints `Listening on URL`. */
  static async listening(environment: Environment, ...command: readonly string[]): Promise<ServerProcess> {
    const server = new ServerProcess(command.length === 0 ? ['server/main.ts'] : command, environment);
    const url = await until(
      () => /Listening on (http:\S+?)\/?\s/.exec(server.#log)?.[1] ?? (server.ended ? '' : undefined),
      { seconds: PATIENCE, what: () => `the server to listen:\n${server.#log}` },
    );
    if (url === '') throw new Error(`The server ended at once:\n${server.#log}`);
    server.url = url;
    return server;
  }

  /** The same, and wait until it serves: the database is migrated. */
  static async ready(environment: Environment, ...command: readonly string[]): Promise<ServerProcess> {
    const server = await ServerProcess.listening(environment, ...command);
    await until(async () => (await fetch(`${server.url}/readyz`)).ok || undefined, {
      seconds: PATIENCE,
      what: () => `the server to be ready:\n${server.#log}`,
    });
    return server;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it wrote so far. */
  get log(): string {
    return this.#log;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Gone when this resolves, however it takes a signal. */
  async stop(): Promise<Exit> {
    if (!this.ended) this.kill('SIGKILL');
    return this.exited;
  }
}

/** For mocha's `afterEach`: what the servers wrote, when a test failed. */
export function showLogs(test: Mocha.Test | undefined, servers: readonly (ServerProcess | undefined)[]): void {
  if (test?.state !== 'failed') return;
  for (const server of servers) {
    if (server !== undefined) process.stderr.write(`--- ${server.url}\n${server.log.slice(-4000)}\n`);
  }
}
