import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { check_password } from '../../../server/auth/hashers.js';
import { UserTable } from '../../../server/auth/users.js';
import { whileLocked } from '../../../server/db/lock.js';
import { runningEmbeddedUrl, startEmbeddedPostgres } from '../../../server/embedded_database/index.js';
import { SessionCodec } from '../../../server/session/codec.js';
import { defineSettings } from '../../../server/settings.js';
import { databaseOfSuite, emptyDatabase } from '../../support/database.js';
import { partOf } from '../../support/passwords.js';
import { compiled } from '../../support/programs.js';
import { cli, KEY } from '../command.js';

const COMMANDS = [
  'migrate',
  'migrate:status',
  'migrate:rollback',
  'createuser',
  'clearsessions',
  'inspect',
  'doctor',
  'django-engine',
];

describe('koa-django-session', function () {
  this.timeout(180_000);
  const database = databaseOfSuite();
  let environment: NodeJS.ProcessEnv;

  before(async () => {
    environment = { DATABASE_URL: database.url };
  });

  it('goes on when the reader of its output is gone, as in `… | head`', async () => {
    const child = spawn(process.execPath, [compiled('server/cli/main.ts'), '--help']);
    child.stdout.destroy();
    const [err] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect([child.exitCode, err]).to.deep.equal([0, '']);
  });

  describe('called wrongly', () => {
    it('lists its commands', async () => {
      const { code, out } = await cli(['--help'], {});
      expect(code).to.equal(0);
      for (const name of COMMANDS) expect(out).to.include(`  ${name} `);
      expect((await cli([], {})).code).to.equal(2);
    });

    for (const name of COMMANDS) {
      it(`${name} --help says how to use it, without a database`, async () => {
        const { code, out, err } = await cli([name, '--help'], {});
        expect([code, err]).to.deep.equal([0, '']);
        expect(out).to.include(`Usage: koa-django-session ${name} `).and.include('--help');
      });
    }

    for (const [args, words] of [
      [['clear'], 'no command "clear"'],
      [['toString'], 'no command "toString"'],
      [['migrate', 'up'], '"up" is one word too many'],
      [['migrate', '--force'], "Unknown option '--force'"],
      [['migrate', '--partitions', '16', '--only', '0004_login_attempts'], '--partitions is for 0001_django_session'],
      [['clearsessions', '--batch', 'many'], '--batch is a whole number'],
      [['inspect'], 'KEY is missing'],
      [['createuser', '--username', ''], 'username must not be empty'],
    ] as const) {
      it(`${args.join(' ')}: exit code 2 and a sentence`, async () => {
        const { code, err } = await cli(args, environment);
        expect(err).to.include(words).and.include('--help');
        expect(code).to.equal(2);
      });
    }
  });

  describe('when the database is away', () => {
    for (const args of [
      ['migrate'],
      ['migrate:status'],
      ['migrate:rollback'],
      ['clearsessions'],
      ['inspect', 'abcdefgh'],
    ]) {
      it(`${args[0]}: exit code 1 and a sentence, without stack and password`, async () => {
        const { code, out, err } = await cli(args, { DATABASE_URL: 'postgres://someone:canary@127.0.0.1:9/site' });
        expect(code).to.equal(1);
        expect(out).to.equal('');
        expect(err).to.match(/^The database at postgres:\/\/someone@127\.0\.0\.1:9\/site does not answer\. .*\n$/);
      });
    }

    it('createuser too', async () => {
      const { code, err } = await cli(
        ['createuser'],
        { DATABASE_URL: 'postgres://u:canary@127.0.0.1:9/site' },
        'ann\nlong enough\n',
      );
      expect(code).to.equal(1);
      expect(err)
        .to.match(/^The database at .* does not answer/)
        .and.not.match(/canary|at .*\.(js|ts):\d/);
    });
  });

  // django-engine prints a file, and asks no database.
  for (const command of COMMANDS.filter((name) => name !== 'django-engine')) {
    it(`${command} refuses a password that is not percent-encoded, and repeats no part of it`, async () => {
      const password = '7788/zqxjkv';
      const args = command === 'inspect' ? [command, 'abcdefgh'] : [command];
      const given = { DATABASE_URL: `postgresql://ann:${password}@127.0.0.1:9/site` };
      const { code, out, err } = await cli(args, given, 'ann\nlong enough\n');
      expect(code).to.equal(1);
      expect(err).to.match(/^DATABASE_URL: [^\n]*%2F[^\n]*\n$/);
      expect(partOf(password, out + err)).to.equal(undefined);
    });
  }

  it('says that DATABASE_URL lacks the password that the database wants, and ends', async () => {
    const url = new URL(database.url);
    url.password = '';
    const { code, err } = await cli(['clearsessions'], { DATABASE_URL: url.href });
    expect([code, err]).to.deep.equal([1, 'The database refuses the user or the password of DATABASE_URL.\n']);
  });

  it('says which table is missing before the first migrate', async () => {
    const empty = await emptyDatabase();
    try {
      const { code, err } = await cli(['clearsessions'], { DATABASE_URL: empty.url });
      expect([code, err]).to.deep.equal([1, 'A table is missing. Run: koa-django-session migrate\n']);
    } finally {
      await empty.drop();
    }
  });

  it('refuses a wrong setting with its name', async () => {
    const { code, err } = await cli(['migrate'], { DATABASE_URL: 'mysql://u:canary@host/site' });
    expect(code).to.equal(1);
    expect(err)
      .to.match(/^DATABASE_URL: /)
      .and.not.include('canary');
  });

  describe('migrate, migrate:status, migrate:rollback', () => {
    it('do what they say', async () => {
      const empty = await emptyDatabase();
      const url = { DATABASE_URL: empty.url };
      try {
        expect((await cli(['migrate:status'], url)).out).to.match(/^(\[ \] \d{4}_\w+\n)+$/);
        expect(await cli(['migrate'], url)).to.deep.include({ code: 0, err: '' });
        expect((await cli(['migrate:status'], url)).out).to.match(/^(\[X\] \d{4}_\w+\n)+$/);
        expect((await cli(['migrate'], url)).out).to.equal('Nothing to do: the database is up to date.\n');
        expect((await cli(['migrate:rollback'], url)).out).to.equal(
          'Undid 0005_user_sessions.\nDropped koa_user_sessions (0 rows).\n',
        );
        expect((await cli(['migrate:rollback', '--all', '--yes'], url)).out).to.include('Undid 0001_django_session.');
        expect((await cli(['migrate:rollback'], url)).out).to.equal('Nothing to do: no migration has run.\n');
      } finally {
        await empty.drop();
      }
    });

    for (const NODE_ENV of ['development', 'production']) {
      for (const all of [[], ['--all']]) {
        it(`migrate:rollback ${all.join('')} in ${NODE_ENV} drops no rows unless told to`, async () => {
          const full = await emptyDatabase();
          const url = { DATABASE_URL: full.url, NODE_ENV };
          try {
            await cli(['migrate', '--only', '0001_django_session,0002_auth_user'], url);
            await cli(['createuser', '--username', 'ann'], url, 'long enough\n');
            const refused = await cli(['migrate:rollback', ...all], url);
            expect(refused.code).to.equal(1);
            expect(refused.out).to.equal('');
            expect(refused.err)
              .to.match(
                /^This would undo 0002_auth_user.* and drop .*auth_user \(1 row\).*\. Nothing was changed\. Add --yes/,
              )
              .and.match(/^[^\n]*\n$/);
            expect(await full.knex('auth_user').pluck('username')).to.deep.equal(['ann']);
            expect((await cli(['migrate:status'], url)).out).to.include('[X] 0002_auth_user');

            const done = await cli(['migrate:rollback', ...all, '--yes'], url);
            expect([done.code, done.err]).to.deep.equal([0, '']);
            expect(done.out).to.include('Undid 0002_auth_user.').and.include('auth_user (1 row)');
            expect(await full.knex.schema.hasTable('auth_user')).to.equal(false);
            expect(await full.knex.schema.hasTable('django_session')).to.equal(all.length === 0);
          } finally {
            await full.drop();
          }
        });
      }
    }

    it('migrate --only runs these alone, and refuses a name that there is not', async () => {
      const empty = await emptyDatabase();
      const url = { DATABASE_URL: empty.url };
      try {
        expect((await cli(['migrate', '--only', '0001_django_session'], url)).out).to.equal(
          'Applied 0001_django_session.\n',
        );
        const { code, err } = await cli(['migrate', '--only', '0001_sessions'], url);
        expect([
          code,
          err.includes('there is no migration "0001_sessions". There are 0001_django_session,'),
        ]).to.deep.equal([2, true]);
      } finally {
        await empty.drop();
      }
    });

    it('say which column is wrong', async () => {
      const empty = await emptyDatabase();
      try {
        await empty.knex.raw('CREATE TABLE django_session (session_key int)');
        const { code, err } = await cli(['migrate'], { DATABASE_URL: empty.url });
        expect(code).to.equal(1);
        expect(err).to.match(/^Column django_session\.session_key is integer; Django's is character varying\(40\)\./);
      } finally {
        await empty.drop();
      }
    });
  });

  describe('createuser', () => {
    const user = async (name: string) => new UserTable(database.knex).get_by_natural_key(name);

    it('takes name and password from a pipe', async () => {
      const { code, out, err } = await cli(['createuser'], environment, 'carol\nsecret of carol\n');
      expect([code, err]).to.deep.equal([0, '']);
      const carol = await user('carol');
      expect(out).to.equal(`Added user carol (id ${carol?.id}).\n`);
      expect(await check_password('secret of carol', carol?.password ?? '')).to.equal(true);
      expect(carol).to.include({ is_active: true, is_staff: false, is_superuser: false, email: '' });
    });

    it('makes a superuser, who is staff too', async () => {
      const args = ['createuser', '--username', 'root', '--email', 'root@EXAMPLE.com', '--superuser'];
      expect((await cli(args, environment, 'a long password\n')).code).to.equal(0);
      expect(await user('root')).to.include({ is_staff: true, is_superuser: true, email: 'root@example.com' });
    });

    it('has no option for the password', async () => {
      expect((await cli(['createuser', '--password', 'x'], environment)).code).to.equal(2);
    });

    it('refuses a name that is taken, an empty password, and input that ends early', async () => {
      await cli(['createuser', '--username', 'twice'], environment, 'a long password\n');
      const again = await cli(['createuser', '--username', 'twice'], environment, 'a long password\n');
      expect([again.code, again.err]).to.deep.equal([1, 'A user with that username already exists.\n']);
      expect((await cli(['createuser', '--username', 'none'], environment, '\nx\n')).err).to.include(
        'must not be empty',
      );
      expect((await cli(['createuser'], environment, 'none\n')).err).to.include('ended before the password');
      expect(await user('none')).to.equal(null);
    });

    it('on a terminal asks twice and shows no password', async function () {
      // util-linux's script gives a program a terminal; macOS has another one of that name.
      if (process.platform !== 'linux' || !existsSync('/usr/bin/script')) this.skip();
      const command = `${process.execPath} ${compiled('server/cli/main.ts')} createuser --username tina`;
      const child = spawn('/usr/bin/script', ['-qec', command, '/dev/null'], {
        env: { PATH: process.env['PATH'], TERM: 'xterm', SECRET_KEY: KEY, ...environment },
      });
      let screen = '';
      const asked = async (question: string): Promise<void> => {
        while (!screen.includes(question)) screen += String((await once(child.stdout, 'data'))[0]);
      };
      child.stdout.on('data', (chunk: Buffer) => {
        screen += chunk.toString();
      });
      for (const question of ['Password: ', 'Password (again): ']) {
        await asked(question);
        child.stdin.write('typed in secret\r');
      }
      await once(child, 'close');
      expect(screen).to.include('Added user tina').and.not.include('typed in secret');
      expect(await check_password('typed in secret', (await user('tina'))?.password ?? '')).to.equal(true);
    });
  });

  describe('clearsessions', () => {
    const fill = async (): Promise<void> => {
      await database.knex('django_session').truncate();
      await database.knex.raw(
        `INSERT INTO django_session SELECT 'key' || i, '', now() + make_interval(hours => i - 5) FROM generate_series(1, 8) i`,
      );
    };
    const left = async (): Promise<number> => (await database.knex('django_session')).length;

    it('removes what has expired', async () => {
      await fill();
      const { code, out } = await cli(['clearsessions'], environment);
      expect([code, out, await left()]).to.deep.equal([0, 'Removed 5 expired sessions.\n', 3]);
    });

    it('--dry-run only counts', async () => {
      await fill();
      const { code, out } = await cli(['clearsessions', '--dry-run'], environment);
      expect([code, out, await left()]).to.deep.equal([0, '5 expired sessions. Nothing was removed.\n', 8]);
    });

    it('says so when another process is at it', async () => {
      await fill();
      await whileLocked(database.knex, { lock: 'clearsessions', wait: 0 }, async () => {
        const { code, err } = await cli(['clearsessions'], environment);
        expect([code, err]).to.deep.equal([1, 'Another process is removing expired sessions from this database.\n']);
      });
      expect(await left()).to.equal(8);
    });
  });

  describe('inspect', () => {
    const codec = new SessionCodec(defineSettings({ SECRET_KEY: KEY }));
    const insert = async (key: string, session_data: string, seconds = 100_000): Promise<void> => {
      await database.knex('django_session').insert({
        session_key: key,
        session_data,
        expire_date: new Date(Date.now() + seconds * 1000),
      });
    };
    const payload = '{"_auth_user_id":"7","_auth_user_hash":"c0ffee","cart":[1.0,NaN],"name":"\\u9648"}';

    beforeEach(() => database.knex('django_session').truncate());

    it('shows row, signature and payload, but neither the key nor the auth hash', async () => {
      await insert('abcdefghijkl', codec.encode(payload));
      const { code, out } = await cli(['inspect', 'abcdefghijkl'], environment);
      expect(code).to.equal(0);
      expect(out).to.include('abcd…').and.include('in 1 day').and.include('good, by SECRET_KEY\n');
      expect(out).to.include('"_auth_user_id": "7"').and.include('"_auth_user_hash": (hidden)');
      expect(out).to.include('"cart": [1.0,NaN]').and.include('\\u9648');
      expect(out).not.to.match(/c0ffee|abcdefghijkl/);
    });

    it('takes the key from a pipe', async () => {
      await insert('abcdefghijkl', codec.encode('{}'));
      expect((await cli(['inspect', '-'], environment, 'abcdefghijkl\n')).code).to.equal(0);
    });

    it('says which fallback signed it', async () => {
      await insert('abcdefghijkl', codec.encode(payload));
      const rotated = { ...environment, SECRET_KEY: 'a newer key', SECRET_KEY_FALLBACKS: `other,${KEY}` };
      const { code, out } = await cli(['inspect', 'abcdefghijkl'], rotated);
      expect([code, out.includes('good, by SECRET_KEY_FALLBACKS[1]')]).to.deep.equal([0, true]);
    });

    it('shows nothing of a payload that no key of ours signed, and ends with 1', async () => {
      await insert('abcdefghijkl', codec.encode(payload));
      const { code, out } = await cli(['inspect', 'abcdefghijkl'], { ...environment, SECRET_KEY: 'another key' });
      expect(code).to.equal(1);
      expect(out).to.include('BAD').and.not.include('cart');
    });

    it('ends with 1 for a session that has expired, and for none', async () => {
      await insert('abcdefghijkl', codec.encode(payload), -7300);
      const expired = await cli(['inspect', 'abcdefghijkl'], environment);
      expect([expired.code, expired.out.includes('expired 2 hours ago')]).to.deep.equal([1, true]);
      const none = await cli(['inspect', 'nosuchkey'], environment);
      expect([none.code, none.out]).to.deep.equal([1, '']);
      expect(none.err).to.include('no session with this key');
    });

    it('bears rows of any text', async () => {
      for (const [index, data] of [
        '',
        ':',
        'x:y:z',
        '.e:1:2',
        codec.encode('[1]'),
        codec.encode('no json'),
      ].entries()) {
        await insert(`oddly-odd-${index}`, data);
        const { code, err } = await cli(['inspect', `oddly-odd-${index}`], environment);
        expect([0, 1]).to.include(code);
        expect(err).to.equal('');
      }
    });
  });

  it('doctor says whether logins are shared, in words or for machines, by its exit code too', async () => {
    await database.knex('django_session').truncate();
    const words = await cli(['doctor'], environment);
    const machine = await cli(['doctor', '--json', '--sample', '10'], environment);
    expect(machine.err).to.equal('');
    const { healthy } = JSON.parse(machine.out) as { healthy: boolean };
    expect([words.code, machine.code]).to.deep.equal(healthy ? [0, 0] : [1, 1]);
    expect(words.out)
      .to.include(healthy ? 'share their logins' : 'will not share logins')
      .and.not.include(KEY);
  });

  describe('without DATABASE_URL', () => {
    let folder: string;
    beforeEach(() => {
      const parent = mkdtempSync(path.join(tmpdir(), 'cli-'));
      rmSync(parent, { recursive: true });
      mkdirSync(parent, { mode: 0o755 });
      folder = path.join(parent, '.data');
    });
    afterEach(() => rmSync(path.dirname(folder), { recursive: true, force: true }));

    it('starts the embedded PostgreSQL for as long as it takes', async () => {
      const { code, out } = await cli(['migrate'], { DATA_FOLDER: folder });
      expect([code, out.includes('Applied 0001_django_session.')]).to.deep.equal([0, true]);
      expect(runningEmbeddedUrl(folder)).to.equal(undefined);
      expect(existsSync(path.join(folder, 'postgres', 'data', 'postmaster.pid'))).to.equal(false);
    });

    it('uses the one of the server that runs', async () => {
      const server = await startEmbeddedPostgres({ folder });
      try {
        expect((await cli(['migrate'], { DATA_FOLDER: folder })).code).to.equal(0);
        expect(runningEmbeddedUrl(folder)).to.equal(server.url);
      } finally {
        await server.stop();
      }
    });
  });
});
