/** Who is measured: the command that starts each server, the cookie it reads, and what it can do. */
import { fileURLToPath } from 'node:url';
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
  /** Whether a page also looks up who is logged in. Compared with ours that does so, too. */
  readonly users: boolean;
}

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const node = (path: string): readonly string[] => [process.execPath, file(path)];
/** The command that runs a server in several processes behind one port. */
export const several = (path: string, processes: number): readonly string[] => [
  process.execPath,
  file('peers/cluster.mjs'),
  file(path),
  String(processes),
];

const base = { env: {}, cookie: 'django', expect: 'id', writes: true, processes: 1, users: false } as const;
const users = { users: true, env: { USERS: '1' } } as const;

/** @param django the interpreter that has Django and gunicorn, when there is one */
export function contestants(
  cores: number,
  django: { readonly python: string; readonly version: string } | null,
): readonly Contestant[] {
  const list: Contestant[] = [
    { ...base, name: 'ours', what: 'koa + this library, db engine', command: node('servers/ours.mjs') },
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
  if (cores > 1) {
    const what = `ours in ${cores} processes behind one port`;
    list.push({ ...base, name: `ours ×${cores}`, what, command: several('servers/ours.mjs', cores), processes: cores });
  }
  if (django !== null) {
    const gunicorn = ['--worker-class', 'gthread', '--threads', '8', '--keep-alive', '75', '--log-level', 'error'];
    list.push({
      ...base,
      name: `django ×${cores}`,
      what: `Django ${django.version} by gunicorn, ${cores} workers of 8 threads`,
      command: [django.python, '-m', 'gunicorn', '--workers', String(cores), ...gunicorn, 'site_bench:application'],
      processes: cores,
    });
  }
  return list;
}
