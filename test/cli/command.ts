/** The command line, run as a shell would. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { PATIENT } from '../fire/processes.js';
import { compiled } from '../support/programs.js';

export const KEY = 'a key that only the tests of the command line use';

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Run one command line as a shell would, with standard input from a pipe. */
export async function cli(args: readonly string[], environment: NodeJS.ProcessEnv, input = ''): Promise<Ended> {
  const child = spawn(process.execPath, [compiled('server/cli/main.ts'), ...args], {
    env: { PATH: process.env['PATH'], SECRET_KEY: KEY, DATA_FOLDER: '/nonexistent/data', ...PATIENT, ...environment },
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, out, err };
}
