/** The port and the URL of the embedded PostgreSQL, and the file that stores the URL. */
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { ImproperlyConfigured } from '../errors.js';
import { type Cluster, SUPERUSER } from './cluster.js';

export function urlOf({ password }: Cluster, port: number, database: string): string {
  return `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;
}

const urlFile = (folder: string): string => path.join(folder, 'database_url');

/** Stores the URL for psql, Django and our own commands. Its mode is 0600, because the URL contains the password. */
export function keepUrl(folder: string, url: string): void {
  const temporary = `${urlFile(folder)}.${process.pid}`;
  try {
    writeFileSync(temporary, `${url}\n`, { mode: 0o600 });
    chmodSync(temporary, 0o600);
    // A rename, so that a reader never sees an incomplete file.
    renameSync(temporary, urlFile(folder));
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** The stored URL of the last run. PostgreSQL may not be running. */
export function keptUrl(folder: string): URL | undefined {
  try {
    return new URL(readFileSync(urlFile(folder), 'utf8').trim());
  } catch {
    return undefined;
  }
}

/** The wanted port if it is free, otherwise a port that the kernel chooses. */
export async function freePort(wanted: number): Promise<number> {
  for (const port of [wanted, 0]) {
    const server = createServer();
    const found = await new Promise<number | undefined>((resolve) => {
      server.once('error', () => resolve(undefined));
      server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
      });
    });
    if (found !== undefined) return found;
  }
  throw new ImproperlyConfigured('There is no free port on 127.0.0.1 for the embedded PostgreSQL.');
}
