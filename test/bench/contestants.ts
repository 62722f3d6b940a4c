/** Who is measured: the command that starts each server, the cookie it reads, and what it can do. */
import { fileURLToPath } from 'node:url';
import type { DjangoSite } from './install.js';
import type { CookieKind } from './rows.js';

export interface Contestant {
  readonly name: string;
  /** One line for BENCHMARKS.md: what exactly this is. */
  readonly what: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cookie: CookieKind;
  readonly expect: 'id' | 'key' | 'null';
  readonly writes: boolean;
  /** More than one process: not pinned to the server's core, and compared per machine. */
  readonly processes: number;
  /** Names of those of ours that it is measured beside, and held against. */
  readonly beside: readonly string[];
  /** Whether its sessions are in Redis. */
  readonly redis: boolean;
  /** What answers 200 when it serves; `/none` when absent. */
  readonly ready?: string;
}

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const node = (path: string): readonly string[] => [process.execPath, file(path)];
/** The command that runs a server in several processes behind one port. */
export const inProcesses = (path: string, processes: number): readonly string[] => [
  process.execPath,
  file('peers/cluster.mjs'),
  file(path),
  String(processes),
];

export const base = {
  env: {},
  cookie: 'django',
  expect: 'id',
  writes: true,
  processes: 1,
  beside: ['ours'],
  redis: false,
} as const;
const users = { env: { USERS: '1' }, beside: ['ours + user'] } as const;

/** Sessions in Redis, and how much of them is asked for: as much as is worth the memory of three servers' copies. */
export const REDIS_ROWS = 100_000;

/**
 * @param site the interpreter that has Django and gunicorn, when there is one
 * @param redis whether there is a redis-server
 */
export function contestants(cores: number, site: DjangoSite | null, redis: boolean): readonly Contestant[] {
  const list: Contestant[] = [
    { ...base, name: 'ours', what: 'koa + this library, db engine', command: node('servers/ours.mjs'), beside: [] },
    {
      ...base,
      name: 'koa bare',
      what: 'koa + @koa/router, no session',
      command: node('peers/koa_bare.mjs'),
      expect: 'null',
      writes: false,
    },
    {
      ...base,
      name: 'koa + select',
      what: 'koa + one named prepared SELECT by pg, session_data not decoded',
      command: node('peers/koa_select.mjs'),
      env: { DECODE: '0' },
      expect: 'key',
      writes: false,
    },
    {
      ...base,
      name: 'koa + select + decode',
      what: 'the same with verify, inflate, parse; writes: deflate, sign, UPDATE without a comparison',
      command: node('peers/koa_select.mjs'),
    },
    {
      ...base,
      name: 'koa + knex + decode',
      what: "the same by knex's query builder",
      command: node('peers/koa_select.mjs'),
      env: { DRIVER: 'knex' },
    },
    {
      ...base,
      name: 'koa-session',
      what: 'koa-session, a store on pg with named prepared statements',
      command: node('peers/koa_session.mjs'),
      cookie: 'koa_session',
    },
    {
      ...base,
      name: 'fastify session',
      what: '@fastify/session, the same store, rolling: false',
      command: node('peers/fastify_session.mjs'),
      cookie: 'fastify_session',
    },
    {
      ...base,
      name: 'express-session',
      what: 'express-session + connect-pg-simple as in its manual',
      command: node('peers/express_session.mjs'),
      cookie: 'express_session',
    },
    {
      ...base,
      name: 'express-session, no touch',
      what: 'the same with disableTouch',
      command: node('peers/express_session.mjs'),
      env: { TOUCH: '0' },
      cookie: 'express_session',
    },
  ];
  list.push(
    {
      ...base,
      ...users,
      name: 'ours + user',
      what: 'ours, and `ctx.user` of every request',
      command: node('servers/ours.mjs'),
      beside: ['ours'],
    },
    {
      ...base,
      ...users,
      name: 'ours + permission',
      what: 'ours + user, and `await ctx.user.has_perm(…)`',
      command: node('servers/ours.mjs'),
      env: { USERS: '1', PERMISSION: '1' },
      writes: false,
    },
    {
      ...base,
      ...users,
      name: 'koa-session + user',
      what: 'koa-session as above, and one named prepared SELECT of the user',
      command: node('peers/koa_session.mjs'),
      cookie: 'koa_session',
    },
    {
      ...base,
      ...users,
      name: 'koa + 2 selects',
      what: 'koa + select + decode, and one named prepared SELECT of the user',
      command: node('peers/koa_select.mjs'),
      writes: false,
    },
  );
  if (redis) list.push(...onRedis());
  const several = `ours ×${cores}`;
  if (cores > 1) {
    const what = `ours in ${cores} processes behind one port`;
    list.push({ ...base, name: several, what, command: inProcesses('servers/ours.mjs', cores), processes: cores });
  }
  if (site !== null) list.push({ ...django(cores, site), beside: [cores > 1 ? several : 'ours'] });
  return list;
}

/** Redis without persistence: nothing is on disk when a write is answered, as it is with PostgreSQL's fsync. */
function onRedis(): readonly Contestant[] {
  return [
    {
      ...base,
      name: 'ours, cache',
      what: `ours, engine cache on Redis, ${REDIS_ROWS.toLocaleString('en-US')} sessions, no persistence`,
      command: node('servers/ours.mjs'),
      env: { ENGINE: 'cache' },
      redis: true,
    },
    {
      ...base,
      name: 'ours, cached_db',
      what: 'ours, engine cached_db: sessions in PostgreSQL, and Django’s entries in Redis deleted at each write',
      command: node('servers/ours.mjs'),
      env: { ENGINE: 'cached_db' },
      redis: true,
    },
    {
      ...base,
      name: 'koa-session on Redis',
      what: 'koa-session, a store on the package redis, the same Redis',
      command: node('peers/koa_session.mjs'),
      cookie: 'koa_session',
      env: { STORE: 'redis' },
      beside: ['ours', 'ours, cache'],
      redis: true,
    },
    {
      ...base,
      name: 'express-session on Redis',
      what: 'express-session + connect-redis as in its manual, the same Redis',
      command: node('peers/express_session.mjs'),
      cookie: 'express_session',
      env: { STORE: 'redis' },
      redis: true,
    },
  ];
}

export function django(cores: number, { python, version }: DjangoSite): Contestant {
  const gunicorn = ['--worker-class', 'gthread', '--threads', '8', '--keep-alive', '75', '--log-level', 'error'];
  return {
    ...base,
    name: `django ×${cores}`,
    what: `Django ${version} by gunicorn, ${cores} workers of 8 threads`,
    command: [python, '-m', 'gunicorn', '--workers', String(cores), ...gunicorn, 'site_bench:application'],
    processes: cores,
  };
}
