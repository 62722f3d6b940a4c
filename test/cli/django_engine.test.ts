import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { compiled } from '../support/programs.js';

const FILE = 'server/django/sessions.py';

describe('django-engine', function () {
  this.timeout(30_000);

  it('prints the file that Django imports, and beside it how to set it', async () => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [compiled('server/cli/main.ts'), 'django-engine'],
      { env: { PATH: process.env['PATH'] } },
    );
    expect(stdout).to.equal(readFileSync(FILE, 'utf8'));
    expect(stderr).to.include("SESSION_ENGINE = 'mysite.sessions'");
  });

  it('names its class as Django does, since the name is part of the salt', () => {
    expect(readFileSync(FILE, 'utf8')).to.match(/^class SessionStore\(DatabaseStore\):$/m);
  });
});
