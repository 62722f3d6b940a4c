/** The examples of config/deploy with addresses and files of this machine in the places of theirs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';

export const ROOT = path.join(import.meta.dirname, '..', '..');

/** @param changes what stands there → what is to; each has to stand there */
export function example(file: string, changes: Readonly<Record<string, string>> = {}): string {
  return Object.entries(changes).reduce(
    (before, [old, now]) => {
      if (!before.includes(old)) throw new Error(`${file} has no "${old}".`);
      return before.replaceAll(old, now);
    },
    readFileSync(path.join(ROOT, file), 'utf8'),
  );
}

export interface Ended {
  readonly code: number | null;
  /** Standard output and errors. */
  readonly words: string;
}

export async function run(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Ended> {
  const child = spawn(program, args, { cwd: ROOT, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const failed = once(child, 'error').then(([error]) => {
    throw new Error(`${program} is not installed, and this suite asks it: see install_packages in .ci/run.`, {
      cause: error,
    });
  });
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const [out, err] = await Promise.race([ended, failed]);
  return { code: child.exitCode, words: out + err };
}
