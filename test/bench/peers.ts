/** Every contestant in every scenario, one after the other, round after round. */
import type { Contestant } from './contestants.js';
import type { BenchDatabase } from './database.js';
import { settle } from './fill.js';
import type { Plan } from './load/plan.js';
import { type Generators, measure, type Sample } from './measure.js';
import type { Options } from './options.js';
import type { BenchRedis } from './redis.js';
import { applies, plan, SCENARIOS, type Scenario } from './scenarios.js';
import { type RunningServer, startServer } from './server_process.js';
import { type Result, summarize } from './statistics.js';

/**
 * Seconds before each measurement. A server that nobody has asked for a minute or two is slow at first: its connections
 * are closed, its heap has shrunk, V8 has thrown its code away. koa-session takes one or two seconds to be as fast as under
 * load, pages that also look up the user three.
 */
const ANEW = 3;
/** Ours is asked again and again. */
const AGAIN = 0.2;

/** What is measured against what: a contestant, and one of ours. */
interface Pair {
  readonly contestant: Contestant;
  readonly beside: Contestant;
}

/** Those that are held against the same one of ours follow one another. */
export function pairsOf(list: readonly Contestant[]): readonly Pair[] {
  return list.flatMap((beside) =>
    list.filter((other) => other.beside.includes(beside.name)).map((contestant) => ({ contestant, beside })),
  );
}

/**
 * All servers are up from first to last; those that are not asked have nothing to do. The one of ours that does the same
 * work is measured before and after each of the others, and that is held against the mean of the two: a machine's speed
 * drifts within seconds, with what else runs on its host, and whoever was measured first or last would gain or lose by it.
 */
export async function comparePeers(
  list: readonly Contestant[],
  { database, redis }: { readonly database: BenchDatabase; readonly redis: BenchRedis | null },
  generators: Generators,
  options: Options,
): Promise<Result[]> {
  const pairs = pairsOf(list);
  const scenarios = SCENARIOS.filter(({ name }) => options.scenarios?.test(name) ?? true);
  const samples = new Map<string, Sample[]>();
  const servers = new Map<Contestant, RunningServer>();
  const ask = (contestant: Contestant, scenario: Scenario, round: number, time: Partial<Plan>): Promise<Sample> => {
    const server = servers.get(contestant);
    if (server === undefined) throw new Error('unreachable');
    const seed = round * 100 + scenarios.indexOf(scenario) + 1;
    const usual = plan(scenario, contestant, options, { port: server.port, seed });
    const pids = contestant.redis ? [database.pid, redis?.pid] : [database.pid];
    return measure(generators, { ...usual, ...time }, { server: server.pid, database: pids });
  };
  const keep = (contestant: Contestant, scenario: Scenario, sample: Sample): Sample => {
    const key = JSON.stringify([contestant.name, scenario.name]);
    samples.set(key, [...(samples.get(key) ?? []), sample]);
    return sample;
  };
  try {
    for (const contestant of list) {
      servers.set(contestant, await startServer(contestant, { database, redis }, options.pin));
    }
    for (const scenario of scenarios) {
      for (const contestant of list) {
        const time = { warmup: 0, seconds: options.warmup * scenario.warmups };
        if (applies(scenario, contestant)) await ask(contestant, scenario, options.rounds, time);
      }
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const scenario of scenarios) {
        const measured = (contestant: Contestant, warmup: number): Promise<Sample> =>
          ask(contestant, scenario, round, { warmup });
        const asked = pairs.filter(
          ({ contestant, beside }) => applies(scenario, contestant) && applies(scenario, beside),
        );
        const [ours] = list;
        if (asked.length === 0 && ours !== undefined) keep(ours, scenario, await measured(ours, ANEW));
        let mine: Contestant | undefined;
        let before: Sample | undefined;
        // Every other round backwards.
        for (const { contestant, beside } of round % 2 === 0 ? asked : [...asked].reverse()) {
          if (beside !== mine || before === undefined) {
            mine = beside;
            before = keep(beside, scenario, await measured(beside, ANEW));
          }
          const sample = await measured(contestant, ANEW);
          const after = keep(beside, scenario, await measured(beside, AGAIN));
          keep(contestant, scenario, { ...sample, ours: mean(beside.name, before, after) });
          before = after;
        }
      }
      if (scenarios.some(({ writes }) => writes > 0)) await settle(database);
    }
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()));
  }
  return [...samples].map(([key, rounds]) => {
    const [contestant, scenario] = JSON.parse(key) as [string, string];
    return summarize(contestant, scenario, rounds);
  });
}

function mean(name: string, before: Sample, after: Sample): NonNullable<Sample['ours']> {
  const half = (one: number, two: number): number => (one + two) / 2;
  const cpu = before.server_us === null || after.server_us === null ? null : half(before.server_us, after.server_us);
  return { name, rps: half(before.rps, after.rps), p99: half(before.p99, after.p99), server_us: cpu };
}
