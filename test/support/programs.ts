/** Our programs for tests that run them in a process of its own: compiled once a run, because tsx takes longer than they do. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '../..');

/** The environment variable by which the processes of a parallel run know the folder. */
const HANDED_DOWN = 'KOA_DJANGO_SESSION_TEST_PROGRAMS';

function compile(): string {
  // Below the repository, where its packages, views and pictures are found.
  const folder = path.join(ROOT, 'node_modules/.cache', `koa-django-session-programs-${process.pid}`);
  rmSync(folder, { recursive: true, force: true });
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{"type": "module"}');
  const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
  const project = path.join(import.meta.dirname, 'tsconfig.programs.json');
  execFileSync(process.execPath, [tsc, '-p', project, '--outDir', folder], { stdio: ['ignore', 'inherit', 'inherit'] });
  return folder;
}

/** The compiled file of a program, which is named by its path in the repository: `server/main.ts`. */
export function compiled(program: string): string {
  process.env[HANDED_DOWN] ??= compile();
  return path.join(process.env[HANDED_DOWN], program.replace(/\.ts$/, '.js'));
}

/** A command line in which each program and each file of settings is the compiled one. */
export function commandLine(words: readonly string[]): string[] {
  return words.map((word) => (word.endsWith('.ts') ? compiled(word) : word));
}

/** Mocha calls this before the first test; in a parallel run before there are processes. */
export function mochaGlobalSetup(this: { isParallelMode(): boolean }): void {
  if (this.isParallelMode()) process.env[HANDED_DOWN] = compile();
}
