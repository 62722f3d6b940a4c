/** Every contestant in every scenario, one after the other, round after round. */
import type { Contestant } from './contestants.js';
import type { BenchDatabase } from './database.js';
import { settle } from './fill.js';
import { type Generators, measure, type Sample } from './measure.js';
import type { Options } from './options.js';
import { applies, plan, SCENARIOS, type Scenario } from './scenarios.js';
import { type RunningServer, startServer } from './server_process.js';
import { type Result, summarize } from './statistics.js';

/**
 * All servers are up during a round; those that are not asked have nothing to do. So one scenario is measured on all of
 * them within a minute, and a machine whose speed drifts drifts against nobody.
 */
export async function comparePeers(
  list: readonly Contestant[],
  database: BenchDatabase,
  generators: Generators,
  options: Options,
): Promise<Result[]> {
  const scenarios = SCENARIOS.filter(({ name }) => options.scenarios?.test(name) ?? true);
  const samples = new Map<string, Sample[]>();
  const one = async (
    contestant: Contestant,
    server: RunningServer,
    scenario: Scenario,
    round: number,
  ): Promise<void> => {
    const seed = round * 100 + scenarios.indexOf(scenario) + 1;
    const asked = plan(scenario, contestant, options, { port: server.port, seed });
    const sample = await measure(generators, asked, { server: server.pid, postgres: database.pid });
    const key = JSON.stringify([contestant.name, scenario.name]);
    samples.set(key, [...(samples.get(key) ?? []), sample]);
    const lost = sample.lost > 0 ? `, ${sample.lost} ACKNOWLEDGED WRITES LOST` : '';
    const place = `round ${round + 1}/${options.rounds}  ${contestant.name.padEnd(26)} ${scenario.name.padEnd(14)}`;
    console.error(`${place} ${Math.round(sample.rps)}/s  p99 ${sample.p99.toFixed(1)} ms${lost}`);
  };
  for (let round = 0; round < options.rounds; round++) {
    // Every other round backwards.
    const order = round % 2 === 0 ? list : [...list].reverse();
    const servers = new Map<Contestant, RunningServer>();
    try {
      for (const contestant of order) servers.set(contestant, await startServer(contestant, database.url, options.pin));
      for (const scenario of scenarios) {
        for (const [contestant, server] of servers) {
          if (applies(scenario, contestant)) await one(contestant, server, scenario, round);
        }
        if (scenario.writes > 0) await settle(database);
      }
    } finally {
      await Promise.all([...servers.values()].map((server) => server.stop()));
    }
  }
  return [...samples].map(([key, rounds]) => {
    const [contestant, scenario] = JSON.parse(key) as [string, string];
    return summarize(contestant, scenario, rounds);
  });
}
