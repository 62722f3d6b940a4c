/** Holds the tree to CONTRIBUTING's tables: imports go down, and each package stays in its place. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';

/** From the bottom up. A file may import what stands on a lower line, and its own part. */
const LEVELS: readonly (readonly string[])[] = [
  [
    'server/errors',
    'server/error_code',
    'server/clock',
    'server/installed_file',
    'server/logger',
    'server/rows',
    'server/spelling',
  ],
  ['server/settings', 'server/schema', 'server/search_path', 'server/optional_package'],
  ['migrations'],
  ['server/undocumented'],
  ['server/signing'],
  ['server/db', 'server/embedded_database', 'server/file_lock'],
  ['server/http', 'server/redis', 'config'],
  ['server/session', 'server/ops'],
  ['server/session/stores', 'server/csrf', 'server/messages'],
  ['server/auth', 'server/captcha'],
  ['server/index', 'server/testing'],
  ['server/site'],
  ['server/app', 'server/clear_regularly'],
  ['server/serve'],
  ['server/processes'],
  ['server/main', 'server/cli'],
];

/** Where a package or a global may be used. Types vanish when the code runs, so only values count. */
const PLACES: readonly { readonly what: RegExp; readonly where: readonly string[] }[] = [
  {
    what: /from '(knex|pg)'/,
    where: ['server/undocumented', 'server/db', 'server/embedded_database', 'migrations', 'config/knexfile'],
  },
  { what: /from 'redis'|import\('redis'\)/, where: ['server/redis'] },
  { what: /'(svg-captcha|@resvg\/resvg-js)'/, where: ['server/captcha'] },
  { what: /from '(nunjucks|koa-views)'/, where: ['server/site/views'] },
  { what: /from '@fastify\/busboy'/, where: ['server/http/multipart'] },
  { what: /from 'entities'/, where: ['server/http/file_name'] },
  { what: /from 'koa-static'/, where: ['server/site/static_files'] },
  { what: /'bowser'/, where: ['server/auth/user_sessions/user_agent'] },
  { what: /'@node-rs\/(argon2|bcrypt)'/, where: ['server/auth/hashers'] },
  { what: /from '(pino|prom-client)'/, where: ['server/ops'] },
  { what: /process\.env\b/, where: ['config/settings'] },
  { what: /Date\.now\(|new Date\(\)/, where: ['server/clock'] },
];

const root = path.join(import.meta.dirname, '..');
const strip = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');

const files = ['server', 'migrations', 'config'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name.replace(/\.ts$/, '')}`),
);
const source = (file: string): string => strip(readFileSync(path.join(root, `${file}.ts`), 'utf8'));

const within = (file: string, part: string): boolean => file === part || file.startsWith(`${part}/`);

/** The line of a file's part, by the longest name that fits; undefined for a part the table does not know. */
function levelOf(file: string): { level: number; part: string } | undefined {
  const fits = LEVELS.flatMap((parts, level) => parts.map((part) => ({ level, part }))).filter(({ part }) =>
    within(file, part),
  );
  return fits.sort((one, other) => other.part.length - one.part.length)[0];
}

function importsOf(file: string): string[] {
  const specifiers = source(file).matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
  return [...specifiers].map(([, specifier = '']) =>
    path.posix.join(path.posix.dirname(file), specifier.replace(/\.js$/, '')),
  );
}

const imports = new Map(files.map((file) => [file, importsOf(file)]));

/** Whatever a file imports, by way of other files too. */
function reachedFrom(file: string): ReadonlySet<string> {
  const reached = new Set(imports.get(file));
  for (const other of reached) for (const target of imports.get(other) ?? []) reached.add(target);
  return reached;
}

describe('the architecture', () => {
  it('knows every file', () => {
    expect(files.length).to.be.greaterThan(50);
    expect(files.filter((file) => levelOf(file) === undefined)).to.deep.equal([]);
  });

  it('names no place that is not there', () => {
    const places = [...LEVELS.flat(), ...PLACES.flatMap(({ where }) => where)];
    expect(places.filter((place) => !files.some((file) => within(file, place)))).to.deep.equal([]);
  });

  it('has no circles of imports between files, those of types included', () => {
    expect(files.filter((file) => reachedFrom(file).has(file))).to.deep.equal([]);
  });

  it('lets imports go down only', () => {
    const upward = files.flatMap((file) => {
      const own = levelOf(file);
      return importsOf(file)
        .filter((target) => {
          const other = levelOf(target);
          return own === undefined || other === undefined || (other.part !== own.part && other.level >= own.level);
        })
        .map((target) => `${file} → ${target}`);
    });
    expect(upward).to.deep.equal([]);
  });

  for (const { what, where } of PLACES) {
    it(`keeps ${what.source} in ${where.join(', ')}`, () => {
      const strangers = files.filter((file) => {
        const code = source(file).replace(/import type [^;]+;/g, '');
        return what.test(code) && !where.some((part) => within(file, part));
      });
      expect(strangers).to.deep.equal([]);
    });
  }

  it('keeps files short enough to be read at a sitting', () => {
    const long = files.filter((file) => source(file).split('\n').length > 370);
    expect(long).to.deep.equal([]);
  });
});
