/** Every contestant in every scenario, one after the other, round after round. */
import type { Contestant } from './contestants.js';
import type { BenchDatabase } from './database.js';
import { settle } from './fill.js';
import type { Plan } from './load/plan.js';
import { type Generators, measure, type Sample } from './measure.js';
import type { Options } from './options.js';
import { applies, plan, SCENARIOS, type Scenario } from './scenarios.js';
import { type RunningServer, startServer } from './server_process.js';
import { type Result, summarize } from './statistics.js';

/**
 * Seconds before each measurement. A server that nobody has asked for a minute or two takes most of a second to be as
 * fast as under load: its connections are closed, its heap has shrunk, its code has left the processor's cache. Ours is
 * asked again and again.
 */
const BETWEEN = 1;
const AGAIN = 0.2;
/** Ours when something else begins to be asked: V8 has thrown away code that was not run for a while. */
const ANEW = 3;

/**
 * All servers are up from first to last; those that are not asked have nothing to do. Ours is measured before and after
 * each of the others, in as many processes as that has where there is such a contestant, and held against the other by
 * the mean of the two: a machine's speed drifts within seconds, with what else runs on its host, and whoever was
 * measured first or last would gain or lose by it.
 */
export async function comparePeers(
  list: readonly Contestant[],
  database: BenchDatabase,
  generators: Generators,
  options: Options,
): Promise<Result[]> {
  const [ours, ...others] = list;
  if (ours === undefined) throw new Error('unreachable');
  const equalOf = (contestant: Contestant): Contestant => {
    const equal = others.find(
      ({ name, processes, users }) =>
        name.startsWith('ours') && processes === contestant.processes && users === contestant.users,
    );
    return equal === undefined || equal === contestant ? ours : equal;
  };
  const scenarios = SCENARIOS.filter(({ name }) => options.scenarios?.test(name) ?? true);
  const samples = new Map<string, Sample[]>();
  const servers = new Map<Contestant, RunningServer>();
  const ask = (contestant: Contestant, scenario: Scenario, round: number, time: Partial<Plan>): Promise<Sample> => {
    const server = servers.get(contestant);
    if (server === undefined) throw new Error('unreachable');
    const seed = round * 100 + scenarios.indexOf(scenario) + 1;
    const usual = plan(scenario, contestant, options, { port: server.port, seed });
    return measure(generators, { ...usual, ...time }, { server: server.pid, postgres: database.pid });
  };
  try {
    for (const contestant of list) servers.set(contestant, await startServer(contestant, database.url, options.pin));
    for (const scenario of scenarios) {
      for (const contestant of list) {
        const time = { warmup: 0, seconds: options.warmup * scenario.warmups };
        if (applies(scenario, contestant)) await ask(contestant, scenario, options.rounds, time);
      }
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const scenario of scenarios) {
        const measured = async (contestant: Contestant, warmup: number): Promise<Sample> => {
          const sample = await ask(contestant, scenario, round, { warmup });
          const lost = sample.lost > 0 ? `, ${sample.lost} ACKNOWLEDGED WRITES LOST` : '';
          const place = `round ${round + 1}/${options.rounds}  ${contestant.name.padEnd(26)} ${scenario.name.padEnd(14)}`;
          console.error(`${place} ${Math.round(sample.rps)}/s  p99 ${sample.p99.toFixed(1)} ms${lost}`);
          return sample;
        };
        const keep = (contestant: Contestant, sample: Sample): void => {
          const key = JSON.stringify([contestant.name, scenario.name]);
          samples.set(key, [...(samples.get(key) ?? []), sample]);
        };
        const measuredOurs = async (contestant: Contestant, warmup: number): Promise<Sample> => {
          const sample = await measured(contestant, warmup);
          keep(contestant, sample);
          return sample;
        };
        let mine = ours;
        let before = await measuredOurs(mine, ANEW);
        // Every other round backwards.
        for (const contestant of round % 2 === 0 ? others : [...others].reverse()) {
          if (!applies(scenario, contestant)) continue;
          const equal = equalOf(contestant);
          if (equal !== mine) {
            mine = equal;
            before = await measuredOurs(mine, ANEW);
          }
          const sample = await measured(contestant, BETWEEN);
          const after = await measuredOurs(mine, AGAIN);
          const beside = { rps: (before.rps + after.rps) / 2, p99: (before.p99 + after.p99) / 2 };
          keep(contestant, { ...sample, ours: beside });
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
