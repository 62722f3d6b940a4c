/** What ours is meant to reach, as ratios of one run on one machine. */
import type { LoginResult } from './logins.js';
import { type Result, ratio as ratioOf } from './statistics.js';

export interface Goal {
  readonly work: string;
  readonly against: string;
  readonly wanted: string;
  readonly ratio: number;
  readonly reached: boolean;
}

export function goals(results: readonly Result[], logins: readonly LoginResult[] = []): Goal[] {
  const find = (contestant: RegExp, scenario: string): Result | undefined =>
    results.find((result) => contestant.test(result.contestant) && result.scenario === scenario);
  const list: Goal[] = [];
  const add = (work: string, against: string, sign: '≥' | '≤', wanted: number, ratio: number): void => {
    const reached = sign === '≥' ? ratio >= wanted : ratio <= wanted;
    list.push({ work, against, wanted: `${sign} ${wanted}`, ratio, reached });
  };
  /** How many times theirs is in ours. */
  const faster = (work: string, scenario: string, against: RegExp, least: number, beside?: string): void => {
    const theirs = find(against, scenario);
    if (theirs === undefined) return;
    const ratio = ratioOf(theirs, 'rps', beside);
    if (!Number.isNaN(ratio)) add(work, theirs.contestant, '≥', least, ratio);
  };
  /** How much of what is asked without it is left with it. */
  const left = (work: string, contestant: RegExp, against: string, least: number): void => {
    const ours = find(contestant, 'read');
    if (ours !== undefined) add(work, against, '≥', least, 1 / ratioOf(ours, 'rps', against));
  };
  faster('read, random keys', 'read', /^koa-session$/, 2.5);
  faster('read, working set of 10 thousand', 'read 10k', /^koa-session$/, 3);
  faster('read, random keys', 'read', /^express-session$/, 8);
  faster('read, random keys, whole machine', 'read', /^django/, 7);
  faster('read, change, save', 'write', /^koa-session$/, 2);
  faster('page without a session cookie', 'none', /^koa bare/, 0.9);
  const peers = results.filter(
    ({ contestant, scenario }) => scenario === 'read' && /session(?!.* \+ user)/.test(contestant),
  );
  const best = peers.sort((a, b) => a.p99 - b.p99)[0];
  if (best !== undefined) add('read, p99', best.contestant, '≤', 1, ratioOf(best, 'p99', 'ours'));
  faster('one request at a time', 'one at a time', /^koa \+ select$/, 0.85);
  faster('read session and user', 'read', /^koa-session \+ user$/, 3, 'ours + user');
  left('read session and user', /^ours \+ user$/, 'ours', 0.65);
  faster('read, change, save, with user', 'write', /^koa-session \+ user$/, 1.8, 'ours + user');
  faster('one request at a time, with user', 'one at a time', /^koa \+ 2 selects$/, 0.85, 'ours + user');
  left('read session, user and permissions', /^ours \+ permission$/, 'ours + user', 0.7);
  faster('read, PostgreSQL with fsync', 'read', /^koa-session on Redis$/, 3.5, 'ours');
  faster('read, change, save, PostgreSQL with fsync', 'write', /^koa-session on Redis$/, 1.5, 'ours');
  faster('read, engine cache', 'read', /^koa-session on Redis$/, 2.5, 'ours, cache');
  faster('read, change, save, engine cache', 'write', /^koa-session on Redis$/, 1.5, 'ours, cache');
  const [mine, django] = [/^ours/, /^django/].map((name) => logins.find(({ server }) => name.test(server)));
  if (mine !== undefined && django !== undefined) {
    add('logins a second', django.server, '≥', 1, mine.logins / django.logins);
  }
  if (mine !== undefined) add('p99 of other pages while people log in', 'idle', '≤', 2, mine.p99 / mine.p99_idle);
  return list;
}
