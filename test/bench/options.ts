/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';

export interface Options {
  readonly rows: number;
  readonly rounds: number;
  /** Seconds of one measurement, and of the warming up before it. */
  readonly seconds: number;
  readonly warmup: number;
  readonly connections: number;
  readonly generators: number;
  readonly pin: boolean;
  readonly contestants: RegExp | null;
  readonly scenarios: RegExp | null;
  /** Parts of the report. */
  readonly parts: ReadonlySet<Part>;
  readonly output: string;
  /** Whether the numbers and the picture of BENCHMARKS.md are replaced. */
  readonly reference: boolean;
}

export const PARTS = ['peers', 'logins', 'floors', 'memory', 'clear', 'processes', 'scale'] as const;
export type Part = (typeof PARTS)[number];

export const USAGE = `npm run bench -- [options]
  --quick            a few minutes: 100,000 rows, one round of 0.5 seconds, peers and floors alone
  --rows N           sessions in the table (1000000)
  --rounds N         rounds, each contestant once in each, and ours beside each of the others (9)
  --seconds N        seconds of one measurement (1)
  --connections N    keep-alive connections (32)
  --generators N     load generator processes (1)
  --no-pin           leave the processes where the scheduler puts them
  --only REGEXP      contestants whose name matches, and those of ours that they are held against
  --scenario REGEXP  scenarios whose name matches
  --part A,B         of ${PARTS.join(', ')} (all but scale)
  --scale            also 10 thousand and 10 million rows: long, 20 GB
  --output FILE      results as JSON, and a chart beside them (test/bench/results/latest.json)
  --reference        also put the parts that were run into test/bench/reference.json and chart.svg, which BENCHMARKS.md
                     shows
`;

/** @returns null when only the usage was asked for */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      rows: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      connections: { type: 'string', default: '32' },
      generators: { type: 'string', default: '1' },
      'no-pin': { type: 'boolean', default: false },
      only: { type: 'string' },
      scenario: { type: 'string' },
      part: { type: 'string' },
      scale: { type: 'boolean', default: false },
      reference: { type: 'boolean', default: false },
      output: { type: 'string', default: 'test/bench/results/latest.json' },
    },
  });
  if (values.help) return null;
  const number = (given: string | undefined, usual: number): number => {
    const value = given === undefined ? usual : Number(given);
    if (!Number.isFinite(value) || value <= 0) throw new Error(`${given} is not a number above 0.\n${USAGE}`);
    return value;
  };
  const usual = values.quick ? { rows: 100_000, rounds: 1, seconds: 0.5 } : { rows: 1_000_000, rounds: 9, seconds: 1 };
  const most = values.quick ? ['peers', 'floors'] : PARTS.filter((part) => part !== 'scale');
  const asked = values.part?.split(',') ?? most;
  const parts = PARTS.filter((part) => asked.includes(part) || (part === 'scale' && values.scale));
  if (parts.length === 0) throw new Error(`--part: none of ${asked.join(', ')} is known.\n${USAGE}`);
  return {
    rows: number(values.rows, usual.rows),
    rounds: number(values.rounds, usual.rounds),
    seconds: number(values.seconds, usual.seconds),
    warmup: values.quick ? 0.7 : 1,
    connections: number(values.connections, 32),
    generators: number(values.generators, 1),
    pin: !values['no-pin'],
    contestants: values.only === undefined ? null : new RegExp(values.only),
    scenarios: values.scenario === undefined ? null : new RegExp(values.scenario),
    parts: new Set(parts),
    output: values.output,
    reference: values.reference,
  };
}
