/** `npm run bench`: installs, fills, measures, prints, and leaves JSON and the chart. Options: see options.ts. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chart } from './chart.js';
import { clearTable } from './clear.js';
import { type Contestant, contestants } from './contestants.js';
import { databaseSettings, openDatabase, processor } from './database.js';
import { memoryTable, processesTable, scaleTable } from './extras.js';
import { fill, warm } from './fill.js';
import { codecFloor, statementFloor } from './floors.js';
import { goals } from './goals.js';
import { installDjango, installPeers } from './install.js';
import { compareLogins } from './logins.js';
import { Generators } from './measure.js';
import { readOptions, USAGE } from './options.js';
import { comparePeers } from './peers.js';
import { CORES, pin } from './processes.js';
import { type BenchRedis, hasRedis, openRedis } from './redis.js';
import { goalTable, loginTable, print, type Report, scenarioTable, type Table } from './report.js';
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

/** Figures of two runs stand in one table only where these are the same. */
const SAME = ['processor', 'cores', 'node', 'postgresql', 'rows', 'connections'] as const;

/**
 * What BENCHMARKS.md shows, with what this run has measured anew: parts, scenarios and contestants may be run alone. On
 * another machine the comparison begins anew.
 */
function merged(report: Report, everybody: readonly Contestant[]): Report {
  if (!existsSync(REFERENCE)) return report;
  const kept = JSON.parse(readFileSync(REFERENCE, 'utf8')) as Report;
  const tables = kept.tables.filter(({ title }) => report.tables.every((table) => table.title !== title));
  const hasResults = report.results.length > 0;
  const isSame = !hasResults || SAME.every((name) => kept.machine[name] === report.machine[name]);
  const isAnew = ({ contestant, scenario }: Result): boolean =>
    report.results.some((result) => contestant === result.contestant && scenario === result.scenario);
  const results = [...(isSame ? kept.results.filter((result) => !isAnew(result)) : []), ...report.results];
  const scenarios = SCENARIOS.map(({ name }) => name);
  const names = everybody.map(({ name }) => name);
  const place = ({ scenario, contestant }: Result): number =>
    scenarios.indexOf(scenario) * names.length + names.indexOf(contestant);
  results.sort((one, other) => place(one) - place(other));
  const logins = report.logins.length > 0 ? report.logins : (kept.logins ?? []);
  return {
    machine: hasResults ? report.machine : kept.machine,
    contestants: everybody.map(({ name, what }) => ({ name, what })),
    results,
    logins,
    goals: goals(results, logins),
    tables: [...tables, ...report.tables],
  };
}

/** Those that were asked for, and those of ours that they are held against. */
function chosen(everybody: readonly Contestant[], names: RegExp | null): readonly Contestant[] {
  const asked = everybody.filter(({ name }) => names?.test(name) ?? true);
  return everybody.filter(({ name }) =>
    asked.some((contestant) => contestant.name === name || contestant.beside.includes(name)),
  );
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    console.log(USAGE);
    return;
  }
  installPeers();
  const site = installDjango();
  const everybody = contestants(CORES, site, hasRedis());
  const list = chosen(everybody, options.contestants);
  const database = await openDatabase();
  const generators = new Generators(options.generators);
  let redis: BenchRedis | null = null;
  try {
    const started = Date.now();
    const filled = await fill(database, options.rows, true);
    console.error(`${options.rows} sessions ${filled ? `filled in ${(Date.now() - started) / 1000} s` : 'are there'}`);
    await warm(database);
    if (options.parts.has('peers') && list.some((contestant) => contestant.redis)) {
      redis = await openRedis(options.rows);
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
    let report: Report = {
      machine,
      contestants: list.map(({ name, what }) => ({ name, what })),
      results: [],
      logins: [],
      goals: [],
      tables: [],
    };
    // Printed and written as soon as it is there: the whole takes hours, and may be cut short.
    const keep = (more: Partial<Pick<Report, 'results' | 'logins'>>, ...tables: readonly Table[]): void => {
      report = { ...report, ...more };
      for (const table of tables) console.log(print(table));
      report = { ...report, goals: goals(report.results, report.logins) };
      write(options.output, report);
      if (options.reference) write(REFERENCE, merged(report, everybody), CHART);
    };
    const keepTables = (...tables: readonly Table[]): void => {
      report = { ...report, tables: [...report.tables, ...tables] };
      keep({}, ...tables);
    };
    if (options.parts.has('logins')) {
      const logins = await compareLogins(database, site, options);
      keep({ logins }, loginTable(logins));
    }
    if (options.pin && CORES > 1) {
      // Core 0 is the server's; PostgreSQL, Redis and the generators share the others.
      const others = Array.from({ length: CORES - 1 }, (_, n) => n + 1);
      for (const pid of [database.pid, redis?.pid]) if (pid !== undefined) pin(pid, others);
      generators.pin(others);
    }
    if (options.parts.has('peers')) {
      const results = await comparePeers(list, { database, redis }, generators, options);
      keep({ results }, ...SCENARIOS.flatMap((scenario) => scenarioTable(scenario, results) ?? []));
    }
    const [ours] = everybody;
    if (ours === undefined) throw new Error('unreachable');
    if (options.parts.has('floors')) keepTables(await statementFloor(database, options), codecFloor());
    if (options.parts.has('processes')) keepTables(await processesTable(ours, database, generators, options));
    if (options.parts.has('memory')) keepTables(await memoryTable(ours, database, generators, options));
    if (options.parts.has('clear')) keepTables(await clearTable(ours, database, generators, options));
    if (options.parts.has('scale')) keepTables(await scaleTable(ours, database, generators, options));
    if (report.goals.length > 0) console.log(print(goalTable(report.goals)));
  } finally {
    generators.stop();
    await redis?.stop();
    await database.stop();
  }
}

await main();
