/**
 * Packs this package, installs it into a scratch project as a user would, and runs the applications there: their types,
 * then their suites, on a PostgreSQL of their own. APPLICATIONS_PEERS=oldest takes the oldest koa, knex and pg that
 * package.json allows, otherwise the newest. APPLICATIONS_FOLDER names a folder to keep the project in.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { emptyDatabase, mochaGlobalTeardown } from '../support/database.js';

const here = import.meta.dirname;
const root = path.join(here, '..', '..');
const PEERS = ['newest', 'oldest'] as const;

async function run(cwd: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });
  const [code, signal] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${signal ?? `code ${code}`}.`);
}

function chosenPeers(): (typeof PEERS)[number] {
  const chosen = process.env['APPLICATIONS_PEERS'] ?? 'newest';
  const peers = PEERS.find((each) => each === chosen);
  if (peers === undefined) throw new Error(`APPLICATIONS_PEERS is '${chosen}'. Allowed: ${PEERS.join(', ')}.`);
  return peers;
}

/** The newest state of the applications, without what an earlier run has left of files that were removed since. */
function copyApplications(project: string): void {
  for (const name of readdirSync(project)) {
    if (name !== 'node_modules') rmSync(path.join(project, name), { recursive: true });
  }
  cpSync(here, project, {
    recursive: true,
    filter: (file) => ![path.join(here, 'peers'), import.meta.filename].includes(file),
  });
  cpSync(path.join(root, 'test', 'support', 'reporter.cjs'), path.join(project, 'support', 'reporter.cjs'));
}

/**
 * The scratch project lies outside of this repository: Node looks for packages in all folders above, and an application
 * that forgets one of its own would find ours.
 */
async function install(project: string, peers: string): Promise<void> {
  copyApplications(project);
  cpSync(path.join(here, 'peers', peers), project, { recursive: true });
  await run(root, 'npm', ['pack', '--silent', '--pack-destination', project]);
  const packed = readdirSync(project).find((name) => name.endsWith('.tgz')) ?? '';
  // Not into package.json: the lock file would hold the sum of a package that is packed anew each time.
  await run(project, 'npm', ['install', '--no-audit', '--no-fund', '--silent', '--no-save', `./${packed}`]);
  for (const name of ['koa', 'knex', 'pg']) {
    const { version } = JSON.parse(readFileSync(path.join(project, 'node_modules', name, 'package.json'), 'utf8'));
    console.log(`${name} ${version}`);
  }
}

/**
 * As the strictest of users checks them, with `skipLibCheck: false`. Types of other packages that were written for an
 * older TypeScript are not ours to mend, so that the oldest ones may have faults of their own.
 */
async function checkTypes(project: string, peers: string): Promise<void> {
  const tsc = path.join(project, 'node_modules', 'typescript', 'bin', 'tsc');
  const parts = readdirSync(project).filter((name) => existsSync(path.join(project, name, 'tsconfig.json')));
  for (const part of ['.', ...parts]) {
    const args = [tsc, '--pretty', 'false', '--project', part];
    const { stdout, status } = spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' });
    const faults = stdout.split(/\n(?=\S)/).filter((fault) => fault.trim() !== '');
    const others = /^node_modules\/(?!koa-django-session\/)/;
    const ours = faults.filter((fault) => peers === 'newest' || !others.test(fault));
    if (ours.length > 0) throw new Error(`The applications' types:\n${ours.join('\n')}`);
    if (faults.length === 0 && status !== 0) throw new Error(`tsc ended with code ${status}.`);
  }
}

async function runSuites(project: string): Promise<void> {
  const mocha = path.join(project, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const database = await emptyDatabase();
  try {
    const suites = process.argv.length > 2 ? process.argv.slice(2) : ['*/*.test.ts'];
    await run(project, process.execPath, [mocha, ...suites], { DATABASE_URL: database.url });
  } finally {
    await database.drop();
  }
}

function report(error: unknown): void {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

const peers = chosenPeers();
const kept = process.env['APPLICATIONS_FOLDER'];
const project = kept ?? mkdtempSync(path.join(tmpdir(), 'koa-django-session-applications-'));
try {
  mkdirSync(project, { recursive: true });
  await install(project, peers);
  // Both, whatever the first one finds.
  const checks = [() => checkTypes(project, peers), () => runSuites(project)];
  for (const check of checks) await check().catch(report);
} catch (error) {
  report(error);
} finally {
  await mochaGlobalTeardown();
  if (kept === undefined) rmSync(project, { recursive: true, force: true });
}
