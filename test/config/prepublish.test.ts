import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';

const ROOT = path.join(import.meta.dirname, '../..');

describe('npm publish', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-prepublish-'));
    mkdirSync(path.join(folder, 'config'));
    copyFileSync(path.join(ROOT, 'config/prepublish.mjs'), path.join(folder, 'config/prepublish.mjs'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function ask(manifest: object): { status: number | null; stderr: string } {
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
    return spawnSync(process.execPath, [path.join(folder, 'config/prepublish.mjs')], { encoding: 'utf8' });
  }

  it('is refused while package.json names no repository, with a sentence that says what to set', () => {
    const { status, stderr } = ask({ name: 'koa-django-session' });
    expect(status).to.equal(1);
    expect(stderr).to.match(/^Not published: package\.json names no repository\. Set "repository" to .+\.\n$/);
  });

  it('goes on once it names one', () => {
    const repository = { type: 'git', url: 'git+https://git.example.com/koa-django-session.git' };
    expect(ask({ repository })).to.include({ status: 0, stderr: '' });
  });

  it('asks for the repository, runs all checks, and publishes for everybody with a statement of provenance', () => {
    const { scripts, publishConfig } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
    expect(scripts.prepublishOnly).to.equal('node config/prepublish.mjs && npm run --silent check');
    expect(publishConfig).to.deep.equal({ access: 'public', provenance: true });
  });
});
