/** Chooses the folders for the embedded PostgreSQL's files: in the data folder, or where its account can read them. */
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readlinkSync, realpathSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { hasCode } from '../error_code.js';
import { ImproperlyConfigured } from '../errors.js';
import { type Account, canReach } from './account.js';

/** For root only: folders that survive a reboot, the usual one first. */
const SHARED = ['/var/lib/koa-django-session', '/var/tmp/koa-django-session'];

/**
 * A folder that the account can enter and only root can change.
 *
 * @throws ImproperlyConfigured when neither of SHARED is such a folder
 */
export function sharedFolder(account: Account): string {
  for (const folder of SHARED) {
    try {
      make(folder, 0o755);
      // Everybody can write to /var/tmp: do not trust a folder that another account made there.
      const { uid, mode } = lstatSync(folder);
      if (uid === 0 && (mode & 0o022) === 0 && canReach(account, folder)) return folder;
    } catch (error) {
      if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'EEXIST', 'ENOTDIR')) {
        throw error;
      }
    }
  }
  throw new ImproperlyConfigured(
    `PostgreSQL runs as another account here and finds no folder to keep its files in (tried ${SHARED.join(', ')}). Run as another user, or set DATABASE_URL.`,
  );
}

/**
 * Creates the data folder. Root's has mode 0711, so that PostgreSQL's account can reach its own folder inside. Each file in
 * it has its own mode.
 */
export function makeDataFolder(folder: string): void {
  make(folder, process.getuid?.() === 0 ? 0o711 : 0o700);
}

/** Creates a folder with this mode, whatever the umask. An existing folder keeps its mode. */
function make(folder: string, mode: number): void {
  if (mkdirSync(folder, { recursive: true }) !== undefined) chmodSync(folder, mode);
}

/**
 * The cluster's folder: `postgres` in the data folder. If PostgreSQL's account cannot enter the data folder, `postgres` is
 * a symbolic link to a shared folder. The link is also followed later, so that the data are found.
 *
 * @returns the real path; it may not exist yet
 */
export function clusterFolder(folder: string, account: Account | undefined, log: (line: string) => void): string {
  const usual = path.join(realpathSync(folder), 'postgres');
  const found = lstatSync(usual, { throwIfNoEntry: false });
  if (found?.isSymbolicLink() === true) {
    const elsewhere = path.resolve(path.dirname(usual), readlinkSync(usual));
    log(`The embedded PostgreSQL keeps its data in ${elsewhere}.`);
    return elsewhere;
  }
  if (found !== undefined || account === undefined || canReach(account, path.dirname(usual))) return usual;
  const id = createHash('sha256').update(usual).digest('hex').slice(0, 12);
  const elsewhere = path.join(sharedFolder(account), `data-${id}`);
  symlinkSync(elsewhere, usual);
  log(`The embedded PostgreSQL keeps its data in ${elsewhere}, because its account cannot enter ${folder}.`);
  return elsewhere;
}
