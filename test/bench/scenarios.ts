/** What is asked of every server. */
import { type Contestant, REDIS_ROWS } from './contestants.js';
import type { Plan } from './load/plan.js';
import type { Options } from './options.js';

export interface Scenario {
  readonly name: string;
  readonly what: string;
  readonly writes: number;
  readonly cookie: boolean;
  /** How many sessions the keys are drawn from; null: all rows. */
  readonly sessions: number | null;
  /** null: as many as the options say. */
  readonly connections: number | null;
  /** Warming up once, in usual times: for code that is not compiled yet, and for what is remembered once it was read. */
  readonly warmups: number;
}

const read = { writes: 0, cookie: true, sessions: null, connections: null, warmups: 1 } as const;

export const SCENARIOS: readonly Scenario[] = [
  { ...read, name: 'read', what: 'read a logged-in session, random keys of all rows', warmups: 3 },
  { ...read, name: 'read 10k', what: 'the same, a working set of 10 thousand sessions', sessions: 10_000, warmups: 3 },
  { ...read, name: 'write', what: 'read, change, save, random keys', writes: 1 },
  { ...read, name: 'mixed', what: '90 % read, 10 % write, random keys', writes: 0.1 },
  { ...read, name: 'hot', what: 'all connections read one session', sessions: 1 },
  { ...read, name: 'none', what: 'a page without a session cookie', cookie: false },
  { ...read, name: 'one at a time', what: 'read, random keys, one connection', connections: 1 },
];

/** Who log in again and again, where logins are measured. */
export const PEOPLE = 8;
/** Pages a second of those who are logged in, meanwhile. */
export const PAGES = 200;

/** Whether this server can be asked that: the floors have no sessions to write, or none at all. */
export function applies(scenario: Scenario, contestant: Contestant): boolean {
  if (contestant.expect === 'null') return scenario.writes === 0;
  return scenario.writes === 0 || contestant.writes;
}

export function plan(
  scenario: Scenario,
  contestant: Contestant,
  options: Options,
  { port, seed }: { readonly port: number; readonly seed: number },
): Plan {
  const bare = !scenario.cookie || contestant.expect === 'null';
  return {
    port,
    seed,
    connections: scenario.connections ?? options.connections,
    warmup: options.warmup,
    seconds: options.seconds,
    cookie: bare ? 'none' : contestant.cookie,
    expect: bare ? 'null' : contestant.expect,
    sessions: Math.min(scenario.sessions ?? options.rows, options.rows, contestant.redis ? REDIS_ROWS : options.rows),
    writes: bare ? 0 : scenario.writes,
    readBack: scenario.writes === 1,
  };
}
