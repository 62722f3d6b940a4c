/** The package as another application meets it: built, imported by its name, with the README's example running. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { emptyDatabase, type TestDatabase } from './support/database.js';

const run = promisify(execFile);
const root = path.join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string } | string>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly files: readonly string[];
};

const parts = Object.entries(manifest.exports).flatMap(([name, target]) =>
  typeof target === 'string' ? [] : [{ name, ...target }],
);
const fill = (text: string): string => text.replace('*', 'db');

describe('the package', () => {
  before(async function () {
    this.timeout(180_000);
    await run('npm', ['run', '--silent', 'build'], { cwd: root });
  });

  for (const { name, types, default: code } of parts) {
    it(`can be imported as koa-django-session${fill(name).slice(1)}, with types`, async () => {
      expect(existsSync(path.join(root, fill(types))), fill(types)).to.equal(true);
      expect(existsSync(path.join(root, fill(code))), fill(code)).to.equal(true);
      const specifier = `koa-django-session${fill(name).slice(1)}`;
      const script = `console.log(Object.keys(await import('${specifier}')).length)`;
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
      expect(Number(stdout)).to.be.greaterThan(0);
    });
  }

  it('has a command that runs from the build', async () => {
    const command = manifest.bin['koa-django-session'] ?? '';
    const { stdout } = await run(process.execPath, [path.join(root, command), '--help']);
    expect(stdout).to.contain('clearsessions');
  });

  it('has the engine for Django in it, which the command prints from the build', async function () {
    this.timeout(30_000);
    const command = manifest.bin['koa-django-session'] ?? '';
    const { stdout } = await run(process.execPath, [path.join(root, command), 'django-engine']);
    expect(stdout).to.equal(readFileSync(path.join(root, 'server/django/sessions.py'), 'utf8'));
    const packed = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
    expect(packed.stdout).to.contain('"server/django/sessions.py"');
  });

  it('loads none of its optional parts before they are used', () => {
    const loaded = staticImports(path.join(root, 'dist/server/index.js'));
    const heavy = /^(svg-captcha|@resvg|@node-rs|redis|nunjucks|koa-views|koa-static|pino|prom-client|@koa\/router)/;
    expect([...loaded].filter((specifier) => heavy.test(specifier))).to.deep.equal([]);
  });

  describe('has a lock file', () => {
    const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
      readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>;
    };

    it("that names no registry's address", () => {
      expect(JSON.stringify(lock)).not.to.contain('"resolved"');
    });

    // npm leaves out an optional package that it does not find, and `npm ci` then refuses the lock file everywhere.
    it('that has every platform, so that npm ci accepts it', () => {
      const present = new Set(Object.keys(lock.packages).map((place) => place.replace(/^.*node_modules\//, '')));
      const wanted = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
        Object.keys(optionalDependencies),
      );
      expect(wanted.filter((name) => !present.has(name))).to.deep.equal([]);
    });
  });

  describe("the README's example", () => {
    let database: TestDatabase;
    let folder: string;
    before(async () => {
      database = await emptyDatabase();
      folder = mkdtempSync(path.join(root, 'test', '.example-'));
    });
    after(async () => {
      rmSync(folder, { recursive: true, force: true });
      await database.drop();
    });

    it('counts visits in a row that Django could read', async () => {
      const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
      const code = /```ts\n(import Koa[\s\S]*?)```/.exec(readme)?.[1] ?? '';
      const file = path.join(folder, 'app.ts');
      writeFileSync(file, withPort(code));
      const environment = { ...process.env, DATABASE_URL: database.url, SECRET_KEY: 'an example key', PORT: '0' };
      const app = spawn(process.execPath, ['--import', 'tsx', file], { cwd: root, env: environment });
      try {
        const port = await portOf(app);
        const first = await fetch(`http://127.0.0.1:${port}/`);
        expect(await first.text()).to.equal('This is your visit number 1.\n');
        const cookie = (first.headers.getSetCookie()[0] ?? '').split(';')[0] ?? '';
        const second = await fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } });
        expect(await second.text()).to.equal('This is your visit number 2.\n');
        const rows = await database.knex('django_session').select('session_key');
        expect(rows.map(({ session_key }) => `sessionid=${session_key}`)).to.deep.equal([cookie]);
      } finally {
        app.kill();
        await once(app, 'exit');
      }
    });
  });
});

/** The example as it stands, which tells its port: 0 means any. */
function withPort(code: string): string {
  return code.replace(/app\.listen\((.*)\);/, 'const server = app.listen($1, () => console.log(server.address()));');
}

async function portOf(app: ReturnType<typeof spawn>): Promise<number> {
  let output = '';
  app.stdout?.on('data', (chunk) => {
    output += String(chunk);
  });
  app.stderr?.on('data', (chunk) => {
    output += String(chunk);
  });
  for (let tries = 0; tries < 200; tries += 1) {
    const port = /port: (\d+)/.exec(output)?.[1];
    if (port !== undefined) return Number(port);
    if (app.exitCode !== null) break;
    await pause(50);
  }
  throw new Error(`The example does not listen:\n${output}`);
}

/** Every package that a module of the build imports when it is loaded, through all that it imports itself. */
function staticImports(entry: string): Set<string> {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const queue = [entry];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(
      /^(?:import|export)\s[^;]*?from '([^']+)'/gm,
    )) {
      if (specifier.startsWith('.')) queue.push(path.join(path.dirname(file), specifier));
      else packages.add(specifier);
    }
  }
  return packages;
}
