/** `npm run bench`: installs, fills, measures, prints, and leaves JSON and the chart. Options: see options.ts. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chart } from './chart.js';
import { clearTable } from './clear.js';
import { contestants } from './contestants.js';
import { databaseSettings, openDatabase, processor } from './database.js';
import { memoryTable, processesTable, scaleTable } from './extras.js';
import { fill, warm } from './fill.js';
import { codecFloor, statementFloor } from './floors.js';
import { goals } from './goals.js';
import { installDjango, installPeers } from './install.js';
import { Generators } from './measure.js';
import { readOptions, USAGE } from './options.js';
import { comparePeers } from './peers.js';
import { CORES, pin } from './processes.js';
import { goalTable, print, type Report, scenarioTable, type Table } from './report.js';
import { SCENARIOS } from './scenarios.js';
import type { Result } from './statistics.js';

const CHART = fileURLToPath(new URL('chart.svg', import.meta.url));
const REFERENCE = fileURLToPath(new URL('reference.json', import.meta.url));

function write(file: string, report: Report, picture = file.replace(/(\.json)?$/, '.svg')): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
  if (report.results.length === 0) return;
  const { rows, connections, cores, node, postgresql, rounds } = report.machine;
  const caption = `${rows?.toLocaleString('en-US')} sessions of 2 kB, ${connections} connections, ${cores} cores, node ${node}, PostgreSQL ${postgresql}, medians of ${rounds} rounds`;
  const sections = [
    { title: 'Read a logged-in session, requests a second', scenario: 'read' },
    { title: 'Read, change, save, requests a second', scenario: 'write' },
  ];
  writeFileSync(picture, chart(report.results, sections, caption));
}

/** What BENCHMARKS.md shows, with what this run has measured anew: parts, scenarios and contestants may be run alone. */
function merged(report: Report): Report {
  if (!existsSync(REFERENCE)) return report;
  const kept = JSON.parse(readFileSync(REFERENCE, 'utf8')) as Report;
  const tables = kept.tables.filter(({ title }) => report.tables.every((table) => table.title !== title));
  const anew = (old: Result): Result | undefined =>
    report.results.find(({ contestant, scenario }) => contestant === old.contestant && scenario === old.scenario);
  const results = kept.results.map((old) => anew(old) ?? old);
  const whole = report.results.length >= results.length;
  return {
    ...(whole ? report : { ...kept, results, goals: goals(results) }),
    tables: [...tables, ...report.tables],
  };
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    console.log(USAGE);
    return;
  }
  installPeers();
  const everybody = contestants(CORES, installDjango());
  const list = everybody.filter(({ name }) => name === 'ours' || (options.contestants?.test(name) ?? true));
  const database = await openDatabase();
  const generators = new Generators(options.generators);
  const tables: Table[] = [];
  try {
    const started = Date.now();
    const filled = await fill(database, options.rows, true);
    console.error(`${options.rows} sessions ${filled ? `filled in ${(Date.now() - started) / 1000} s` : 'are there'}`);
    await warm(database);
    if (options.pin && CORES > 1) {
      // Core 0 is the server's; PostgreSQL and the generators share the others.
      const others = Array.from({ length: CORES - 1 }, (_, n) => n + 1);
      if (database.pid !== undefined) pin(database.pid, others);
      generators.pin(others);
    }
    const machine = {
      date: new Date().toISOString().slice(0, 10),
      processor: processor(),
      cores: CORES,
      node: process.version,
      postgresql: database.version,
      ...(await databaseSettings(database)),
      rows: options.rows,
      connections: options.connections,
      rounds: options.rounds,
      seconds: options.seconds,
      pinned: options.pin ? 'server on core 0; PostgreSQL and generator on the others' : 'no',
    };
    const results = options.parts.has('peers') ? await comparePeers(list, database, generators, options) : [];
    const report: Report = {
      machine,
      contestants: list.map(({ name, what }) => ({ name, what })),
      results,
      goals: goals(results),
      tables,
    };
    const scenarioTables = SCENARIOS.flatMap((scenario) => scenarioTable(scenario, results) ?? []);
    const reached = report.goals.length === 0 ? [] : [goalTable(report.goals)];
    for (const table of [...scenarioTables, ...reached]) console.log(print(table));
    // Printed and written as soon as it is there: the whole takes an hour, and may be cut short.
    const keep = (...more: readonly Table[]): void => {
      tables.push(...more);
      for (const table of more) console.log(print(table));
      write(options.output, report);
      if (options.reference) write(REFERENCE, merged(report), CHART);
    };
    keep();
    const [ours] = list;
    if (ours === undefined) throw new Error('unreachable');
    if (options.parts.has('floors')) keep(await statementFloor(database, options), codecFloor());
    if (options.parts.has('processes')) keep(await processesTable(ours, database, generators, options));
    if (options.parts.has('memory')) keep(await memoryTable(ours, database, generators, options));
    if (options.parts.has('clear')) keep(await clearTable(ours, database, generators, options));
    if (options.parts.has('scale')) keep(await scaleTable(ours, database, generators, options));
  } finally {
    generators.stop();
    await database.stop();
  }
}

await main();
