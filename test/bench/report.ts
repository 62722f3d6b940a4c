/** Results → the table that is printed and the Markdown of BENCHMARKS.md. */
import type { Contestant } from './contestants.js';
import type { Goal } from './goals.js';
import type { LoginResult } from './logins.js';
import { PAGES, PEOPLE, type Scenario } from './scenarios.js';
import { median, type Result, ratio } from './statistics.js';

export interface Report {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly contestants: readonly Pick<Contestant, 'name' | 'what'>[];
  readonly results: readonly Result[];
  /** Empty where they were not measured. */
  readonly logins: readonly LoginResult[];
  readonly goals: readonly Goal[];
  /** Floors, memory, clearsessions, processes, scale: a table each. */
  readonly tables: readonly Table[];
}

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  readonly note?: string;
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const micro = (value: number | null): string => (value === null ? '-' : whole(value));

export function scenarioTable(scenario: Scenario, results: readonly Result[]): Table | null {
  const here = results.filter((result) => result.scenario === scenario.name);
  if (here.length === 0) return null;
  return {
    title: `${scenario.name}: ${scenario.what}`,
    head: [
      'server',
      'requests/s',
      'min to max',
      'p50 ms',
      'p99 ms',
      'CPU µs server',
      'CPU µs database',
      'ours is',
      'CPU of ours',
    ],
    rows: [...here]
      .sort((a, b) => b.rps - a.rps)
      .map((result) => [
        result.contestant,
        whole(result.rps),
        `${whole(result.rps_min)} to ${whole(result.rps_max)}`,
        result.p50.toFixed(2),
        result.p99.toFixed(2),
        micro(result.server_us),
        micro(result.postgres_us),
        `${ratio(result, 'rps').toFixed(2)} ×`,
        cpuRatio(result),
      ]),
  };
}

/** How much of their CPU a request ours takes: the median of the rounds' ratios. */
function cpuRatio({ rounds }: Result): string {
  const ratios = rounds.flatMap(({ server_us, ours }) =>
    server_us === null || ours === undefined || ours.server_us === null ? [] : [ours.server_us / server_us],
  );
  return ratios.length === 0 ? '-' : `${median(ratios).toFixed(2)} ×`;
}

/** Requests a second of everybody in everything: what BENCHMARKS.md shows. */
export function summaryTable({ machine, results }: Report): Table {
  const scenarios = [...new Set(results.map(({ scenario }) => scenario))];
  const contestants = [...new Set(results.map(({ contestant }) => contestant))];
  const cell = (contestant: string, scenario: string): string => {
    const found = results.find((result) => result.contestant === contestant && result.scenario === scenario);
    return found === undefined ? '-' : whole(found.rps);
  };
  return {
    title: `Requests a second: medians of ${machine['rounds']} rounds, ${whole(Number(machine['rows']))} sessions of 2 kB, ${machine['connections']} connections`,
    head: ['server', ...scenarios],
    rows: contestants.map((contestant) => [contestant, ...scenarios.map((scenario) => cell(contestant, scenario))]),
    note: `${dates(results, String(machine['date']))}, ${machine['processor']}, ${machine['cores']} cores, node ${machine['node']}, PostgreSQL ${machine['postgresql']} with fsync on.${moreRounds(Number(machine['rounds']), results)}`,
  };
}

/** Who they are. */
export function contestantTable({ contestants }: Report): Table {
  return {
    title: 'The servers',
    head: ['server', 'what it is'],
    rows: contestants.map(({ name, what }) => [name, what]),
  };
}

/** The day, or the first and the last: parts may be run on their own. */
function dates(results: readonly Result[], last: string): string {
  const all = [...new Set(results.map(({ date = last }) => date))].sort();
  return all.length < 2 ? String(all[0]) : `${all[0]} to ${all.at(-1)}`;
}

/** What was measured in more or fewer rounds than the rest: whole scenarios by their name, or single contestants. */
function moreRounds(usual: number, results: readonly Result[]): string {
  const others = results.filter(({ contestant }) => !contestant.startsWith('ours'));
  const more = [...new Set(others.map(({ scenario }) => scenario))].flatMap((scenario) => {
    const counts = others.filter((result) => result.scenario === scenario);
    const common = mostFrequent(counts.map(({ rounds }) => rounds.length));
    const single = counts
      .filter(({ rounds }) => rounds.length !== common)
      .map(({ contestant, rounds }) => `${contestant} in “${scenario}” ${rounds.length}`);
    return [...(common === usual ? [] : [`“${scenario}” ${common}`]), ...single];
  });
  return more.length === 0 ? '' : ` Rounds of their own: ${more.join(', ')}.`;
}

function mostFrequent(numbers: readonly number[]): number {
  const times = (number: number): number => numbers.filter((other) => other === number).length;
  return [...numbers].sort((one, other) => times(other) - times(one))[0] ?? 0;
}

export function goalTable(goals: readonly Goal[]): Table {
  return {
    title: 'Goals, as ratios of this run',
    head: ['work', 'against', 'wanted', 'measured', ''],
    rows: goals.map((goal) => [
      goal.work,
      goal.against,
      goal.wanted,
      goal.ratio.toFixed(2),
      goal.reached ? 'reached' : 'missed',
    ]),
  };
}

/** A real login, and what others feel of it. */
export function loginTable(logins: readonly LoginResult[]): Table {
  return {
    title: `${PEOPLE} people log in again and again, ${PAGES} pages a second of others`,
    head: ['server', 'logins/s', 'p50 ms of one', 'p99 ms of pages before', 'p99 ms of pages meanwhile'],
    rows: logins.map(({ server, ...result }) => [
      server,
      ...[result.logins, result.p50, result.p99_idle, result.p99].map((value) => value.toFixed(1)),
    ]),
    note: 'Form, CSRF, PBKDF2 with Django’s own iterations; ours with a captcha, whose answer is planted, and a throttle.',
  };
}

/** Markdown that also reads well in a terminal. */
export function print({ title, head, rows, note }: Table): string {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, n) => (n === 0 ? (row[n] ?? '').padEnd(width) : (row[n] ?? '').padStart(width))).join(' | ')} |`;
  const rule = `|${widths.map((width, n) => (n === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  const [first = [], ...others] = cells;
  return [`**${title}**`, '', line(first), rule, ...others.map(line), ...(note ? ['', note] : []), ''].join('\n');
}
