/**
 * Keeps the README true: its settings' table is made from the definitions, and its figures from the last reference run of
 * the benchmark. `UPDATE_README=1` writes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { OWN_SETTINGS } from '../config/settings.js';
import { DATABASE_BOUNDS } from '../server/db/bounds.js';
import { type Definition, SETTINGS } from '../server/settings.js';
import { goalTable, print, type Report, summaryTable } from './bench/report.js';

const FILE = path.join(import.meta.dirname, '..', 'README.md');

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
## Settings

The server reads them from the environment under these names; \`NAME_FILE\` names a file that holds the value instead. A
wrong value stops the start with a sentence that names setting, value and what is allowed. The library takes the first
table's from \`defineSettings({ … })\`. Where Django has the setting, name and default are Django's.

${table(SETTINGS)}

The server's own:

${table(OWN_SETTINGS)}
`;

const bounds = `
| wait | × \`DATABASE_TIMEOUT\` | meaning |
|---|---|---|
${Object.entries(DATABASE_BOUNDS)
  .map(([name, { times, meaning }]) => `| ${name.replaceAll('_', ' ')} | ${times} | ${meaning} |`)
  .join('\n')}
`;

const report = JSON.parse(readFileSync(path.join(import.meta.dirname, 'bench', 'reference.json'), 'utf8')) as Report;

const figures = `
![Requests a second, as bars](test/bench/chart.svg)

${[summaryTable(report), goalTable(report.goals), ...report.tables].map(print).join('\n')}`;

/** The README must hold this text between `<!-- name -->` and `<!-- /name -->`. */
function expectSection(name: string, section: string): void {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const text = readFileSync(FILE, 'utf8');
  const [before, rest = ''] = text.split(start);
  const after = rest.split(end)[1] ?? '';
  const updated = `${before}${start}${section}${end}${after}`;
  if (process.env['UPDATE_README'] === '1') writeFileSync(FILE, updated);
  else expect(text).to.equal(updated);
}

describe('the README', () => {
  it('lists every setting as it is defined', () => {
    expectSection('settings', settings);
  });

  it('lists every bound on a wait for the database', () => {
    expectSection('bounds', bounds);
  });

  it('shows the figures of the last reference run', () => {
    expectSection('bench', figures);
  });
});
