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

/** Seconds before each measurement: connections are opened, and what the one before left behind is over. */
const BETWEEN = 0.2;

/**
 * All servers are up from first to last; those that are not asked have nothing to do. So one scenario is measured on all
 * of them within half a minute, and a machine whose speed drifts drifts against nobody. Many short rounds tell more than
 * a few long ones, for the same reason.
 */
export async function comparePeers(
  list: readonly Contestant[],
  database: BenchDatabase,
  generators: Generators,
  options: Options,
): Promise<Result[]> {
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
        // Every other round backwards.
        for (const contestant of round % 2 === 0 ? list : [...list].reverse()) {
          if (!applies(scenario, contestant)) continue;
          const sample = await ask(contestant, scenario, round, { warmup: BETWEEN });
          const key = JSON.stringify([contestant.name, scenario.name]);
          samples.set(key, [...(samples.get(key) ?? []), sample]);
          const lost = sample.lost > 0 ? `, ${sample.lost} ACKNOWLEDGED WRITES LOST` : '';
          const place = `round ${round + 1}/${options.rounds}  ${contestant.name.padEnd(26)} ${scenario.name.padEnd(14)}`;
          console.error(`${place} ${Math.round(sample.rps)}/s  p99 ${sample.p99.toFixed(1)} ms${lost}`);
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
