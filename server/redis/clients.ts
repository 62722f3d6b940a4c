/** One interface for three clients of the npm package `redis`: of a single server, of sentinels, of a cluster. */
import type { CacheUrl, RedisTls } from '../settings/cache_url.js';

export type RedisPackage = typeof import('redis');

/** Sends a command. Resolves with the answer of Redis. */
export type Send = (args: readonly string[]) => Promise<unknown>;

/**
 * A client that does not reconnect. After an error, RedisConnection makes a new one, which asks the sentinels or the nodes
 * again.
 */
export interface RedisClient {
  connect(): Promise<unknown>;
  /** @param key the command's key; in a cluster, it determines the node */
  send(key: string | undefined, args: readonly string[]): Promise<unknown>;
  /** One function for each master. */
  nodes(): Promise<readonly Send[]>;
  /** Disconnects at once, also while connecting. */
  destroy(): void;
}

export interface ClientOptions {
  readonly url: CacheUrl;
  /** Seconds after which connecting fails. */
  readonly timeout: number;
  /** The number of clients made before. Each starts with another sentinel, because a silent one may use up the timeout. */
  readonly attempt: number;
  /** Called when a connection is lost. */
  readonly lost: () => void;
}

export function makeClient(redis: RedisPackage, options: ClientOptions): RedisClient {
  if (options.url.kind === 'sentinel') return sentinelClient(redis, options);
  return options.url.kind === 'cluster' ? clusterClient(redis, options) : singleClient(redis, options);
}

// RESP 2, because Redis before 6 has no other, and because only with it the client logs in a user without a password.
const PROTOCOL = { RESP: 2, disableOfflineQueue: true } as const;

// Without it, the client makes an AbortSignal with a timer per command, which costs more than the command.
const NO_TIMEOUT = { commandOptions: { timeout: 0 } } as const;

const socketOf = (tls: RedisTls | null, seconds: number) =>
  ({ ...tlsOf(tls), connectTimeout: seconds * 1000, reconnectStrategy: false }) as const;

function tlsOf(tls: RedisTls | null): object {
  if (tls === null) return {};
  const { checkHostname, ...options } = tls;
  return { tls: true, ...options, ...(checkHostname ? {} : { checkServerIdentity: () => undefined }) };
}

function singleClient({ createClient }: RedisPackage, { url, timeout, lost }: ClientOptions): RedisClient {
  const { account, database, servers, tls } = url;
  const client = createClient({
    ...PROTOCOL,
    ...NO_TIMEOUT,
    ...account,
    database,
    socket: { ...socketOf(tls, timeout), ...servers[0] },
  });
  // Without a listener, a socket error would end the process.
  client.on('error', lost);
  const send: Send = (args) => client.sendCommand(args);
  return {
    connect: () => client.connect(),
    send: (_key, args) => send(args),
    nodes: async () => [send],
    destroy: () => ending(() => client.destroy()),
  };
}

function sentinelClient({ createSentinel }: RedisPackage, { url, timeout, attempt }: ClientOptions): RedisClient {
  const { account, database, master, sentinelAccount, servers, tls } = url;
  const first = attempt % servers.length;
  const client = createSentinel({
    RESP: 2,
    ...NO_TIMEOUT,
    name: master,
    sentinelRootNodes: [...servers.slice(first), ...servers.slice(0, first)],
    // No retries: Redis may have executed the command.
    maxCommandRediscovers: 0,
    nodeClientOptions: { ...PROTOCOL, ...account, database, socket: socketOf(tls, timeout) },
    sentinelClientOptions: { ...PROTOCOL, ...sentinelAccount, socket: socketOf(tls, timeout / 2) },
  });
  // Ignored: if one sentinel is away, the client asks the others.
  client.on('error', () => {});
  const send: Send = (args) => client.sendCommand(false, [...args]);
  return {
    connect: () => client.connect(),
    send: (_key, args) => send(args),
    nodes: async () => [send],
    destroy: () => ending(() => client.destroy()),
  };
}

function clusterClient({ createCluster }: RedisPackage, { url, timeout, lost }: ClientOptions): RedisClient {
  const { account, servers, tls } = url;
  const client = createCluster({
    RESP: 2,
    ...NO_TIMEOUT,
    rootNodes: servers.map((server) => ({ socket: server })),
    defaults: { ...PROTOCOL, ...account, socket: socketOf(tls, timeout) },
    // Connects to a master at the first command for it, so that a master that is away does not affect the others.
    minimizeConnections: true,
  });
  client.on('error', () => {});
  client.on('node-error', lost);
  return {
    connect: () => client.connect(),
    send: (key, args) => client.sendCommand(key, false, [...args]),
    nodes: async () => {
      const masters = await Promise.all(client.masters.map((master) => client.nodeClient(master)));
      return masters.map((master) => (args: readonly string[]) => master.sendCommand(args));
    },
    destroy: () => ending(() => client.destroy()),
  };
}

/** Ignores errors and does not wait: `destroy` throws on a closed client, and that of sentinels is asynchronous. */
function ending(end: () => unknown): void {
  Promise.resolve()
    .then(end)
    .catch(() => {});
}
