/** Python environments with Django for the live suites: found or made under .venvs/, kept between runs. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const VENVS = join(import.meta.dirname, '../../.venvs');

/** One installed Django. */
export interface Environment {
  /** As Django says it: `5.2.19`. */
  readonly version: string;
  /** `[5, 2, 19]`, to compare. */
  readonly release: readonly number[];
  /** The interpreter that imports this Django. */
  readonly python: string;
  /** `3.12` */
  readonly pythonVersion: string;
}

/** A line of Django releases and the Pythons that its release notes name. */
interface Line {
  readonly name: string;
  readonly requirement: string;
  readonly least: readonly [number, number];
  readonly most: readonly [number, number];
}

const LINES: readonly Line[] = [
  { name: '4.2', requirement: 'Django~=4.2.0', least: [3, 8], most: [3, 12] },
  { name: '5.2', requirement: 'Django~=5.2.0', least: [3, 10], most: [3, 14] },
  { name: '6.0', requirement: 'Django~=6.0.0', least: [3, 12], most: [3, 14] },
  { name: 'newest', requirement: 'Django>=6.0', least: [3, 12], most: [3, 99] },
];
/** DJANGO_VERSIONS=`debian,5.2` runs fewer of them, or 6.0 beside the newest. */
const WANTED = (process.env['DJANGO_VERSIONS'] ?? 'debian,4.2,5.2,newest').split(',').map((name) => name.trim());
const DRIVERS = ['psycopg[binary]', 'argon2-cffi', 'bcrypt'];

interface Python {
  readonly executable: string;
  readonly version: readonly [number, number];
}

const atLeast = (a: readonly number[], b: readonly number[]): boolean =>
  (a[0] ?? 0) !== (b[0] ?? 0) ? (a[0] ?? 0) > (b[0] ?? 0) : (a[1] ?? 0) >= (b[1] ?? 0);

/** pyenv's shims and python3 on the PATH may stand for anything, so each candidate is asked who it is. */
async function findPythons(): Promise<Python[]> {
  const pyenv = join(process.env['PYENV_ROOT'] ?? join(homedir(), '.pyenv'), 'versions');
  const candidates = [
    'python3',
    ...[9, 10, 11, 12, 13, 14, 15].map((minor) => `python3.${minor}`),
    ...(await readdir(pyenv).catch(() => [])).map((name) => join(pyenv, name, 'bin/python')),
  ];
  const found = new Map<string, Python>();
  for (const candidate of candidates) {
    try {
      const { stdout } = await run(candidate, ['-c', 'import sys; print(*sys.version_info[:2], sys.executable)']);
      const [major = '', minor = '', ...rest] = stdout.trim().split(' ');
      const executable = rest.join(' ');
      const real = await realpath(executable);
      if (!found.has(real)) found.set(real, { executable, version: [Number(major), Number(minor)] });
    } catch {
      // Not there, or a pyenv shim without a version behind it.
    }
  }
  return [...found.values()].sort((a, b) => (atLeast(a.version, b.version) ? -1 : 1));
}

/** What this interpreter imports, or null where something is missing. */
async function probe(python: string): Promise<Environment | null> {
  const script =
    'import sys, django, argon2, bcrypt\n' +
    'try: import psycopg\n' +
    'except ImportError: import psycopg2\n' +
    'print(django.get_version(), "%d.%d" % sys.version_info[:2])';
  try {
    const { stdout } = await run(python, ['-c', script]);
    const [version = '', pythonVersion = ''] = stdout.trim().split(' ');
    return { version, release: version.split('.').map((part) => Number.parseInt(part, 10)), python, pythonVersion };
  } catch {
    return null;
  }
}

/** The venv of a line: the one of an earlier run if it is whole, otherwise made anew by the first Python that can. */
async function install(line: Line, pythons: readonly Python[]): Promise<Environment> {
  const folder = join(VENVS, `django-${line.name}`);
  const python = join(folder, 'bin/python');
  // Written last: a folder without it is a run that was interrupted.
  const done = join(folder, 'requirements.txt');
  const requirements = [line.requirement, ...DRIVERS].join('\n');
  if (existsSync(done) && (await readFile(done, 'utf8')) === requirements) {
    const kept = await probe(python);
    if (kept !== null) return kept;
  }
  const fitting = pythons.filter(({ version }) => atLeast(version, line.least) && atLeast(line.most, version));
  if (fitting.length === 0) throw new Error(`no Python ${line.least.join('.')} or newer for it on this machine`);
  let reason = '';
  for (const { executable } of fitting) {
    try {
      await rm(folder, { recursive: true, force: true });
      await mkdir(VENVS, { recursive: true });
      await run(executable, ['-m', 'venv', folder]);
      await run(python, ['-m', 'pip', 'install', '--quiet', line.requirement, ...DRIVERS]);
      const made = await probe(python);
      if (made === null) throw new Error('installed, but it does not import');
      await writeFile(done, requirements);
      return made;
    } catch (error) {
      const { stderr } = error as { stderr?: string };
      reason = `${executable}: ${(stderr || String(error)).trim().split('\n').slice(-3).join(' ')}`;
    }
  }
  throw new Error(reason);
}

async function collect(): Promise<Environment[]> {
  const pythons = await findPythons();
  const found: Environment[] = [];
  const missing: string[] = [];
  // Debian's own Django 3.2 belongs to Debian's own Python; it gets security fixes, so its users are real.
  const debian = WANTED.includes('debian') ? await probe('/usr/bin/python3') : null;
  if (debian !== null) found.push(debian);
  else if (WANTED.includes('debian')) missing.push("Debian's (python3-django is not installed)");
  for (const line of LINES.filter(({ name }) => WANTED.includes(name))) {
    try {
      found.push(await install(line, pythons));
    } catch (error) {
      missing.push(`${line.name} (${(error as Error).message})`);
    }
  }
  const list = found.map(({ version, pythonVersion }) => `${version} on Python ${pythonVersion}`);
  console.log(`Django: ${list.join(', ') || 'none'}${missing.length > 0 ? `\nnot run: ${missing.join('; ')}` : ''}`);
  if (found.length < Math.min(2, WANTED.length)) {
    throw new Error(`Fewer than two versions of Django could be had: ${missing.join('; ')}`);
  }
  return found;
}

let collected: Promise<Environment[]> | undefined;

/** Every Django that can be had here, oldest first. Rejects when there are fewer than two. */
export function environments(): Promise<Environment[]> {
  collected ??= collect();
  return collected;
}

/** Is this Django `major.minor` or newer? */
export const since = (django: Environment, major: number, minor: number): boolean =>
  atLeast(django.release, [major, minor]);
