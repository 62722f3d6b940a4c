/** Every contestant in every scenario, alternating, round after round. */
import type { Contestant } from './contestants.js';
import type { BenchDatabase } from './database.js';
import { settle } from './fill.js';
import { type Generators, measure, type Sample } from './measure.js';
import type { Options } from './options.js';
import { applies, plan, SCENARIOS } from './scenarios.js';
import { startServer } from './server_process.js';
import { type Result, summarize } from './statistics.js';

export async function comparePeers(
  list: readonly Contestant[],
  database: BenchDatabase,
  generators: Generators,
  options: Options,
): Promise<Result[]> {
  const scenarios = SCENARIOS.filter(({ name }) => options.scenarios?.test(name) ?? true);
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round < options.rounds; round++) {
    // Every other round backwards: what drifts over a round then drifts against nobody.
    for (const contestant of round % 2 === 0 ? list : [...list].reverse()) {
      const server = await startServer(contestant, database.url, options.pin);
      try {
        for (const [number, scenario] of scenarios.entries()) {
          if (!applies(scenario, contestant)) continue;
          const usual = plan(scenario, contestant, options, { port: server.port, seed: round * 100 + number + 1 });
          // The first one finds a server whose code is not compiled yet.
          const asked = number === 0 ? { ...usual, warmup: usual.warmup * 3 } : usual;
          const sample = await measure(generators, asked, { server: server.pid, postgres: database.pid });
          const key = JSON.stringify([contestant.name, scenario.name]);
          samples.set(key, [...(samples.get(key) ?? []), sample]);
          const lost = sample.lost > 0 ? `, ${sample.lost} ACKNOWLEDGED WRITES LOST` : '';
          const place = `round ${round + 1}/${options.rounds}  ${contestant.name.padEnd(26)} ${scenario.name.padEnd(14)}`;
          console.error(`${place} ${Math.round(sample.rps)}/s  p99 ${sample.p99.toFixed(1)} ms${lost}`);
        }
      } finally {
        await server.stop();
      }
      if (scenarios.some(({ writes }) => writes > 0)) await settle(database);
    }
  }
  return [...samples].map(([key, rounds]) => {
    const [contestant, scenario] = JSON.parse(key) as [string, string];
    return summarize(contestant, scenario, rounds);
  });
}
