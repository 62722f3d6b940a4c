/** Processes, memory and table sizes: how ours behaves where there is more of everything. */
import type { Contestant } from './contestants.js';
import { inProcesses } from './contestants.js';
import type { BenchDatabase } from './database.js';
import { fill, warm } from './fill.js';
import { type Generators, measure, type Sample } from './measure.js';
import type { Options } from './options.js';
import { residentBytes } from './processes.js';
import type { Table } from './report.js';
import { plan, SCENARIOS } from './scenarios.js';
import { startServer } from './server_process.js';
import { summarize } from './statistics.js';

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`;

async function reads(
  contestant: Contestant,
  database: BenchDatabase,
  generators: Generators,
  options: Options,
): Promise<Sample[]> {
  const [scenario] = SCENARIOS;
  const samples: Sample[] = [];
  if (scenario === undefined) return samples;
  const server = await startServer(contestant, { database }, options.pin);
  try {
    for (let round = 0; round < options.rounds; round++) {
      const asked = plan(scenario, contestant, options, { port: server.port, seed: 7000 + round });
      samples.push(await measure(generators, asked, { server: server.pid, database: [database.pid] }));
    }
  } finally {
    await server.stop();
  }
  return samples;
}

/** The same reads by 1, 2 and 4 processes against one PostgreSQL. */
export async function processesTable(
  ours: Contestant,
  database: BenchDatabase,
  generators: Generators,
  options: Options,
): Promise<Table> {
  const rows: string[][] = [];
  for (const processes of [1, 2, 4]) {
    const contestant = { ...ours, command: inProcesses('servers/ours.mjs', processes), processes };
    const result = summarize('ours', 'read', await reads(contestant, database, generators, { ...options, pin: false }));
    rows.push([String(processes), whole(result.rps), result.p50.toFixed(2), result.p99.toFixed(2)]);
  }
  const note = 'Not pinned: the processes, PostgreSQL and the load generator share the cores.';
  return { title: 'read by several processes', head: ['processes', 'requests/s', 'p50 ms', 'p99 ms'], rows, note };
}

/** Cost of a read at three sizes of the table. Fills it anew each time. */
export async function scaleTable(
  ours: Contestant,
  database: BenchDatabase,
  generators: Generators,
  options: Options,
): Promise<Table> {
  const rows: string[][] = [];
  for (const size of [10_000, 1_000_000, 10_000_000]) {
    await fill(database, size, false);
    await warm(database);
    const result = summarize('ours', 'read', await reads(ours, database, generators, { ...options, rows: size }));
    const cpu = [result.server_us, result.postgres_us].map((value) => (value === null ? '-' : whole(value)));
    rows.push([whole(size), whole(result.rps), result.p50.toFixed(2), result.p99.toFixed(2), ...cpu]);
  }
  const head = ['rows', 'requests/s', 'p50 ms', 'p99 ms', 'CPU µs server', 'CPU µs PostgreSQL'];
  return { title: 'read at several sizes of the table', head, rows, note: `Medians of ${options.rounds} rounds.` };
}

/** Memory of one process while every session of the table is read once. */
export async function memoryTable(
  ours: Contestant,
  database: BenchDatabase,
  generators: Generators,
  options: Options,
): Promise<Table> {
  const [scenario] = SCENARIOS;
  const rows: string[][] = [];
  if (scenario !== undefined) {
    const server = await startServer(ours, { database }, options.pin);
    try {
      for (const sessions of [1, 10_000, 100_000, 1_000_000].filter((size) => size <= options.rows)) {
        const usual = plan(scenario, ours, options, { port: server.port, seed: 1 });
        const asked = { ...usual, sessions, each: true, warmup: 0, seconds: 600 };
        await measure(generators, asked, { server: server.pid, database: [] });
        rows.push([whole(sessions), megabytes(residentBytes(server.pid))]);
      }
    } finally {
      await server.stop();
    }
  }
  return { title: 'Memory of one process', head: ['different sessions read', 'resident'], rows };
}
