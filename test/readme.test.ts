/**
 * Keeps the documents true: the settings' table is made from the definitions, the table of waits from their bounds, the
 * recipes from the applications that run, and the figures from the last reference run of the benchmark. `UPDATE_README=1` writes them.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { OWN_SETTINGS } from '../config/settings.js';
import { DATABASE_BOUNDS } from '../server/db/wait_bounds.js';
import { type Definition, SETTINGS } from '../server/settings.js';
import { capacityTable } from './bench/capacity.js';
import { contestantTable, goalTable, loginTable, print, type Report, summaryTable } from './bench/report.js';

const ROOT = path.join(import.meta.dirname, '..');

function shown(value: unknown): string {
  if (value === '') return 'none';
  if (value === null) return '`None`';
  return `\`${typeof value === 'object' ? JSON.stringify(value) : String(value)}\``;
}

function table(definitions: Readonly<Record<string, Definition<unknown>>>): string {
  const rows = Object.entries(definitions).map(([name, { meaning, allowed, default: usual }]) =>
    `| \`${name}\` | ${shown(usual)} | ${meaning} Allowed: ${allowed}. |`.replaceAll('`|~', '`\\|~'),
  );
  return ['| setting | default | meaning |', '|---|---|---|', ...rows].join('\n');
}

const settings = `
The server reads settings from environment variables of the same name; \`NAME_FILE\` is the path of a file with the value. If
Django has the setting, name and default are Django's. The server does not start with a wrong value, and the error message
says what is allowed. Nor does it start with a variable whose name differs by one character from a setting of 13 characters or more
(\`SESION_COOKIE_AGE\`). If another program needs that variable, set the setting as well. The library takes the settings of
the first table by \`defineSettings({ … })\`, which refuses unknown names. \`None\` is \`null\` in code, and \`None\` or an empty
text in an environment variable.

${table(SETTINGS)}

The server's own:

${table(OWN_SETTINGS)}
`;

const bounds = `
| timeout | × \`DATABASE_TIMEOUT\` | meaning |
|---|---|---|
${Object.entries(DATABASE_BOUNDS)
  .map(
    ([name, { times, meaning }]) =>
      `| ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)} | ${times} | ${meaning} |`,
  )
  .join('\n')}
`;

const report = JSON.parse(readFileSync(path.join(import.meta.dirname, 'bench', 'reference.json'), 'utf8')) as Report;

const figures = `
![Requests a second, as bars](test/bench/chart.svg)

${[
  summaryTable(report),
  goalTable(report.goals),
  ...(report.logins.length === 0 ? [] : [loginTable(report.logins)]),
  ...report.tables,
  contestantTable(report),
]
  .map(print)
  .join('\n')}`;

/** The document must hold this text between `<!-- name -->` and `<!-- /name -->`. */
function expectSection(document: string, name: string, section: string): void {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const file = path.join(ROOT, document);
  const text = readFileSync(file, 'utf8');
  const [before, rest = ''] = text.split(start);
  const after = rest.split(end)[1] ?? '';
  const updated = `${before}${start}${section}${end}${after}`;
  if (process.env['UPDATE_README'] === '1') writeFileSync(file, updated);
  else expect(text).to.equal(updated);
}

/** Links of a document to files beside it, without their anchors. */
function linked(document: string): string[] {
  const text = readFileSync(path.join(ROOT, document), 'utf8');
  return [...text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, target]) => target ?? '');
}

const DOCUMENTS = [
  'README',
  'LIBRARY',
  'RECIPES',
  'SETTINGS',
  'ENGINES',
  'DJANGO',
  'DEPLOYMENT',
  'BENCHMARKS',
  'CONTRIBUTING',
].map((name) => `${name}.md`);

describe('the documents', () => {
  it('list every setting as it is defined', () => {
    expectSection('SETTINGS.md', 'settings', settings);
  });

  it('count the cores for a hundred thousand requests a second from the last reference run', () => {
    expectSection('DEPLOYMENT.md', 'capacity', `\n${print(capacityTable(report))}`);
  });

  it('list every bound on a wait for the database', () => {
    expectSection('DEPLOYMENT.md', 'bounds', bounds);
  });

  it('show the figures of the last reference run', () => {
    expectSection('BENCHMARKS.md', 'bench', figures);
  });

  it('show the recipes as they run', () => {
    const folder = path.join(ROOT, 'test/applications/recipes');
    const recipes = readdirSync(folder).filter((name) => !name.endsWith('.test.ts'));
    expect(recipes).to.have.length.greaterThan(5);
    for (const name of [...recipes, 'login_form.test.ts']) {
      const code = readFileSync(path.join(folder, name), 'utf8');
      expectSection('RECIPES.md', `recipe ${name}`, `\n\n\`\`\`ts\n${code}\`\`\`\n\n`);
    }
    for (const [, name = ''] of readFileSync(path.join(ROOT, 'RECIPES.md'), 'utf8').matchAll(
      /<!-- recipe (\S+) -->/g,
    )) {
      expect(existsSync(path.join(folder, name)), name).to.equal(true);
    }
  });

  it('link to files that are there', () => {
    for (const document of [...DOCUMENTS, 'DECISIONS.md']) {
      for (const target of linked(document))
        expect(existsSync(path.join(ROOT, target)), `${document} → ${target}`).to.equal(true);
    }
  });

  it('name files that are there, for contributors', () => {
    const text = readFileSync(path.join(ROOT, 'CONTRIBUTING.md'), 'utf8');
    const files = [...text.matchAll(/`((?:server|config|migrations|test)\/[\w./]+)`/g)]
      .map(([, file = '']) => file)
      .filter((file) => !file.includes('hello'));
    expect(files).to.have.length.greaterThan(50);
    for (const file of files) expect(existsSync(path.join(ROOT, file)), file).to.equal(true);
  });

  it('list every decision once', () => {
    const numbers = (document: string, pattern: RegExp): string[] =>
      [...readFileSync(path.join(ROOT, document), 'utf8').matchAll(pattern)].map(([, number = '']) => number);
    const reasoned = numbers('DECISIONS.md', /^### Decision (\d+)$/gm);
    expect(reasoned).to.deep.equal(reasoned.map((_, index) => String(index + 1)));
    expect(numbers('CONTRIBUTING.md', /\(DECISIONS\.md#decision-(\d+)\)/g)).to.deep.equal(reasoned);
  });

  it('are each linked once by a README of at most 220 lines', () => {
    const links = linked('README.md').filter((target) => target.endsWith('.md'));
    expect(links).to.have.members([...DOCUMENTS.slice(1), 'SECURITY.md']);
    expect(readFileSync(path.join(ROOT, 'README.md'), 'utf8').split('\n').length).to.be.at.most(220);
  });
});
