/** Free ports, and waiting until a program listens on one. */
import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Below the ports that systems give to outgoing connections: from 32768 by Linux, 49152 by others. */
const LOWEST = 21_000;
const HIGHEST = 32_767;

/**
 * A free port of 127.0.0.1. An outgoing connection of another suite cannot take it before the program that is about to listen
 * on it, as it could take one that the system chooses.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST + 1);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]).catch(() => false);
    await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
  }
}

/**
 * Resolves when the program accepts connections on its port.
 *
 * @param missing the error message if it is not installed
 * @throws Error if it exits before that, and after a minute
 */
export async function answering(child: ChildProcess, port: number, missing: string): Promise<void> {
  const [program] = child.spawnargs;
  let ended: Error | undefined;
  child.once('error', (error) => {
    ended = 'code' in error && error.code === 'ENOENT' ? new Error(missing) : error;
  });
  child.once('exit', (code) => {
    ended ??= new Error(`${program} ended with code ${code} before it answered.`);
  });
  for (const end = performance.now() + 60_000; performance.now() < end; ) {
    if (ended !== undefined) throw ended;
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await pause(20);
  }
  throw new Error(`${program} does not answer.`);
}
