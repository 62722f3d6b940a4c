/** The package as another application meets it: built, imported by its name, with the README's example running. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { emptyDatabase, type TestDatabase } from './support/database.js';
import { packageOf, specifiersOf } from './support/imports.js';

const run = promisify(execFile);
const root = path.join(import.meta.dirname, '..');
type Versions = Readonly<Record<string, string>>;
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string } | string>>;
  readonly main: string;
  readonly types: string;
  readonly typesVersions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Versions;
  readonly devDependencies: Versions;
  readonly peerDependencies: Versions;
  readonly optionalDependencies?: Versions;
  readonly workspaces: readonly string[];
};

const parts = Object.entries(manifest.exports).flatMap(([name, target]) =>
  typeof target === 'string' ? [] : [{ name, ...target }],
);

const MEMBER = `
import Koa, { type Context } from 'koa';
import {
  type AuthenticationBackend, authenticate, authentication, type BaseUser, type Credentials, defineSettings, login,
  login_required, permission_required, update_session_auth_hash, User, user_passes_test, UserTable, ModelBackend,
} from 'koa-django-session';

export const settings = defineSettings({ SECRET_KEY: 'k' });
export const app = new Koa();

/** Nothing of ours but what every user has. */
export class Member implements BaseUser {
  readonly is_authenticated = true as const;
  readonly company: string = 'Acme';
  constructor(readonly id: bigint, readonly password: string) {}
  get_username(): string { return 'ann'; }
}
export class Members implements AuthenticationBackend<Member> {
  readonly path = 'mysite.Members';
  async authenticate({ email, password }: Credentials, ctx: Context): Promise<Member | undefined> {
    return email === 'ann' && password === ctx.get('x') ? new Member(1n, 'x') : undefined;
  }
  async get_user(user_id: string): Promise<Member | null> { return new Member(BigInt(user_id), 'x'); }
}
`;

/** An application's own class, for ctx.user everywhere. */
const REGISTERED = `${MEMBER}
declare module 'koa-django-session' {
  interface Register { user: Member }
}
app.use(authentication(app, { settings, backends: [new Members()], user_logged_in: (_, user) => user.company }));
app.use(login_required());
app.use(user_passes_test((user) => user.is_authenticated && user.company === 'Acme'));
app.use(async (ctx) => {
  if (ctx.user.is_authenticated) ctx.body = ctx.user.company;
  const later = await ctx.request.auser();
  if (later.is_authenticated) ctx.body = [later.company, later.id];
  const user = await authenticate(ctx, { email: 'ann', password: 'x', username: undefined });
  if (user !== null) {
    const company: string = (await login(ctx, user)).company;
    await update_session_auth_hash(ctx, user);
    ctx.body = company;
  }
  // @ts-expect-error: there is no such member
  if (ctx.user.is_authenticated) ctx.body = ctx.user.firm;
  // @ts-expect-error: nobody has no company
  if (!ctx.user.is_authenticated) ctx.body = ctx.user.company;
  // @ts-expect-error: a class of one's own has what it has
  if (ctx.user.is_authenticated) await ctx.user.has_perm('shop.add_good');
});
export { ModelBackend, permission_required, User, UserTable };
`;

const PLAIN = `${MEMBER}
app.use(authentication(app, { settings, backends: [new ModelBackend(new UserTable({} as never, { settings }))] }));
app.use(permission_required('shop.add_good', { raise_exception: true }));
app.use(async (ctx) => {
  const name: string = ctx.user.username;
  if (await ctx.user.has_perm('shop.add_good')) ctx.body = name;
  // @ts-expect-error: no such member
  ctx.body = ctx.user.company;
});
class Employee extends User {
  readonly company: string = String(this.field('company'));
}
const employees = new ModelBackend(new UserTable({} as never, { settings, userClass: Employee }));
export const another = new Koa();
another.use(authentication<Employee>(another, { settings, backends: [employees] })).use(async (ctx) => {
  if (ctx.user.is_authenticated) ctx.body = ctx.user.company;
  const found = await authenticate<Employee>(ctx, { username: 'a', password: 'b' });
  ctx.body = found?.company;
});
export const third = new Koa();
third.use(authentication<Member>(third, { settings, backends: [new Members()] })).use(async (ctx) => {
  if (ctx.user.is_authenticated) ctx.body = ctx.user.company;
});
// @ts-expect-error: these backends have other users
authentication<Member>(third, { settings, backends: [employees] });
export { login_required, login, update_session_auth_hash, user_passes_test };
`;

const DECLARED = `
import Koa from 'koa';
import 'koa-django-session';
declare module 'koa-django-session' {
  interface SessionData { KEYS }
}
export const app = new Koa();
`;

const MISSPELT = `${DECLARED.replace('KEYS', 'cart: string[]; visits: number')}
app.use((ctx) => {
  ctx.session.get('crat');
  ctx.session['crat'] = [];
  ctx.session.vists = 1;
});
`;

describe('the package', () => {
  before(async function () {
    this.timeout(180_000);
    // As before packing: a file whose source is gone would be packed.
    rmSync(path.join(root, 'dist'), { recursive: true, force: true });
    // `npm test` has checked the types.
    await run('npm', ['run', '--silent', 'build', '--', '--noCheck'], { cwd: root });
  });

  for (const { name, types, default: code } of parts) {
    it(`can be imported as koa-django-session${name.slice(1)}, with types`, async () => {
      expect(existsSync(path.join(root, types)), types).to.equal(true);
      expect(existsSync(path.join(root, code)), code).to.equal(true);
      const specifier = `koa-django-session${name.slice(1)}`;
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
    expect(await packedFiles()).to.contain('server/django/sessions.py');
  });

  describe('as it is packed', () => {
    let files: readonly string[];
    let modules: readonly string[];
    before(async () => {
      files = await packedFiles();
      modules = files.filter((file) => /(\.js|\.d\.ts)$/.test(file));
    });
    const entries = [...parts.flatMap(({ types, default: code }) => [types, code]), ...Object.values(manifest.bin)].map(
      (file) => path.posix.normalize(file),
    );

    it('has every file that its exports and its command import', () => {
      const missing = [...reached(entries)].filter((file) => !files.includes(file));
      expect(missing).to.deep.equal([]);
    });

    it('tells tools that know no exports the same', () => {
      const [{ types, default: code } = { types: '', default: '' }, ...others] = parts;
      expect([manifest.types, manifest.main]).to.deep.equal([types, code]);
      const listed = Object.fromEntries(others.map((part) => [part.name.replace('./', ''), [part.types]]));
      expect(manifest.typesVersions).to.deep.equal({ '*': listed });
    });

    it('has no import.meta in what is imported, which is not compiled to CommonJS', () => {
      const imported = [...reached(parts.map(({ default: code }) => path.posix.normalize(code)))];
      expect(imported).to.have.length.greaterThan(100);
      const metas = imported.filter((file) => readFileSync(path.join(root, file), 'utf8').includes('import.meta'));
      expect(metas).to.deep.equal([]);
    });

    it('has no other code: none of the reference server', () => {
      // tsc writes types beside each module, which may import a file that has only types, and an empty module beside that.
      const used = reached([...reached(entries)].flatMap((file) => [file, file.replace(/\.js$/, '.d.ts')]));
      const known = new Set([...used].map((file) => file.replace(/(\.d\.ts|\.js)$/, '')));
      expect(modules.filter((file) => !known.has(file.replace(/(\.d\.ts|\.js)$/, '')))).to.deep.equal([]);
    });

    it('has documents that its README links to, and no map of sources that are not in it', () => {
      const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
      const linked = [...readme.matchAll(/\]\(([A-Z]+\.md)\)/g)].map(([, document]) => document ?? '');
      expect(linked).to.not.be.empty;
      expect(files).to.include.members([...linked, 'CHANGELOG.md', 'LICENSE', 'package.json']);
      expect(files.filter((file) => file.endsWith('.map'))).to.deep.equal([]);
    });

    it('declares each package that its code and types import, and imports each that it declares', () => {
      const imported = new Set(
        modules.flatMap((file) => [...specifiersOf(path.join(root, file))].map(packageOf)).filter((name) => name),
      );
      const declared = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies };
      expect([...imported].sort()).to.deep.equal(Object.keys(declared).sort());
    });

    it('installs nothing by itself that only some of its users need', () => {
      expect(Object.keys(manifest.dependencies)).to.deep.equal(['@fastify/busboy', 'entities']);
      expect(manifest.optionalDependencies).to.equal(undefined);
    });
  });

  describe('as a clone', () => {
    const workspace = 'config/production';
    const production = JSON.parse(readFileSync(path.join(root, workspace, 'package.json'), 'utf8')) as {
      readonly private: boolean;
      readonly dependencies: Versions;
    };

    it('installs in production the versions that it is developed with', () => {
      expect(manifest.workspaces).to.include(workspace);
      expect(production.private).to.equal(true);
      for (const [name, version] of Object.entries(production.dependencies)) {
        expect(manifest.devDependencies[name], name).to.equal(version);
      }
    });

    it('installs in production all that the build imports', () => {
      const installed = new Set([...Object.keys(manifest.dependencies), ...Object.keys(production.dependencies)]);
      const imported = [...reached(['dist/server/main.js', 'dist/server/cli/main.js', 'dist/config/knexfile.js'])]
        .filter((file) => file.endsWith('.js'))
        .flatMap((file) => [...specifiersOf(path.join(root, file))].map(packageOf))
        .filter((name) => name !== undefined && !installed.has(name));
      expect(imported).to.deep.equal([]);
    });
  });

  it('loads none of its optional parts before they are used', () => {
    const loaded = staticImports(path.join(root, 'dist/server/index.js'));
    const heavy = /^(svg-captcha|@resvg|@node-rs|redis|nunjucks|koa-views|koa-static|pino|prom-client|@koa\/router)/;
    expect([...loaded].filter((specifier) => heavy.test(specifier))).to.deep.equal([]);
  });

  describe('has types', () => {
    let folder: string;
    before(() => {
      folder = mkdtempSync(path.join(root, 'test', '.types-'));
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    /** What tsc says of a program that imports the package by its name; the package's own types are checked as well. */
    async function compile(name: string, code: string, { skipLibCheck = false } = {}): Promise<string> {
      const project = path.join(folder, name);
      mkdirSync(project);
      writeFileSync(path.join(project, 'app.ts'), code);
      // Options of its own: with ours, tsc finds the sources behind the build.
      const compilerOptions = {
        target: 'es2023',
        module: 'nodenext',
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck,
        noEmit: true,
        types: ['node'],
      };
      const config = { include: ['app.ts'], compilerOptions };
      writeFileSync(path.join(project, 'tsconfig.json'), JSON.stringify(config));
      return tsc(project);
    }

    it("that give ctx.user an application's own class, registered from outside, and refuse what it has not", async () => {
      expect(await compile('registered', REGISTERED)).to.equal('');
      const said = await compile('misused', REGISTERED.replaceAll('// @ts-expect-error', '//'), { skipLibCheck: true });
      expect(said).to.match(/Property 'firm' does not exist(?:.|\n)*Property 'has_perm' does not exist/);
    });

    // The application beside it, with its marks for what must not compile; `npm run test:applications` installs and runs it.
    it("that know an application's own session keys, from ESM and CommonJS, and refuse others", async () => {
      expect(await tsc(path.join(root, 'test/applications/typed_data'))).to.equal('');
    });

    // It runs with those, too.
    it("whose functions take a middleware's ctx, also where Koa's Context has members that it lacks", async () => {
      expect(await tsc(path.join(root, 'test/applications/typed_context'))).to.equal('');
    });

    it('that refuse a misspelt key by naming those there are', async () => {
      const said = await compile('misspelt', MISSPELT, { skipLibCheck: true });
      expect(said).to.match(
        /'"crat"' is not assignable to parameter of type '(?:"\w+" \| )*"cart" \| (?:"\w+" \| )*"visits"/,
      );
      expect(said).to.include("Property 'crat' does not exist on type 'Session'.");
      expect(said).to.include("Property 'vists' does not exist on type 'Session'. Did you mean 'visits'?");
      expect(said.match(/^\S.*error/gm)).to.have.length(3);
    });

    it("that take every name for a key, the session's own, too", async () => {
      const { Session, SessionDictionary } = await import('../server/index.js');
      const names = [Session, SessionDictionary].flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype));
      const keys = [...new Set([...names, 'accessed', 'modified'])].filter((name) => name !== 'constructor');
      const code = `${DECLARED.replace('KEYS', keys.map((key) => `${key}: number[]`).join('; '))}
        app.use((ctx) => {
          ctx.body = [${keys.map((key) => `ctx.session.get('${key}', [1])[0]?.toFixed()`).join(', ')}];
        });`;
      expect(await compile('own_names', code)).to.equal('');
    });

    it('that give ctx.user our User where no class is registered, and take a class of its own by hand', async () => {
      expect(await compile('plain', PLAIN)).to.equal('');
    });
  });

  describe('has a lock file', () => {
    const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
      readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>;
    };

    it("that names no registry's address", () => {
      const resolved = Object.values(lock.packages).filter((entry) => 'resolved' in entry && !('link' in entry));
      expect(resolved).to.deep.equal([]);
      expect(JSON.stringify(lock)).not.to.match(/"resolved": ?"[a-z+]+:/);
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

/** What tsc says of a project; nothing when all is well. Its threads would each check the same libraries. */
async function tsc(project: string): Promise<string> {
  try {
    const program = path.join(root, 'node_modules/typescript/bin/tsc');
    await run(process.execPath, [program, '--singleThreaded', '-p', project]);
    return '';
  } catch (error) {
    return (error as { readonly stdout: string }).stdout;
  }
}

let packed: Promise<readonly string[]> | undefined;

/** What `npm pack` takes of the build that is there. */
function packedFiles(): Promise<readonly string[]> {
  packed ??= pack();
  return packed;
}

async function pack(): Promise<readonly string[]> {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  // A list up to npm 11, by the package's name after it.
  const [{ files }] = Object.values(JSON.parse(stdout) as object) as [
    { readonly files: readonly { readonly path: string }[] },
  ];
  return files.map((file) => file.path);
}

/** The files of the build that `entries` lead to, themselves included; types lead to types. */
function reached(entries: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const queue = [...entries];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const specifier of specifiersOf(path.join(root, file))) {
      if (!specifier.startsWith('.')) continue;
      const target = path.posix.join(path.posix.dirname(file), specifier);
      queue.push(file.endsWith('.d.ts') ? target.replace(/\.js$/, '.d.ts') : target);
    }
  }
  return seen;
}

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
  for (;;) {
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
