/** Chooses the account that PostgreSQL runs as. It refuses to run as root; for root it is `nobody`. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { ImproperlyConfigured } from '../errors.js';

/** The account's numbers, for spawn and chown. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const USE_ANOTHER = 'Run as another user, or set DATABASE_URL to a PostgreSQL of your own.';

/**
 * undefined if this process is not root: PostgreSQL then runs as this process does. For root, the owner of the existing
 * data if it is not root, otherwise `nobody`. Creates no account.
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
    // It does not exist yet, or is no folder, which openCluster reports.
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

/** Spawn options for PostgreSQL's programs. Does not pass our environment: it contains secrets, and maybe PG* variables. */
export function asAccount(account: Account | undefined): {
  readonly uid?: number;
  readonly gid?: number;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
} {
  const bare = { cwd: '/', env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TZ: 'UTC' } };
  return account === undefined ? bare : { ...bare, uid: account.uid, gid: account.gid };
}

/** Whether the account can enter a folder or run a file. Runs `test -x` as the account, which checks all parent folders. */
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
