/** What ours is meant to reach, as ratios of one run on one machine. */
import { type Result, ratio as ratioOf } from './statistics.js';

export interface Goal {
  readonly work: string;
  readonly against: string;
  readonly wanted: string;
  readonly ratio: number;
  readonly reached: boolean;
}

export function goals(results: readonly Result[]): Goal[] {
  const find = (contestant: RegExp, scenario: string): Result | undefined =>
    results.find((result) => contestant.test(result.contestant) && result.scenario === scenario);
  const list: Goal[] = [];
  const faster = (work: string, scenario: string, against: RegExp, least: number): void => {
    const theirs = find(against, scenario);
    if (theirs === undefined) return;
    const ratio = ratioOf(theirs, 'rps');
    list.push({ work, against: theirs.contestant, wanted: `≥ ${least}`, ratio, reached: ratio >= least });
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
  if (best !== undefined) {
    const ratio = ratioOf(best, 'p99');
    list.push({ work: 'read, p99', against: best.contestant, wanted: '≤ 1', ratio, reached: ratio <= 1 });
  }
  faster('one request at a time', 'one at a time', /^koa \+ select$/, 0.85);
  faster('read session and user', 'read', /^koa-session \+ user$/, 3);
  const alone = find(/^ours \+ user$/, 'read');
  if (alone !== undefined) {
    const ratio = 1 / ratioOf(alone, 'rps');
    list.push({ work: 'read session and user', against: 'ours', wanted: '≥ 0.65', ratio, reached: ratio >= 0.65 });
  }
  faster('read, change, save, with user', 'write', /^koa-session \+ user$/, 1.8);
  faster('one request at a time, with user', 'one at a time', /^koa \+ 2 selects$/, 0.85);
  return list;
}
