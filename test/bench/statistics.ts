/** Medians over rounds. */
import type { Sample } from './measure.js';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** One contestant in one scenario, over all rounds. */
export interface Result {
  readonly contestant: string;
  readonly scenario: string;
  /** The day of the run. */
  readonly date?: string;
  readonly rounds: readonly Sample[];
  readonly rps: number;
  readonly rps_min: number;
  readonly rps_max: number;
  readonly p50: number;
  readonly p99: number;
  readonly server_us: number | null;
  readonly postgres_us: number | null;
}

export function summarize(
  contestant: string,
  scenario: string,
  rounds: readonly Sample[],
  date = new Date().toISOString().slice(0, 10),
): Result {
  const of = (field: 'rps' | 'p50' | 'p99'): number[] => rounds.map((round) => round[field]);
  const cpu = (field: 'server_us' | 'postgres_us'): number | null => {
    const known = rounds.flatMap((round) => round[field] ?? []);
    return known.length === 0 ? null : median(known);
  };
  return {
    contestant,
    scenario,
    date,
    rounds,
    rps: median(of('rps')),
    rps_min: Math.min(...of('rps')),
    rps_max: Math.max(...of('rps')),
    p50: median(of('p50')),
    p99: median(of('p99')),
    server_us: cpu('server_us'),
    postgres_us: cpu('postgres_us'),
  };
}

/**
 * How many times theirs is in ours: the median of the rounds' ratios. A machine's speed drifts, so each measurement is
 * held against what ours gave beside it.
 *
 * @param beside the one of ours; the first that it is held against when absent
 * @returns 1 for ours, which is held against nobody; NaN where it was not held against that one
 */
export function ratio({ rounds }: Result, field: 'rps' | 'p99', beside?: string): number {
  const held = rounds.flatMap((round) => (round.ours === undefined ? [] : [{ ...round, ours: round.ours }]));
  const name = beside ?? held[0]?.ours.name;
  const ratios = held.filter(({ ours }) => ours.name === name).map((round) => round.ours[field] / round[field]);
  return held.length === 0 ? 1 : median(ratios);
}
