/** The three clients of the npm package `redis` behind one interface: of one server, of sentinels, of a cluster. */
import type { CacheUrl, RedisTls } from '../settings/cache_url.js';

export type RedisPackage = typeof import('redis');

/** Sends a command, with the answer as Redis gives it. */
export type Send = (args: readonly string[]) => Promise<unknown>;

/** A client that ends by its first fault: whoever made it makes another, which asks sentinels and nodes anew. */
export interface RedisClient {
  connect(): Promise<unknown>;
  /** @param key what the command is about; in a cluster it says where the command goes */
  send(key: string | undefined, args: readonly string[]): Promise<unknown>;
  /** One for each server that has keys of its own. */
  nodes(): Promise<readonly Send[]>;
  /** Hang up at once, also while it connects. */
  destroy(): void;
}

export interface ClientOptions {
  readonly url: CacheUrl;
  /** Seconds until a connection is given up. */
  readonly timeout: number;
  /** How many clients were made before: one sentinel that is silent may take all the time that a command has. */
  readonly attempt: number;
  /** Called when a connection is lost. */
  readonly lost: () => void;
}

export function makeClient(redis: RedisPackage, options: ClientOptions): RedisClient {
  if (options.url.kind === 'sentinel') return sentinelClient(redis, options);
  return options.url.kind === 'cluster' ? clusterClient(redis, options) : singleClient(redis, options);
}

// RESP 2, because the client logs a user without a password in only there, and Redis before 6 knows no other.
const PROTOCOL = { RESP: 2, disableOfflineQueue: true } as const;

// Without it the client makes an AbortSignal with a timer for each command, which costs more than the command.
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
  // Without a listener an error of the socket would end the process.
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
    // Nothing is sent a second time: it may have been done.
    maxCommandRediscovers: 0,
    nodeClientOptions: { ...PROTOCOL, ...account, database, socket: socketOf(tls, timeout) },
    sentinelClientOptions: { ...PROTOCOL, ...sentinelAccount, socket: socketOf(tls, timeout / 2) },
  });
  // One sentinel that is away is no fault: the others are asked.
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
    // A master that is away is no concern of commands to the others.
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

/** What ends a client that has ended already throws, and what ends sentinels' takes its time; neither matters. */
function ending(end: () => unknown): void {
  Promise.resolve()
    .then(end)
    .catch(() => {});
}
