/** Installs what ours is measured against: npm packages in peers/, Django in a virtual environment; neither is the library's. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PEERS = fileURLToPath(new URL('peers', import.meta.url));
const VENV = fileURLToPath(new URL('../../.venvs/bench', import.meta.url));

export function installPeers(): void {
  if (existsSync(`${PEERS}/node_modules/connect-redis`)) return;
  console.error('installing the peers from test/bench/peers/package-lock.json');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: PEERS, stdio: ['ignore', 2, 2] });
}

export interface DjangoSite {
  readonly python: string;
  readonly version: string;
  /** Of its PBKDF2PasswordHasher: a hash with fewer is made anew at a login. */
  readonly iterations: number;
}

const SITE = `import gunicorn, psycopg, django
from django.contrib.auth.hashers import PBKDF2PasswordHasher
print(django.__version__, PBKDF2PasswordHasher.iterations)`;

function siteOf(python: string): DjangoSite | null {
  const run = spawnSync(python, ['-c', SITE], { encoding: 'utf8' });
  const [version = '', iterations] = run.status === 0 ? run.stdout.trim().split(' ') : [];
  return version === '' ? null : { python, version, iterations: Number(iterations) };
}

/** Newest first; pyenv keeps its versions off the PATH. */
function interpreters(): string[] {
  const names = ['python3.14', 'python3.13', 'python3.12'];
  const pyenv = join(process.env['PYENV_ROOT'] ?? join(homedir(), '.pyenv'), 'versions');
  const kept = existsSync(pyenv) ? readdirSync(pyenv) : [];
  return [...names.flatMap((name) => [name, ...kept.map((version) => join(pyenv, version, 'bin', name))]), 'python3'];
}

/** The newest Django that the newest Python here can run, or null with a line that says why. */
export function installDjango(): DjangoSite | null {
  const python = `${VENV}/bin/python`;
  const there = siteOf(python);
  if (there !== null) return there;
  const interpreter = interpreters().find(
    (name) => spawnSync(name, ['-c', 'import venv, ensurepip'], { stdio: 'ignore' }).status === 0,
  );
  if (interpreter !== undefined) {
    console.error(`installing Django with ${interpreter} in .venvs/bench`);
    const made = spawnSync(interpreter, ['-m', 'venv', '--clear', VENV], { stdio: ['ignore', 2, 2] });
    const pip = ['-m', 'pip', 'install', '--quiet', 'django', 'gunicorn', 'psycopg[binary]'];
    if (made.status === 0) spawnSync(python, pip, { stdio: ['ignore', 2, 2] });
  }
  const site = siteOf(python);
  if (site === null) console.error('Django is not measured: no Python that could install it.');
  return site;
}
