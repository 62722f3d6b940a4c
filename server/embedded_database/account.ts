/** The account that PostgreSQL runs as: it refuses root, so root's server runs it as `nobody`. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { ImproperlyConfigured } from '../errors.js';

/** What spawn and chown take. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const USE_ANOTHER = 'Run as another user, or set DATABASE_URL to a PostgreSQL of your own.';

/**
 * undefined: this process's own account will do. As root: whoever owns the data already (a start without root made
 * them), otherwise `nobody`. No account is made.
 *
 * @throws ImproperlyConfigured as root on a machine without `nobody`
 */
export function databaseAccount(data: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = ownerOf(data);
  if (owner !== undefined && owner.uid !== 0) return owner;
  return nobody(readFileSync('/etc/passwd', 'utf8'));
}

function ownerOf(data: string): Account | undefined {
  try {
    const { uid, gid } = statSync(data);
    return { uid, gid };
  } catch {
    // Not there yet, or not a folder: whoever opens the cluster says so.
    return undefined;
  }
}

/** @param passwd the text of /etc/passwd: `name:password:uid:gid:…` */
export function nobody(passwd: string): Account {
  const [, uid, gid] = /^nobody:[^:]*:(-?\d+):(-?\d+):/m.exec(passwd) ?? [];
  if (uid === undefined || gid === undefined) {
    throw new ImproperlyConfigured(
      `PostgreSQL refuses to run as root, and this machine has no account "nobody" to run it as. ${USE_ANOTHER}`,
    );
  }
  // macOS writes -2 for what its kernel calls 4294967294.
  return { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
}

/** Spawn options for a program of PostgreSQL. The environment is bare: ours holds secrets, and PG* would steer it. */
export function asAccount(account: Account | undefined): {
  readonly uid?: number;
  readonly gid?: number;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
} {
  const bare = { cwd: '/', env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TZ: 'UTC' } };
  return account === undefined ? bare : { ...bare, uid: account.uid, gid: account.gid };
}

/** Whether that account can enter a folder, or run a file: asked of the kernel, so that every folder above counts. */
export function canReach(account: Account | undefined, target: string): boolean {
  if (account === undefined) return true;
  const test = spawnSync('/bin/sh', ['-c', '[ -x "$1" ]', 'sh', target], { ...asAccount(account), stdio: 'ignore' });
  if (test.error !== undefined) {
    throw new ImproperlyConfigured(
      `PostgreSQL refuses to run as root, and this process may not start it as another account (${test.error.message}). ${USE_ANOTHER}`,
    );
  }
  return test.status === 0;
}
