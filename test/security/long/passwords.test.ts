/** No part of the database's password is written anywhere: by the real server, its commands and knex's own command line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { SECRET_KEY } from '../../fire/processes.js';
import { NASTY_PASSWORDS, partOf } from '../../support/passwords.js';
import { commandLine } from '../../support/programs.js';

const ROOT = path.join(import.meta.dirname, '../../..');
/** Nobody listens there. */
const urlWith = (password: string): string => `postgresql://ann:${password}@127.0.0.1:1/site`;

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Run a program of ours to its end, or until it has written `enough`. */
async function written(program: readonly string[], environment: NodeJS.ProcessEnv, enough = /$^/): Promise<Ended> {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, commandLine(program), {
    cwd: ROOT,
    env: { PATH, HOME, SECRET_KEY, PORT: '0', LOG_LEVEL: 'trace', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      if (enough.test(output)) child.kill('SIGTERM');
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

const WAITS = /does not answer yet/;
const START = ['server/main.ts'];
const command = (...args: string[]): string[] => ['server/cli/main.ts', ...args];
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  migrate: command('migrate'),
  'migrate:status': command('migrate:status'),
  'migrate:rollback': command('migrate:rollback', '--yes'),
  createuser: command('createuser', '--username', 'bob'),
  clearsessions: command('clearsessions'),
  inspect: command('inspect', 'abcdefgh'),
  doctor: command('doctor', '--json'),
  'knex’s own command line': ['node_modules/knex/bin/cli.js', 'migrate:list', '--knexfile', 'config/knexfile.ts'],
};

describe('security: the password of DATABASE_URL', function () {
  this.timeout(120_000);
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-passwords-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const silent = (password: string, { output }: Ended): void => {
    expect(partOf(password, output), output).to.equal(undefined);
  };

  for (const [index, password] of NASTY_PASSWORDS.entries()) {
    it(`${JSON.stringify(password)} is in nothing that a start writes`, async () => {
      const raw = await written(START, { DATABASE_URL: urlWith(password) }, WAITS);
      silent(password, raw);
      if (WAITS.test(raw.output)) {
        expect(raw.output).to.include('Listening');
      } else {
        expect(raw.code).to.equal(1);
        expect(raw.output).to.match(/^DATABASE_URL: [^\n]*\n$/);
      }
      // It is read as the other; a few show that.
      if (index < 4) {
        const file = path.join(folder, `${index}.url`);
        writeFileSync(file, `${urlWith(password)}\n`);
        const fromFile = await written(START, { DATABASE_URL_FILE: file }, WAITS);
        expect(WAITS.test(fromFile.output)).to.equal(WAITS.test(raw.output));
        silent(password, fromFile);
      }
      const encoded = await written(START, { DATABASE_URL: urlWith(encodeURIComponent(password)) }, WAITS);
      expect(encoded.output).to.match(WAITS);
      silent(password, encoded);
    });
  }

  for (const [name, program] of Object.entries(PROGRAMS)) {
    it(`is in nothing that ${name} writes`, async () => {
      for (const password of ['7788/zqxjkv', '7788#zqxjkv', '7788?zqxjkv', 'zqxj@kvwy/wyzq', 'zqxj%kvwy']) {
        const raw = await written(program, { DATABASE_URL: urlWith(password) });
        expect(raw.code, raw.output).to.be.greaterThan(0);
        expect(raw.output).to.include('DATABASE_URL: ').and.match(/%23/);
        silent(password, raw);
      }
      const [password] = NASTY_PASSWORDS;
      const encoded = await written(program, { DATABASE_URL: urlWith(encodeURIComponent(password ?? '')) });
      expect(encoded.code, encoded.output).to.be.greaterThan(0);
      silent(password ?? '', encoded);
    });
  }

  it('is not written where it was given for the name of its file', async () => {
    const given = await written(START, { DATABASE_URL_FILE: urlWith('zqxjkvwy') });
    expect(given.code).to.equal(1);
    expect(given.output).to.match(/^DATABASE_URL_FILE: the file cannot be read \(ENOENT\)\.[^\n]*\n$/);
    silent('zqxjkvwy', given);
  });

  for (const [what, change, words] of [
    [
      'a certificate file that is missing',
      '?sslmode=verify-full&sslrootcert=/nowhere/ca.pem',
      /sslrootcert names "\/nowhere\/ca\.pem", and there is no such file/,
    ],
    ['a folder for a key', '?sslkey=/tmp', /sslkey names "\/tmp", which is a folder/],
    ['an unknown sslmode', '?sslmode=allow', /sslmode is unknown/],
  ] as const) {
    it(`a start with ${what} ends with 1 and one sentence, before it listens`, async () => {
      const { code, output } = await written(START, { DATABASE_URL: `${urlWith('zqxjkvwy')}${change}` }, WAITS);
      expect(code).to.equal(1);
      expect(output)
        .to.match(/^DATABASE_URL: [^\n]*\n$/)
        .and.match(words);
    });
  }

  for (const HOST of ['[::1]', '::1']) {
    it(`a start with HOST=${HOST} listens there and prints an address that can be opened`, async () => {
      const { output } = await written(START, { HOST, DATABASE_URL: urlWith('x') }, WAITS);
      expect(output).to.match(/^Listening on http:\/\/\[::1\]:\d+\/$/m);
    });
  }

  for (const HOST of ['[::1', '[localhost]', '[]', 'http://localhost', 'a b']) {
    it(`a start with HOST=${HOST} ends with a sentence`, async () => {
      const { code, output } = await written(START, { HOST, DATABASE_URL: urlWith('x') }, WAITS);
      expect(code).to.equal(1);
      expect(output).to.match(/^HOST: ".*" is not allowed\. Use [^\n]*\n$/);
    });
  }
});
