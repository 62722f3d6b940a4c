/** Folders outside of this repository, where Node and npm find none of its packages, and programs run in them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';

export const ROOT = path.join(import.meta.dirname, '..', '..');

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Project {
  readonly folder: string;
  /** Run a program here. The environment is PATH, HOME and what is given: no setting of the tests' own gets in. */
  run(command: string, args: readonly string[], environment?: NodeJS.ProcessEnv): Promise<Ended>;
  /** The same, for what has to work. */
  must(command: string, ...args: readonly string[]): Promise<string>;
  remove(): void;
}

const INHERITED = ['PATH', 'HOME', 'npm_config_cache', 'npm_config_registry', 'npm_config_userconfig'];

export function newProject(): Project {
  const folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-install-'));
  const inherited = Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]));
  const run: Project['run'] = async (command, args, environment = {}) => {
    const env = { ...inherited, ...environment };
    const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    return { code: child.exitCode, out, err };
  };
  return {
    folder,
    run,
    must: async (command, ...args) => {
      const { code, out, err } = await run(command, args);
      if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${code}:\n${out}\n${err}`);
      return out;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A clean clone, of the files as they are now: what git knows, and what it would be told of. */
export async function cloneOf(project: Project): Promise<void> {
  const files = await project.must('git', '-C', ROOT, 'ls-files', '-z', '--cached', '--others', '--exclude-standard');
  for (const file of files.split('\0').filter((name) => name !== '')) {
    const target = path.join(project.folder, file);
    mkdirSync(path.dirname(target), { recursive: true });
    cpSync(path.join(ROOT, file), target);
  }
}
