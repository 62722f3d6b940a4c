/** An application as a process of its own, run by Node alone. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Program {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Standard error so far. */
  errors(): string;
  /** Ends it. */
  stop(): Promise<void>;
}

/**
 * Start a program that prints its `server.address()` as JSON once it listens.
 * @throws Error with what it wrote when it ends before
 */
export async function start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Program> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const ended = once(child, 'exit');
  const port = await Promise.race([
    portOf(child),
    ended.then(([code]) => Promise.reject(new Error(`The program ended with code ${code}.\n${errors}`))),
  ]);
  return {
    url: `http://127.0.0.1:${port}`,
    errors: () => errors,
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}

async function portOf({ stdout }: ChildProcess): Promise<number> {
  if (stdout === null) throw new Error('No standard output.');
  const lines = createInterface({ input: stdout });
  const [line] = (await once(lines, 'line')) as [string];
  return (JSON.parse(line) as { readonly port: number }).port;
}
