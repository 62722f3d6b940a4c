import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { ImproperlyConfigured } from '../server/errors.js';
import { optionalPackage } from '../server/optional_package.js';

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('a package that is optional', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'optional-package-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** A module in a project of its own, as somebody else's package manager laid it out. */
  function moduleOf(name: string, code: string): string {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, code);
    return pathToFileURL(file).href;
  }

  it('is what the import gives', async () => {
    const url = moduleOf('plain.mjs', 'export const answer = 42;');
    const loaded = await optionalPackage({ what: 'Answers', packages: ['plain'] }, () => import(url));
    expect(loaded.answer).to.equal(42);
  });

  it('that is missing is one sentence with the command that installs it', async () => {
    const url = moduleOf('lonely.mjs', "import 'drawing-tools';");
    const packages = ['drawing-tools', 'fonts'];
    const error = await failure(optionalPackage({ what: 'Pictures', packages }, () => import(url)));
    expect(error).to.be.instanceOf(ImproperlyConfigured);
    expect((error as Error).message).to.equal(
      'Pictures need the packages drawing-tools and fonts: npm install drawing-tools fonts',
    );
    expect((error as Error).cause).to.have.property('code', 'ERR_MODULE_NOT_FOUND');
  });

  it('that is missing for require is that sentence too', async () => {
    const require = createRequire(moduleOf('old.cjs', ''));
    const error = await failure(
      optionalPackage({ what: 'Hashes', packages: ['hashing'] }, async () => require('hashing')),
    );
    expect(error).to.be.instanceOf(ImproperlyConfigured);
    expect((error as Error).message).to.equal('Hashes need the package hashing: npm install hashing');
  });

  it('that is broken inside shows its own fault', async () => {
    const lacking = moduleOf('lacking.mjs', "import 'a-part-of-it';");
    const failing = moduleOf('failing.mjs', "throw new Error('built for another machine');");
    const what = { what: 'Pictures', packages: ['drawing-tools'] };
    expect(await failure(optionalPackage(what, () => import(lacking)))).to.have.property(
      'code',
      'ERR_MODULE_NOT_FOUND',
    );
    expect(await failure(optionalPackage(what, () => import(failing)))).to.include({
      message: 'built for another machine',
    });
  });
});
