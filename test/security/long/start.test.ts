/** The real process with what it must not start with: exit code 1, and one sentence for the person who started it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'chai';
import { SECRET_KEY } from '../../fire/processes.js';
import { compiled } from '../../support/programs.js';

const ROOT = join(import.meta.dirname, '../../..');
const GOOD = {
  NODE_ENV: 'production',
  PORT: '0',
  SECRET_KEY,
  DATABASE_URL: 'postgresql://site:a-database-password@127.0.0.1:1/site',
  ALLOWED_HOSTS: 'www.example.com',
  SESSION_COOKIE_SECURE: 'true',
  CSRF_COOKIE_SECURE: 'true',
};

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function start(changes: Readonly<Record<string, string | undefined>>): Promise<Ended> {
  const { PATH, HOME } = process.env;
  const env = Object.fromEntries(
    Object.entries({ PATH, HOME, ...GOOD, ...changes }).filter(([, value]) => value !== undefined),
  );
  const child = spawn(process.execPath, [compiled('server/main.ts')], { cwd: ROOT, env, stdio: 'pipe' });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString('utf8');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

describe('security: npm start in production', function () {
  this.timeout(60_000);
  const cases = [
    ['without SECRET_KEY', { SECRET_KEY: undefined }, 'SECRET_KEY is not set'],
    ['with a repetitive one', { SECRET_KEY: 'changeme!'.repeat(8) }, 'SECRET_KEY is too weak'],
    ['with a default one', { SECRET_KEY: `django-insecure-${SECRET_KEY}` }, 'SECRET_KEY is too weak'],
    ['with a cookie over http', { SESSION_COOKIE_SECURE: undefined }, 'SESSION_COOKIE_SECURE is false'],
    ['with the lab', { LAB: '1' }, 'LAB shows'],
    ['with a wrong value', { PORT: 'http' }, 'PORT: "http" is not allowed'],
    ['with a wrong network', { TRUSTED_PROXIES: 'anybody' }, 'TRUSTED_PROXIES'],
    ['with a prefix that does not fit', { SESSION_COOKIE_NAME: '__Host-s', SESSION_COOKIE_PATH: '/a/' }, '__Host-s'],
  ] as const;
  for (const [name, changes, sentence] of cases) {
    it(`ends with 1 and one sentence ${name}`, async () => {
      const { code, out, err } = await start(changes);
      expect(code, err).to.equal(1);
      expect(err).to.include(sentence);
      expect(err.trim().split('\n')).to.have.lengthOf(1);
      expect(out).to.not.include('Listening');
      expect(out + err)
        .to.not.include(SECRET_KEY.slice(0, 20))
        .and.not.include('a-database-password');
    });
  }
});
