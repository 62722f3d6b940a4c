/** What the server refuses to start with: in production what is not fit for it, and everywhere what cannot work. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { type Environment, serverSettings } from '../../config/settings.js';
import { ImproperlyConfigured } from '../../server/errors.js';
import { partOf } from '../support/passwords.js';

const SECRET_KEY = randomBytes(48).toString('base64url');
const GOOD: Environment = {
  NODE_ENV: 'production',
  SECRET_KEY,
  DATABASE_URL: 'postgresql://site:a-database-password@127.0.0.1:1/site',
  ALLOWED_HOSTS: 'www.example.com',
  SESSION_COOKIE_SECURE: 'true',
  CSRF_COOKIE_SECURE: 'true',
};

/** Why the server would not start; undefined when it would. */
function refusal(changes: Environment, base: Environment = GOOD): string | undefined {
  try {
    serverSettings(() => SECRET_KEY, { ...base, ...changes });
    return undefined;
  } catch (error) {
    expect(error).to.be.instanceOf(ImproperlyConfigured);
    return (error as Error).message;
  }
}

describe('security: a start in production', () => {
  it('is taken with what it needs', () => {
    expect(refusal({})).to.equal(undefined);
    expect(refusal({ SESSION_COOKIE_NAME: '__Host-sessionid', CSRF_COOKIE_NAME: '__Secure-csrftoken' })).to.equal(
      undefined,
    );
    expect(refusal({ SESSION_COOKIE_SECURE: 'false', INSECURE_COOKIES: 'true' })).to.equal(undefined);
    expect(refusal({ LAB: 'false' })).to.equal(undefined);
  });

  const weak: Readonly<Record<string, string>> = {
    short: SECRET_KEY.slice(0, 49),
    "Django's own for development": `django-insecure-${SECRET_KEY}`,
    'of one character': 'a'.repeat(60),
    'of four characters': 'abcd'.repeat(15),
    'of one word': 'changeme!'.repeat(8),
    'of one word, cut': 'correct horse battery '.repeat(4).slice(0, 80),
  };
  for (const [name, key] of Object.entries(weak)) {
    it(`is refused with a SECRET_KEY that is ${name}, also among the fallbacks, and the key is not repeated`, () => {
      expect(refusal({ SECRET_KEY: key }))
        .to.match(/^SECRET_KEY is too weak for production/)
        .and.not.include(key);
      expect(refusal({ SECRET_KEY_FALLBACKS: JSON.stringify([key]) }))
        .to.match(/^SECRET_KEY_FALLBACKS is too weak/)
        .and.not.include(key);
    });
  }

  for (const [name, changes, sentence] of [
    ['without SECRET_KEY', { SECRET_KEY: undefined }, 'SECRET_KEY is not set'],
    ['with an empty one', { SECRET_KEY: '' }, 'SECRET_KEY'],
    ['with a session cookie over http', { SESSION_COOKIE_SECURE: 'false' }, 'SESSION_COOKIE_SECURE is false'],
    ['with a CSRF cookie over http', { CSRF_COOKIE_SECURE: undefined }, 'CSRF_COOKIE_SECURE is false'],
    ['with the lab', { LAB: '1' }, 'LAB'],
    ['without a database', { DATABASE_URL: undefined }, 'DATABASE_URL is not set'],
    ['without hosts', { ALLOWED_HOSTS: '' }, 'ALLOWED_HOSTS is empty'],
    ['with a wrong value', { SESSION_COOKIE_AGE: 'two weeks' }, 'SESSION_COOKIE_AGE: "two weeks" is not allowed. Use'],
    [
      'with a cookie name that no browser keeps',
      { SESSION_COOKIE_NAME: 'a;b' },
      'SESSION_COOKIE_NAME: "a;b" is not allowed',
    ],
    ['with the name of a URL', { LOGIN_URL: 'accounts:login' }, "Use the page's path"],
    ['with a port for a number of processes', { WEB_CONCURRENCY: '8000' }, 'from 1 to 1024, or auto'],
    ['with one port for two things', { PORT: '8000', METRICS_PORT: '8000' }, 'METRICS_PORT: 8000 is PORT already'],
    [
      'with __Host- and a path',
      { SESSION_COOKIE_NAME: '__Host-s', SESSION_COOKIE_PATH: '/shop/' },
      'needs SESSION_COOKIE_PATH=/',
    ],
    [
      'with __Host- and a domain',
      { CSRF_COOKIE_NAME: '__Host-c', CSRF_COOKIE_DOMAIN: 'example.com' },
      'no CSRF_COOKIE_DOMAIN',
    ],
    [
      'with __Secure- over http',
      { SESSION_COOKIE_NAME: '__Secure-s', SESSION_COOKIE_SECURE: 'false', INSECURE_COOKIES: 'true' },
      'needs SESSION_COOKIE_SECURE=true',
    ],
    [
      'with __host- in small letters over http',
      { CSRF_COOKIE_NAME: '__host-c', CSRF_COOKIE_SECURE: 'false', INSECURE_COOKIES: 'true' },
      'needs CSRF_COOKIE_SECURE=true',
    ],
  ] as const) {
    it(`is refused ${name}, with one sentence that says so`, () => {
      expect(refusal(changes)).to.include(sentence);
    });
  }

  it('is refused with a database URL that is none, without repeating it', () => {
    expect(refusal({ DATABASE_URL: 'mysql://user:a-database-password@host/' }))
      .to.include('DATABASE_URL')
      .and.not.include('a-database-password');
  });

  it('is refused with a password that is not percent-encoded, and with a certificate that is missing', () => {
    for (const password of ['zqxj#kvwy', '7788/kvwy', '7788?kvwy', 'zqxj%kvwy', 'zqxj kvwy']) {
      const said = refusal({ DATABASE_URL: `postgresql://site:${password}@127.0.0.1:1/site` });
      expect(said).to.match(/^DATABASE_URL: .*%23/);
      expect(partOf(password, said ?? '')).to.equal(undefined);
      const cache = refusal({ CACHE_URL: `redis://:${password}@127.0.0.1:1/0` });
      expect(cache).to.match(/^CACHE_URL: .*%23/);
      expect(partOf(password, cache ?? '')).to.equal(undefined);
    }
    expect(refusal({ DATABASE_URL: `${GOOD['DATABASE_URL']}?sslrootcert=/nowhere/ca.pem` })).to.match(
      /^DATABASE_URL: sslrootcert names "\/nowhere\/ca\.pem", and there is no such file/,
    );
  });

  it('takes an IPv6 address for HOST with and without brackets', () => {
    for (const [HOST, address] of [
      ['[::1]', '::1'],
      ['::1', '::1'],
      ['[2001:db8::7]', '2001:db8::7'],
      ['localhost', 'localhost'],
      ['0.0.0.0', '0.0.0.0'],
    ]) {
      expect(serverSettings(() => SECRET_KEY, { ...GOOD, HOST }).HOST).to.equal(address);
    }
    for (const HOST of ['[::1', '::1]', '[localhost]', '[127.0.0.1]', '[]', 'a b', 'http://localhost']) {
      expect(refusal({ HOST })).to.match(/^HOST: ".*" is not allowed/);
    }
  });

  describe('asks for a captcha', () => {
    const when = (changes: Environment, base: Environment = GOOD): string =>
      serverSettings(() => SECRET_KEY, { ...base, ...changes }).django.LOGIN_CAPTCHA;

    it('after failures in production, and always in development, where it is to be seen', () => {
      expect(when({})).to.equal('after_failures');
      expect(when({}, { NODE_ENV: 'development' })).to.equal('always');
      expect(when({}, {})).to.equal('always');
    });

    it('as LOGIN_CAPTCHA says, in both', () => {
      for (const LOGIN_CAPTCHA of ['always', 'after_failures', 'off']) {
        expect(when({ LOGIN_CAPTCHA })).to.equal(LOGIN_CAPTCHA);
        expect(when({ LOGIN_CAPTCHA }, { NODE_ENV: 'development' })).to.equal(LOGIN_CAPTCHA);
      }
    });
  });

  describe('with secrets in files', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-secrets-'));
    after(() => rmSync(folder, { recursive: true, force: true }));
    const file = (content: string): string => {
      const name = path.join(folder, randomBytes(4).toString('hex'));
      writeFileSync(name, content);
      return name;
    };

    it('reads them, without the line end of an editor', () => {
      const { SECRET_KEY: _, DATABASE_URL = '', ...rest } = GOOD;
      for (const end of ['', '\n', '\r\n']) {
        const settings = serverSettings(() => '', {
          ...rest,
          DATABASE_URL: undefined,
          SECRET_KEY_FILE: file(SECRET_KEY + end),
          DATABASE_URL_FILE: file(DATABASE_URL + end),
        });
        expect([settings.django.SECRET_KEY, settings.DATABASE_URL]).to.deep.equal([SECRET_KEY, DATABASE_URL]);
      }
    });

    it('holds them to the same rules', () => {
      expect(refusal({ SECRET_KEY: undefined, SECRET_KEY_FILE: file('short') })).to.match(/^SECRET_KEY is too weak/);
      expect(refusal({ SECRET_KEY: undefined, SECRET_KEY_FILE: file('') })).to.include('SECRET_KEY');
    });

    it('refuses a file that is not there, and both at once', () => {
      expect(refusal({ SECRET_KEY: undefined, SECRET_KEY_FILE: '/nowhere' })).to.include('SECRET_KEY_FILE');
      const url = 'postgresql://site:zqxjkvwy@127.0.0.1:1/site';
      expect(() => serverSettings(() => '', { ...GOOD, DATABASE_URL: undefined, DATABASE_URL_FILE: url }))
        .to.throw(ImproperlyConfigured)
        .that.satisfies((error: unknown) => !inspect(error, { depth: 9, showHidden: true }).includes('zqxj'));
      expect(refusal({ SECRET_KEY_FILE: file(SECRET_KEY) })).to.equal('Set SECRET_KEY or SECRET_KEY_FILE, not both.');
    });
  });
});
