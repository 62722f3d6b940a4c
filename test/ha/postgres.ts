/** Debian's PostgreSQL on loopback: two nodes of which one follows the other, as an operator would run them. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { until } from '../fire/until.js';
import { freePort } from '../support/ports.js';

const run = promisify(execFile);
const INSTALLED = '/usr/lib/postgresql';

/** The newest release that is installed. */
function binaries(): string {
  const releases = existsSync(INSTALLED) ? readdirSync(INSTALLED).filter((name) => /^\d+$/.test(name)) : [];
  const newest = releases.map(Number).sort((a, b) => b - a)[0];
  if (newest === undefined) {
    throw new Error('PostgreSQL is not installed, and this suite runs two of them: apt-get install postgresql.');
  }
  return path.join(INSTALLED, String(newest), 'bin');
}

export const BIN = binaries();

/** PostgreSQL refuses to run as root: then it is Debian's account for it. */
export const ACCOUNT = process.getuid?.() === 0 ? accountOf('postgres') : undefined;

function accountOf(name: string): { readonly uid: number; readonly gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined) throw new Error(`There is no account ${name}.`);
  return { uid: Number(uid), gid: Number(gid) };
}

async function program(name: string, ...args: readonly string[]): Promise<void> {
  await run(path.join(BIN, name), args, { ...ACCOUNT, env: { ...process.env, LC_ALL: 'C' } });
}

export const DATABASE = 'koa';

/** Seconds for what a busy machine does slowly. */
const PATIENCE = 60;

export class PostgresNode {
  readonly name: string;
  readonly port: number;
  readonly #folder: string;
  #process: ChildProcess | undefined;
  #role: Server | undefined;

  private constructor(name: string, port: number, folder: string) {
    this.name = name;
    this.port = port;
    this.#folder = path.join(folder, name);
  }

  /** @param folder to keep its data in, which the account may write to */
  static async make(name: string, folder: string): Promise<PostgresNode> {
    mkdirSync(folder, { recursive: true });
    if (ACCOUNT !== undefined) chownSync(folder, ACCOUNT.uid, ACCOUNT.gid);
    chmodSync(folder, 0o700);
    const node = new PostgresNode(name, await freePort(), folder);
    process.once('exit', () => node.#process?.kill('SIGKILL'));
    return node;
  }

  get url(): string {
    return `postgresql://postgres@127.0.0.1:${this.port}/${DATABASE}`;
  }

  /** The port of `GET /primary`: 200 while this node takes writes, as Patroni says it. */
  get rolePort(): number {
    return (this.#role?.address() as AddressInfo).port;
  }

  /** Rows of one statement, which may take so many seconds. */
  async ask<Row extends object>(sql: string, database = DATABASE, seconds = PATIENCE): Promise<readonly Row[]> {
    const client = new pg.Client({
      connectionString: `postgresql://postgres@127.0.0.1:${this.port}/${database}`,
      connectionTimeoutMillis: seconds * 1000,
      query_timeout: seconds * 1000,
    });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      // One that is frozen would not answer.
      client.end().catch(() => {});
    }
  }

  /** Rejects when it is down or frozen. */
  async isPrimary(): Promise<boolean> {
    const [row] = await this.ask<{ primary: boolean }>('SELECT NOT pg_is_in_recovery() AS primary', 'postgres', 5);
    return row?.primary === true;
  }

  async initialize(): Promise<void> {
    await program('initdb', '-D', this.#folder, '-U', 'postgres', '-A', 'trust', '--no-sync');
    this.#configure();
    await this.start();
    await this.ask(`CREATE DATABASE ${DATABASE}`, 'postgres');
  }

  /** Copy a primary and follow it. */
  async follow(primary: PostgresNode): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true });
    const from = `host=127.0.0.1 port=${primary.port} user=postgres application_name=${this.name}`;
    await program('pg_basebackup', '-d', from, '-D', this.#folder, '-R', '-X', 'stream', '-c', 'fast', '--no-sync');
    this.#configure();
    await this.start();
  }

  /** After it was a primary that died: rewind what the other never got, and follow it. */
  async rejoin(primary: PostgresNode): Promise<void> {
    // Until then the new primary's control file names its old timeline, and pg_rewind finds nothing to do.
    await primary.ask('CHECKPOINT', 'postgres');
    // As it was killed, it first has to recover by itself.
    const single = ['--single', '-D', this.#folder, 'postgres'];
    const recovery = spawn(path.join(BIN, 'postgres'), single, { ...ACCOUNT, stdio: ['ignore', 'ignore', 'ignore'] });
    await once(recovery, 'exit');
    const source = `host=127.0.0.1 port=${primary.port} user=postgres dbname=postgres`;
    await program('pg_rewind', '-D', this.#folder, `--source-server=${source}`, '-R', '--no-sync');
    this.#configure();
    appendFileSync(
      path.join(this.#folder, 'postgresql.auto.conf'),
      `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=postgres application_name=${this.name}'\n`,
    );
    await this.start();
  }

  #configure(): void {
    const settings = {
      port: this.port,
      listen_addresses: "'127.0.0.1'",
      unix_socket_directories: "''",
      wal_log_hints: 'on',
      wal_keep_size: '256MB',
      max_connections: 100,
      shared_buffers: '32MB',
      log_min_messages: 'fatal',
      // What a synchronous commit promises does not depend on the disk of a machine that stays on.
      fsync: 'off',
      // A frozen follower is noticed only by who waits for it.
      wal_sender_timeout: 0,
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
    appendFileSync(path.join(this.#folder, 'postgresql.conf'), `${lines.join('\n')}\n`);
  }

  async start(): Promise<void> {
    this.#process = spawn(path.join(BIN, 'postgres'), ['-D', this.#folder], { ...ACCOUNT, stdio: 'ignore' });
    await until(async () => ((await this.ask('SELECT 1', 'postgres')).length === 1 ? true : undefined), {
      seconds: PATIENCE,
      what: () => `PostgreSQL ${this.name} to answer`,
    });
    this.#role ??= createServer((request, response) => {
      const answer = (isPrimary: boolean): void => {
        response.writeHead(request.url === '/primary' && isPrimary ? 200 : 503).end();
      };
      this.isPrimary().then(answer, () => answer(false));
    }).listen(0, '127.0.0.1');
    if (!this.#role.listening) await once(this.#role, 'listening');
  }

  /** Commit only what that node has, too; null: without waiting for anybody. */
  async waitFor(standby: PostgresNode | null): Promise<void> {
    await this.ask(`ALTER SYSTEM SET synchronous_standby_names = '${standby?.name ?? ''}'`, 'postgres');
    await this.ask('SELECT pg_reload_conf()', 'postgres');
    if (standby === null) return;
    await until(async () => ((await this.waitsFor(standby)) ? true : undefined), {
      seconds: PATIENCE,
      what: () => `${standby.name} to follow ${this.name} synchronously`,
    });
  }

  async waitsFor(standby: PostgresNode): Promise<boolean> {
    const [row] = await this.ask<{ sync_state: string }>(
      `SELECT sync_state FROM pg_stat_replication WHERE application_name = '${standby.name}' AND state = 'streaming'`,
      'postgres',
    );
    return row?.sync_state === 'sync';
  }

  async promote(): Promise<void> {
    await this.ask('SELECT pg_promote(false)', 'postgres');
    await until(async () => ((await this.isPrimary()) ? true : undefined), {
      seconds: PATIENCE,
      what: () => `${this.name} to be the primary`,
    });
    // It waits for nobody before it has a follower of its own.
    await this.waitFor(null);
  }

  /** kill -9 of all its processes. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** An orderly end, in which all that it has is sent to its follower (a fast shutdown). */
  async shutdown(): Promise<void> {
    await this.#end('SIGINT');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const [postmaster, ...others] = this.#processes();
    if (postmaster === undefined) return;
    const exited = once(this.#process as ChildProcess, 'exit');
    for (const pid of signal === 'SIGKILL' ? [postmaster, ...others] : [postmaster]) send(pid, signal);
    await exited;
  }

  /** Still there, and answers nothing: the machine hangs. */
  freeze(): void {
    for (const pid of this.#processes()) send(pid, 'SIGSTOP');
  }

  thaw(): void {
    for (const pid of this.#processes()) send(pid, 'SIGCONT');
  }

  /** The postmaster first, so that it starts no others meanwhile; none when it has ended. */
  #processes(): readonly number[] {
    const { pid, exitCode, signalCode } = this.#process ?? {};
    return pid === undefined || exitCode !== null || signalCode !== null ? [] : withChildren(pid);
  }

  async stop(): Promise<void> {
    this.thaw();
    await this.kill();
    this.#role?.close();
    this.#role?.closeAllConnections();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A process that lives, and those that it started. */
export function withChildren(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return [pid, ...children.split(' ').filter(Boolean).map(Number)];
}

export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // A backend that ended by itself meanwhile.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
