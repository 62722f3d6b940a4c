/** Installs what ours is measured against: npm packages in peers/, Django in a virtual environment; neither is the library's. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PEERS = fileURLToPath(new URL('peers', import.meta.url));
const VENV = fileURLToPath(new URL('../../.venvs/bench', import.meta.url));

export function installPeers(): void {
  if (existsSync(`${PEERS}/node_modules/koa-session`)) return;
  console.error('installing the peers from test/bench/peers/package-lock.json');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: PEERS, stdio: ['ignore', 2, 2] });
}

export interface DjangoSite {
  readonly python: string;
  readonly version: string;
}

const versionOf = (python: string): string | null => {
  const run = spawnSync(python, ['-c', 'import gunicorn, psycopg, django; print(django.__version__)'], {
    encoding: 'utf8',
  });
  return run.status === 0 ? run.stdout.trim() : null;
};

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
  const there = versionOf(python);
  if (there !== null) return { python, version: there };
  const interpreter = interpreters().find(
    (name) => spawnSync(name, ['-c', 'import venv, ensurepip'], { stdio: 'ignore' }).status === 0,
  );
  if (interpreter !== undefined) {
    console.error(`installing Django with ${interpreter} in .venvs/bench`);
    const made = spawnSync(interpreter, ['-m', 'venv', '--clear', VENV], { stdio: ['ignore', 2, 2] });
    const pip = ['-m', 'pip', 'install', '--quiet', 'django', 'gunicorn', 'psycopg[binary]'];
    if (made.status === 0) spawnSync(python, pip, { stdio: ['ignore', 2, 2] });
  }
  const version = versionOf(python);
  if (version === null) console.error('Django is not measured: no Python that could install it.');
  return version === null ? null : { python, version };
}
