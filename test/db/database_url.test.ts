import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import pg from 'pg';
import { checkDatabaseUrl, shownDatabase } from '../../server/db/database_url.js';
import { connectKnex } from '../../server/db/knex.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../server/embedded_database/index.js';
import { ImproperlyConfigured } from '../../server/errors.js';
import { PATIENT, ServerProcess } from '../fire/processes.js';
import { until } from '../fire/until.js';
import { databaseOfSuite, UNHURRIED } from '../support/database.js';
import { NASTY_PASSWORDS, partOf } from '../support/passwords.js';
import { reasonOf } from '../support/reason.js';

/** The refusal; undefined when there is none. */
function refusal(url: unknown): ImproperlyConfigured | undefined {
  try {
    checkDatabaseUrl(url);
    return undefined;
  } catch (error) {
    expect(error).to.be.instanceOf(ImproperlyConfigured);
    return error as ImproperlyConfigured;
  }
}

describe('DATABASE_URL', function () {
  this.timeout(60_000);

  it('is refused without a host where PGHOST names several, which pg takes for one name', () => {
    const before = process.env['PGHOST'];
    process.env['PGHOST'] = 'one,two';
    try {
      expect(refusal('postgresql:///site')?.message).to.match(/PGHOST.*several hosts as one\. Write them into the URL/);
    } finally {
      if (before === undefined) delete process.env['PGHOST'];
      else process.env['PGHOST'] = before;
    }
  });

  describe('with a character of the password that is not percent-encoded', () => {
    for (const [character, code] of [
      ['#', '%23'],
      ['/', '%2F'],
      ['?', '%3F'],
      ['%', '%25'],
      [' ', '%20'],
      ['@/', '%40'],
      ['\n', '%20'],
    ] as const) {
      for (const around of ['zqxj', '7788']) {
        it(`(${JSON.stringify(`${around}${character}kvwy`)}) is refused, says what to write, and repeats nothing`, () => {
          const password = `${around}${character}kvwy`;
          const error = refusal(`postgresql://ann:${password}@db.example.com:5432/site`);
          expect(error?.message)
            .to.match(/^DATABASE_URL: /)
            .and.include(code);
          expect(partOf(password, inspect(error, { depth: 9, showHidden: true }))).to.equal(undefined);
        });
      }
    }

    it('is accepted where it can mean one thing only, and means that', () => {
      for (const password of ['zq@xj', 'zq[xj', 'zq]xj', 'zq:xj', 'zq\\xj', 'zq\'x"j', 'zq&xj=k', 'žq–xj']) {
        const url = `postgresql://ann:${password}@db.example.com/site`;
        expect(refusal(url), password).to.equal(undefined);
        expect(new pg.Client(url)).to.include({ password, host: 'db.example.com' });
      }
    });

    it('is never read in another way than it was meant, whatever the password', () => {
      const letters = [...'zqxjkvw789#/?@%:[]& \\\'"!;,$+=~^`|{}<>()*_-é', '//', '@@', '%2', '%7'];
      const passwords = fc
        .array(fc.constantFrom(...letters), { minLength: 1, maxLength: 16 })
        .map((list) => list.join(''));
      fc.assert(
        fc.property(passwords, (password) => {
          const raw = `postgresql://ann:${password}@db.example.com:5432/site`;
          const error = refusal(raw);
          if (error === undefined) {
            expect(new pg.Client(raw)).to.include({
              password: decodeURIComponent(password),
              user: 'ann',
              host: 'db.example.com',
              port: 5432,
              database: 'site',
            });
            expect(shownDatabase(raw)).to.equal('postgresql://ann@db.example.com:5432/site');
          } else {
            // The advice and the stack's paths have characters of their own, which a password of the same ones finds.
            error.stack = (error.stack ?? '').replaceAll(/\n +at .*/g, '');
            const said = inspect(error, { depth: 9, showHidden: true }).replaceAll(
              /In user and password .* as %20\./g,
              '',
            );
            expect(partOf(password, said)).to.equal(undefined);
            expect(shownDatabase(raw)).to.equal('a database URL that cannot be used');
          }
          const encoded = `postgresql://ann:${encodeURIComponent(password)}@db.example.com:5432/site`;
          expect(refusal(encoded)).to.equal(undefined);
          expect(new pg.Client(encoded)).to.include({ password, host: 'db.example.com' });
        }),
        { numRuns: 5000 },
      );
    });
  });

  for (const [what, url, words] of [
    ['empty', '', /is not set/],
    ['absent', undefined, /is not set/],
    ['of another scheme', 'mysql://ann:zqxjkvwy@host/site', /does not begin with postgresql:\/\//],
    ['a password alone', 'zqxj:kvwy', /does not begin with postgresql:\/\//],
    ['without its scheme', 'ann:zqxjkvwy@host:5432/site', /does not begin with a scheme and :\/\/.*postgresql:\/\//],
    ['without its scheme and password', 'ann@host:5432/site', /does not begin with a scheme and :\/\//],
    ['without its scheme and user', 'host:5432/site', /does not begin with postgresql:\/\//],
    ['with a scheme alone', 'postgresql:ann:zqxjkvwy@host/site', /does not begin with a scheme and :\/\//],
    ['without slashes', 'postgresql:ann:zqxjkvwy', /does not begin with postgresql:\/\//],
    ['without database', 'postgresql://ann:zqxjkvwy@host', /names no database/],
    ['with an empty database', 'postgresql://ann:zqxjkvwy@host/?ssl=true', /names no database/],
    ['without host', 'postgresql://ann:zqxjkvwy/site', /neither host:port/],
    ['with several hosts', 'postgresql://ann:zqxjkvwy@one,two/site', /several hosts/],
    ['with several hosts and ports', 'postgresql://ann:zqxjkvwy@one:1,two:2/site', /several hosts/],
    ['with several hosts in the query', 'postgresql://ann:zqxjkvwy@/site?host=one,two', /several hosts/],
    [
      'with several hosts and a port too many',
      'postgresql:///site?host=one,two&port=1,2,3&target_session_attrs=primary',
      /2 hosts and 3 ports/,
    ],
    [
      'with several hosts, one of them empty',
      'postgresql://one,,two/site?target_session_attrs=primary',
      /hosts is empty/,
    ],
    [
      'with several hosts that may be standbys',
      'postgresql://ann:zqxjkvwy@one,two/site?target_session_attrs=any',
      /would take a standby/,
    ],
    [
      'with an address that only libpq knows',
      'postgresql://h/d?hostaddr=10.0.0.1',
      /hostaddr is libpq's.*Leave it out/,
    ],
    ['with libpq’s balancing', 'postgresql://h1,h2/d?target_session_attrs=any&load_balance_hosts=random', /standby/],
    ['with a password in a file', 'postgresql://h/d?passfile=/run/secrets/zqxjkvwy', /passfile is libpq's/],
    ['with a socket and several hosts’ parameter', 'socket:/run?db=d&target_session_attrs=primary', /one socket/],
    [
      'with a wrong port at one of several hosts',
      'postgresql://ann:zqxjkvwy@one:1,two:0/site?target_session_attrs=primary',
      /port is not a number/,
    ],
    [
      'for a standby',
      'postgresql://ann:zqxjkvwy@one/site?target_session_attrs=prefer-standby',
      /no session can be saved/,
    ],
    [
      'with unknown target_session_attrs',
      'postgresql://ann:zqxjkvwy@one/site?target_session_attrs=zqxj',
      /unknown\. Use read-write/,
    ],
    [
      'with target_session_attrs misspelt',
      'postgresql://ann:zqxjkvwy@one/site?target_session_attr=read-write',
      /almost target_session_attrs\. Write/,
    ],
    ['with host in a capital', 'postgresql:///site?Host=one,two', /almost host\. Write/],
    ['with hosts separated by a semicolon', 'postgresql://ann:zqxjkvwy@one;two/site', /several hosts as one/],
    ['with port 0', 'postgresql://ann:zqxjkvwy@host:0/site', /port is not a number from 1 to 65535/],
    ['with port 65536', 'postgresql://ann:zqxjkvwy@host:65536/site', /port is not a number/],
    ['with a word for a port', 'postgresql://ann:zqxjkvwy@host:http/site', /neither host:port/],
    ['with a wrong port in the query', 'postgresql://ann:zqxjkvwy@host/site?port=http', /port is not a number/],
    ['with a bracket', 'postgresql://ann:zqxjkvwy@[::1/site', /neither host:port/],
    [
      'with an unknown sslmode',
      'postgresql://ann:zqxjkvwy@host/site?sslmode=allow',
      /sslmode.*disable, prefer, require/,
    ],
    ['with ssl=false, which pg takes for true', 'postgresql://ann:zqxjkvwy@host/site?ssl=false', /ssl.*true, 1, 0/],
    ['with TLS from the first byte and none', 'postgresql://h/d?sslmode=disable&sslnegotiation=direct', /requires SSL/],
    ['with a NUL', 'postgresql://ann:zqxj%00kvwy@host/site', /NUL/],
    ['with a host that is none', 'postgresql://ann:zqxjkvwy@ho<st/site', /cannot read it/],
  ] as const) {
    it(`(${what}) is refused in one sentence`, () => {
      const error = refusal(url);
      expect(error?.message)
        .to.match(/^DATABASE_URL: [^\n]*[^\s]$/)
        .and.match(words);
      expect(partOf('zqxjkvwy', inspect(error, { depth: 9, showHidden: true }))).to.equal(undefined);
      expect(() => connectKnex(url as string)).to.throw(ImproperlyConfigured, error?.message);
    });
  }

  describe('that names certificate files', () => {
    let folder: string;
    before(() => {
      folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-pem-'));
      chmodSync(folder, 0o755);
      mkdirSync(path.join(folder, 'folder'));
      for (const [file, content] of [
        ['closed.pem', 'x'],
        ['words.pem', 'no certificate\n'],
      ] as const) {
        writeFileSync(path.join(folder, file), content);
      }
      chmodSync(path.join(folder, 'closed.pem'), 0o000);
      for (const name of ['one', 'two']) {
        execFileSync(
          'openssl',
          [
            ...[
              'req',
              '-x509',
              '-newkey',
              'ec',
              '-pkeyopt',
              'ec_paramgen_curve:P-256',
              '-nodes',
              '-days',
              '2',
              '-subj',
              `/CN=${name}`,
            ],
            ...['-keyout', path.join(folder, `${name}.key`), '-out', path.join(folder, `${name}.pem`)],
          ],
          { stdio: 'ignore' },
        );
      }
    });
    after(() => rmSync(folder, { recursive: true, force: true }));
    const url = (query: string): string => `postgresql://ann:zqxjkvwy@host/site?${query.replaceAll('DIR', folder)}`;

    for (const parameter of ['sslrootcert', 'sslcert', 'sslkey']) {
      it(`(${parameter}) is refused when one is missing or a folder: parameter and path are named`, () => {
        for (const [file, why] of [
          ['nothing.pem', 'there is no such file'],
          ['one.pem/nothing.pem', 'there is no such file'],
          ['folder', 'is a folder'],
        ] as const) {
          expect(refusal(url(`sslmode=verify-full&${parameter}=DIR/${file}`))?.message)
            .to.include(`${parameter} names "${folder}/${file}"`)
            .and.include(why);
        }
      });
    }

    it('is refused when this process may not read one', () => {
      const root = process.geteuid?.() === 0;
      // Root may read every file, so this is asked as nobody.
      if (root) process.seteuid?.(65_534);
      try {
        expect(refusal(url('sslrootcert=DIR/one.pem'))).to.equal(undefined);
        expect(refusal(url('sslrootcert=DIR/closed.pem'))?.message).to.include('which this process may not read');
      } finally {
        if (root) process.seteuid?.(0);
      }
    });

    it('is refused when they hold something else, or do not belong together', () => {
      expect(refusal(url('sslrootcert=DIR/words.pem'))?.message).to.match(
        /file of sslrootcert contains no certificate/,
      );
      expect(refusal(url('sslcert=DIR/words.pem&sslkey=DIR/one.key'))?.message).to.match(/cannot be used/);
      expect(refusal(url('sslcert=DIR/one.pem&sslkey=DIR/two.key'))?.message).to.match(
        /cannot be used.*belong together/,
      );
    });

    it('is accepted when they can be used', () => {
      expect(
        refusal(url('sslmode=verify-full&sslrootcert=DIR/two.pem&sslcert=DIR/one.pem&sslkey=DIR/one.key')),
      ).to.equal(undefined);
    });
  });

  describe('as it is shown', () => {
    for (const [url, shown] of [
      ['postgresql://ann:zqxjkvwy@host/site', 'postgresql://ann@host:5432/site'],
      ['postgres://ann:zqxjkvwy@host:6432/site?password=zqxjkvwy', 'postgres://ann@host:6432/site'],
      ['postgresql://ann:zqxjkvwy@[::1]:6432/site', 'postgresql://ann@[::1]:6432/site'],
      ['postgresql://host/site?user=ann&password=zqxjkvwy&host=other&port=7', 'postgresql://ann@other:7/site'],
      ['postgresql://ann:zqxjkvwy@/site?host=/run/pg', 'socket /run/pg/.s.PGSQL.5432 (database site, user ann)'],
      ['postgresql://ann@%2Frun%2Fpg:6432/site', 'socket /run/pg/.s.PGSQL.6432 (database site, user ann)'],
      ['socket://ann:zqxjkvwy@/run/pg?db=site', 'socket /run/pg/.s.PGSQL.5432 (database site, user ann)'],
      [
        'postgresql://ann:zqxjkvwy@one,two:6432/site?target_session_attrs=primary',
        'postgresql://ann@one:5432/site, postgresql://ann@two:6432/site',
      ],
      ['socket:/run/pg?db=site&user=ann', 'socket /run/pg/.s.PGSQL.5432 (database site, user ann)'],
    ] as const) {
      it(`${url} is ${shown}`, () => {
        expect(shownDatabase(url)).to.equal(shown);
      });
    }
  });

  describe('at a real PostgreSQL', () => {
    const database = databaseOfSuite();

    it('takes every password, percent-encoded', async () => {
      const role = `kds_test_ann_${process.pid}`;
      await database.knex.raw(`CREATE ROLE ${role} LOGIN`);
      try {
        for (const password of NASTY_PASSWORDS) {
          // Knex's own escape for a question mark that is no binding.
          const quoted = password.replaceAll("'", "''").replaceAll('?', '\\?');
          await database.knex.raw(`ALTER ROLE ${role} PASSWORD '${quoted}'`);
          const url = new URL(database.url);
          const { host, pathname } = url;
          const knex = connectKnex(
            `postgresql://${role}:${encodeURIComponent(password)}@${host}${pathname}`,
            UNHURRIED,
          );
          try {
            const name = await knex.raw('SELECT current_user AS name').then(({ rows }) => rows[0].name, String);
            expect(name, password).to.equal(role);
          } finally {
            await knex.destroy();
          }
        }
      } finally {
        await database.knex.raw(`DROP ROLE ${role}`);
      }
    });

    it('says nothing of the password when nobody listens, in no property of the error', async () => {
      for (const password of NASTY_PASSWORDS) {
        const knex = connectKnex(`postgresql://ann:${encodeURIComponent(password)}@127.0.0.1:1/site`);
        const error = inspect(await reasonOf(knex.raw('SELECT 1')), { depth: 9, showHidden: true });
        await knex.destroy();
        expect(error).to.include('ECONNREFUSED');
        expect(partOf(password, error)).to.equal(undefined);
      }
    });
  });

  describe('of a socket', () => {
    let folder: string;
    let postgres: EmbeddedPostgres;
    before(async () => {
      // A socket's path has 107 bytes at most, and PostgreSQL may run as another account.
      folder = mkdtempSync('/tmp/kds-');
      chmodSync(folder, 0o755);
      mkdirSync(path.join(folder, 's'));
      chmodSync(path.join(folder, 's'), 0o777);
      const data = path.join(folder, 'data');
      postgres = await startEmbeddedPostgres({
        folder: data,
        throwaway: true,
        settings: [`unix_socket_directories=${path.join(folder, 's')}`],
      });
    });
    after(async () => {
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    const forms = (): readonly string[] => {
      const { username, password, port, pathname } = new URL(postgres.url);
      const [place, who] = [path.join(folder, 's'), `${username}:${password}`];
      return [
        `postgresql://${who}@${pathname}?host=${place}&port=${port}`,
        `postgresql://${pathname}?host=${place}&port=${port}&user=${username}&password=${password}`,
        `postgresql://${who}@${encodeURIComponent(place)}:${port}${pathname}`,
        `socket://${who}@${place}?db=${pathname.slice(1)}&port=${port}`,
        `socket:${place}?db=${pathname.slice(1)}&port=${port}&user=${username}&password=${password}`,
      ];
    };

    it('works in each of its forms, over the socket', async () => {
      for (const url of forms()) {
        const knex = connectKnex(url, UNHURRIED);
        try {
          expect((await knex.raw('SELECT inet_client_addr() AS address')).rows[0].address, url).to.equal(null);
        } finally {
          await knex.destroy();
        }
      }
    });

    it('is shown as one by a server that starts on it', async () => {
      const { port, password } = new URL(postgres.url);
      const server = await ServerProcess.ready({ ...PATIENT, DATABASE_URL: forms()[2] ?? '' });
      try {
        await until(() => server.log.includes('Database: ') || undefined, { seconds: 60, what: () => server.log });
        expect(server.log).to.include(
          `Database: socket ${folder}/s/.s.PGSQL.${port} (database koa_django_session, user postgres)\n`,
        );
        expect(server.log).to.not.include(password);
      } finally {
        await server.stop();
      }
    });
  });
});
