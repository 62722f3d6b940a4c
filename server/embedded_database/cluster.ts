/** The cluster: PostgreSQL's data directory and its password, created atomically. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { hasCode } from '../error_code.js';
import { ImproperlyConfigured } from '../errors.js';
import { type Account, asAccount } from './account.js';
import { lives, ownMark } from './processes.js';

/** The PostgreSQL release of the npm package. A data directory works with one release only. */
const PG_VERSION = '17';
export const SUPERUSER = 'postgres';

/** An existing cluster. */
export interface Cluster {
  /** PostgreSQL's data directory. */
  readonly data: string;
  readonly password: string;
  /** The path of PostgreSQL's log. */
  readonly log: string;
}

export interface MakeCluster {
  readonly folder: string;
  readonly account: Account | undefined;
  readonly initdb: string;
  /** Flush to disk. Without it, initdb is faster, and a power cut may lose the cluster. */
  readonly fsync: boolean;
}

const dataOf = (folder: string): string => path.join(folder, 'data');

/**
 * Opens the cluster in `folder`, or creates it. It is created elsewhere and renamed, so that an interrupted start leaves no
 * incomplete cluster. Of two concurrent first starts, both use the cluster that was renamed first.
 *
 * @throws ImproperlyConfigured when the folder contains something else, which is not changed, or a cluster of another
 *   release or account
 */
export async function openCluster(options: MakeCluster): Promise<Cluster> {
  const { folder } = options;
  if (empty(folder)) await makeCluster(options);
  const data = dataOf(folder);
  const instead = 'Move it away, choose another data folder, or set DATABASE_URL.';
  let version: string;
  let password: string;
  try {
    version = readFileSync(path.join(data, 'PG_VERSION'), 'utf8').trim();
    password = readFileSync(path.join(folder, 'password'), 'utf8').trim();
  } catch (cause) {
    if (['EACCES', 'EPERM'].includes(String((cause as NodeJS.ErrnoException).code))) {
      throw new ImproperlyConfigured(
        `The database in ${folder} belongs to another account. Run as that one. ${instead}`,
        {
          cause,
        },
      );
    }
    throw new ImproperlyConfigured(
      `${folder} is not the folder of an embedded PostgreSQL; it was left as it is. ${instead}`,
      { cause },
    );
  }
  if (version !== PG_VERSION) {
    throw new ImproperlyConfigured(
      `The database in ${folder} was made by PostgreSQL ${version}; this one is ${PG_VERSION}. ${instead}`,
    );
  }
  return { data, password, log: path.join(folder, 'postgresql.log') };
}

/** Whether the folder does not exist or is empty. `rename` replaces an empty folder. */
function empty(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    // A file, or a folder of another account, which openCluster reports.
    return false;
  }
}

async function makeCluster({ folder, account, initdb, fsync }: MakeCluster): Promise<void> {
  const parent = path.dirname(folder);
  const prefix = `${path.basename(folder)}.initdb-`;
  removeAbandoned(parent, prefix);
  const temporary = mkdtempSync(path.join(parent, `${prefix}${ownMark()}-`));
  try {
    // 0711 lets the account reach `data`, which only it can read. Only root can read the password file.
    chmodSync(temporary, account === undefined ? 0o700 : 0o711);
    const password = randomBytes(24).toString('base64url');
    const passwordFile = path.join(temporary, 'password');
    const forInitdb = path.join(temporary, 'password.initdb');
    for (const file of [passwordFile, forInitdb]) writeFileSync(file, `${password}\n`, { mode: 0o600 });
    mkdirSync(dataOf(temporary), { mode: 0o700 });
    if (account !== undefined) {
      for (const file of [dataOf(temporary), forInitdb]) chownSync(file, account.uid, account.gid);
    }
    const args = ['-D', dataOf(temporary), '-U', SUPERUSER, `--pwfile=${forInitdb}`, '--auth=scram-sha-256'];
    // The builtin locale provider sorts the same on every machine and needs no locale of the system.
    args.push('--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8');
    await run(initdb, fsync ? args : [...args, '--no-sync'], account);
    rmSync(forInitdb);
    try {
      renameSync(temporary, folder);
    } catch (error) {
      // Another start was first: use its cluster, remove ours.
      if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Removes the temporary folders of killed starts. The name contains the mark of the process that made it (`ownMark`). */
function removeAbandoned(parent: string, prefix: string): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(prefix)) continue;
    const mark = name.slice(prefix.length).replace(/-[^-]{6}$/, '');
    if (/^\d+@/.test(mark) && lives(mark) === undefined)
      rmSync(path.join(parent, name), { recursive: true, force: true });
  }
}

async function run(program: string, args: readonly string[], account: Account | undefined): Promise<void> {
  const child = spawn(program, args, { ...asAccount(account), stdio: ['ignore', 'pipe', 'pipe'] });
  const [code, out, err] = await Promise.all([
    new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve)),
    text(child.stdout),
    text(child.stderr),
  ]);
  if (code !== 0) {
    throw new ImproperlyConfigured(
      `initdb could not make a database (exit ${code ?? 'by a signal'}): ${`${err}\n${out}`.trim().split('\n').slice(-5).join(' ')}`,
    );
  }
}

/** Empties the log if it is larger than 5 MB. It is for failed starts, and nothing rotates it. */
export function trimLog(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > 5_000_000) writeFileSync(file, '', { mode: 0o600 });
}
