/** A cluster of three masters with a replica each, and a master with a replica that three sentinels watch. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePort } from '../support/ports.js';
import { type RedisServer, startRedis, startSentinel, tell, temporaryFolder, until } from './redis_server.js';

export interface RedisCluster {
  /** What CACHE_URL is. */
  readonly url: string;
  /** Three masters, then a replica of each. */
  readonly servers: readonly RedisServer[];
  /** Their names in the cluster. */
  readonly ids: readonly string[];
  stop(): Promise<void>;
}

/** Milliseconds after which a node that does not answer may be replaced. */
const NODE_TIMEOUT = 1000;

const SLOTS = [
  ['0', '5460'],
  ['5461', '10922'],
  ['10923', '16383'],
];

/**
 * @param replicas of each master
 * @param argsOf gives further arguments of a node
 */
export async function startCluster(
  replicas: 0 | 1 = 1,
  argsOf: () => Promise<readonly string[]> = async () => [],
): Promise<RedisCluster> {
  const servers = await Promise.all(
    Array.from({ length: 3 + 3 * replicas }, async () => startNode(...(await argsOf()))),
  );
  const [first, ...others] = servers as [RedisServer, ...RedisServer[]];
  const masters = servers.slice(0, 3);
  const ids = (await Promise.all(servers.map((server) => tell(server, 'CLUSTER', 'MYID')))) as string[];
  for (const [place, server] of servers.entries()) {
    const slots = SLOTS[place];
    if (slots !== undefined) await tell(server, 'CLUSTER', 'ADDSLOTSRANGE', ...slots);
    await tell(server, 'CLUSTER', 'SET-CONFIG-EPOCH', String(place + 1));
  }
  for (const { port } of others)
    await tell(first, 'CLUSTER', 'MEET', '127.0.0.1', String(port), String(await busOf(port)));
  const known = new RegExp(`cluster_known_nodes:${servers.length}\\b`);
  await until('all nodes know each other', () => allSay(servers, known));
  for (const [place, replica] of servers.slice(3).entries()) {
    await tell(replica, 'CLUSTER', 'REPLICATE', ids[place] ?? '');
  }
  await until('the cluster is whole', () => allSay(servers, /cluster_state:ok/));
  if (replicas > 0) await until('each master has its replica', () => isReplicated(masters));
  return {
    url: `redis+cluster://${servers.map(({ port }) => `127.0.0.1:${port}`).join()}`,
    servers,
    ids,
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

const allSay = async (servers: readonly RedisServer[], pattern: RegExp): Promise<boolean> => {
  const answers = await Promise.all(servers.map((server) => tell(server, 'CLUSTER', 'INFO')));
  return answers.every((answer) => pattern.test(String(answer)));
};

const buses = new Map<number, number>();
const busOf = async (port: number): Promise<number> => {
  const bus = buses.get(port) ?? (await freePort());
  buses.set(port, bus);
  return bus;
};

/** A node of a cluster that knows no other. */
export async function startNode(...args: readonly string[]): Promise<RedisServer> {
  const port = await freePort();
  return startRedis(
    port,
    ...['--dir', temporaryFolder(), '--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT)],
    ...['--cluster-port', String(await busOf(port))],
    ...args,
  );
}

const isReplicated = async (masters: readonly RedisServer[]): Promise<boolean> => {
  const answers = await Promise.all(masters.map((server) => tell(server, 'INFO', 'replication')));
  return answers.every((answer) => /^slave0:.*state=online/m.test(String(answer)));
};

export interface Watched {
  readonly url: string;
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly sentinels: readonly RedisServer[];
  stop(): Promise<void>;
}

/** Milliseconds after which sentinels take a master for dead. */
const DOWN_AFTER = 1000;

export async function startSentinels(): Promise<Watched> {
  const master = await startRedis();
  const replica = await startRedis(undefined, '--replicaof', '127.0.0.1', String(master.port));
  await until('the master has its replica', () => isReplicated([master]));
  const sentinels = await Promise.all(Array.from({ length: 3 }, () => startWatching(master.port)));
  await until('the sentinels know each other and the replica', async () => {
    const answers = await Promise.all(sentinels.map((sentinel) => tell(sentinel, 'SENTINEL', 'MASTER', 'mymaster')));
    return answers.every((answer) => {
      const fields = answer as string[];
      const fieldOf = (name: string): string | undefined => fields[fields.indexOf(name) + 1];
      return fieldOf('num-other-sentinels') === '2' && fieldOf('num-slaves') === '1';
    });
  });
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join()}/mymaster/0`,
    master,
    replica,
    sentinels,
    stop: async () => {
      await Promise.all([master, replica, ...sentinels].map((server) => server.stop()));
    },
  };
}

/** @param lines of its configuration, beside the usual */
export async function startWatching(master: number, ...lines: readonly string[]): Promise<RedisServer> {
  const port = await freePort();
  const file = path.join(temporaryFolder(), 'sentinel.conf');
  writeFileSync(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `sentinel monitor mymaster 127.0.0.1 ${master} 2`,
      `sentinel down-after-milliseconds mymaster ${DOWN_AFTER}`,
      'sentinel failover-timeout mymaster 5000',
      ...lines,
      '',
    ].join('\n'),
  );
  return startSentinel(port, file);
}
