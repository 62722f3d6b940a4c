/** Debian's Patroni with etcd on loopback: two nodes of PostgreSQL that choose the primary among themselves. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { until } from '../fire/until.js';
import { answering, freePort } from '../support/ports.js';
import type { BalancedNode } from './balancer.js';
import { ACCOUNT, BIN, DATABASE, send, withChildren } from './postgres.js';

const MISSING = 'etcd is not installed, and this suite runs one for Patroni: apt-get install patroni etcd-server.';

/** Seconds for what a busy machine does slowly; a leader that died is missed after TTL at the earliest. */
const PATIENCE = 150;
const TTL = 20;

interface Member {
  readonly name: string;
  readonly role: string;
  readonly state: string;
}

export class PatroniCluster {
  readonly nodes: readonly PatroniNode[];
  readonly #folder: string;
  readonly #etcd: ChildProcess;

  private constructor(nodes: readonly PatroniNode[], folder: string, etcd: ChildProcess) {
    this.nodes = nodes;
    this.#folder = folder;
    this.#etcd = etcd;
  }

  /** Two nodes: one is the primary, the other follows it synchronously. The database is made. */
  static async start(): Promise<PatroniCluster> {
    const folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-patroni-'));
    if (ACCOUNT !== undefined) chownSync(folder, ACCOUNT.uid, ACCOUNT.gid);
    chmodSync(folder, 0o755);
    const [port, peer] = [await freePort(), await freePort()];
    const [client, between] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peer}`];
    const etcd = spawn(
      'etcd',
      Object.entries({
        'data-dir': path.join(folder, 'etcd'),
        'listen-client-urls': client,
        'advertise-client-urls': client,
        'listen-peer-urls': between,
        'initial-advertise-peer-urls': between,
        'initial-cluster': `default=${between}`,
      }).map(([name, value]) => `--${name}=${value}`),
      { stdio: 'ignore' },
    );
    process.once('exit', () => etcd.kill('SIGKILL'));
    await answering(etcd, port, MISSING);
    const nodes: PatroniNode[] = [];
    for (const name of ['one', 'two']) {
      const node = new PatroniNode(name, folder, { port: await freePort(), rolePort: await freePort() });
      node.configure(port);
      nodes.push(node);
    }
    const cluster = new PatroniCluster(nodes, folder, etcd);
    process.once('exit', () => {
      for (const node of nodes) node.killAll();
    });
    for (const node of nodes) node.start();
    const { primary } = await cluster.inOrder();
    const admin = new pg.Client(`postgresql://postgres@127.0.0.1:${primary.port}/postgres`);
    await admin.connect();
    await admin.query(`CREATE DATABASE ${DATABASE}`);
    await admin.end();
    return cluster;
  }

  /** Waits until one takes writes and the other follows it synchronously. */
  async inOrder(): Promise<{ readonly primary: PatroniNode; readonly standby: PatroniNode }> {
    let seen: unknown;
    return until(
      async () => {
        // One of the nodes may be down.
        const members = await Promise.any(this.nodes.map((node) => node.members()));
        seen = members;
        const inRole = (role: string): PatroniNode | undefined =>
          this.nodes.find((node) => members.some((member) => member.name === node.name && member.role === role));
        const [primary, standby] = [inRole('leader'), inRole('sync_standby')];
        return primary === undefined || standby === undefined ? undefined : { primary, standby };
      },
      { seconds: PATIENCE, what: () => `a primary and its synchronous standby: ${JSON.stringify(seen)}` },
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    this.#etcd.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export class PatroniNode implements BalancedNode {
  readonly name: string;
  readonly port: number;
  readonly rolePort: number;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  constructor(name: string, folder: string, ports: { readonly port: number; readonly rolePort: number }) {
    this.name = name;
    this.#folder = folder;
    this.port = ports.port;
    this.rolePort = ports.rolePort;
  }

  configure(etcdPort: number): void {
    const parameters = { fsync: 'off', max_connections: 100, shared_buffers: '32MB', wal_log_hints: 'on' };
    const password = { password: 'only on loopback' };
    // YAML reads JSON.
    const settings = {
      scope: 'koa',
      name: this.name,
      restapi: { listen: `127.0.0.1:${this.rolePort}`, connect_address: `127.0.0.1:${this.rolePort}` },
      etcd3: { host: `127.0.0.1:${etcdPort}` },
      bootstrap: {
        dcs: {
          ttl: TTL,
          loop_wait: 2,
          retry_timeout: 3,
          synchronous_mode: true,
          postgresql: { use_pg_rewind: true, parameters },
        },
        initdb: [{ encoding: 'UTF8' }],
        pg_hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'],
      },
      postgresql: {
        listen: `127.0.0.1:${this.port}`,
        connect_address: `127.0.0.1:${this.port}`,
        data_dir: path.join(this.#folder, this.name),
        bin_dir: BIN,
        pgpass: path.join(this.#folder, `${this.name}.pgpass`),
        authentication: {
          superuser: { username: 'postgres', ...password },
          replication: { username: 'replicator', ...password },
          rewind: { username: 'rewinder', ...password },
        },
        parameters: { unix_socket_directories: '' },
      },
    };
    writeFileSync(this.#file, JSON.stringify(settings));
  }

  get #file(): string {
    return path.join(this.#folder, `${this.name}.yml`);
  }

  /** Does nothing while it runs. */
  start(): void {
    if (this.#isRunning) return;
    this.#process = spawn('patroni', [this.#file], { ...ACCOUNT, stdio: 'ignore' });
  }

  get #isRunning(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  /** kill -9 of Patroni and of all processes of its PostgreSQL, as when the machine loses its power. */
  async kill(): Promise<void> {
    if (this.#process === undefined || !this.#isRunning) return;
    const exited = once(this.#process, 'exit');
    this.killAll();
    await exited;
  }

  killAll(): void {
    this.#process?.kill('SIGKILL');
    const pidFile = path.join(this.#folder, this.name, 'postmaster.pid');
    const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8').split('\n')[0]) : Number.NaN;
    if (!existsSync(`/proc/${pid}`)) return;
    for (const each of withChildren(pid)) send(each, 'SIGKILL');
  }

  /** Patroni's view of the cluster; rejects when this node's Patroni is down. */
  async members(): Promise<readonly Member[]> {
    const answer = await this.#ask('GET', '/cluster');
    return (JSON.parse(answer.body) as { readonly members: readonly Member[] }).members;
  }

  async switchover(candidate: PatroniNode): Promise<void> {
    const { status, body } = await this.#ask('POST', '/switchover', { leader: this.name, candidate: candidate.name });
    if (status !== 200) throw new Error(`Patroni refuses the switchover: ${body}`);
  }

  async isPrimary(): Promise<boolean> {
    return (await this.#ask('GET', '/primary')).status === 200;
  }

  async #ask(method: string, url: string, body?: object): Promise<{ readonly status: number; readonly body: string }> {
    const asked = request({ host: '127.0.0.1', port: this.rolePort, method, path: url });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = await once(asked, 'response');
    return { status: response.statusCode, body: await text(response) };
  }
}
