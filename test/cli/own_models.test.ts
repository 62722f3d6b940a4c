/** The command line beside a Django with users and sessions of its own. */
import { expect } from 'chai';
import { check_password } from '../../server/auth/hashers.js';
import { SessionCodec } from '../../server/session/codec.js';
import { newSessionKey } from '../../server/session/key.js';
import { defineSettings } from '../../server/settings.js';
import { databaseOfSuite, emptyDatabase } from '../support/database.js';
import { cli, KEY } from './command.js';

const MODEL = { AUTH_USER_MODEL: 'accounts.User', USERNAME_FIELD: 'email' };

describe('koa-django-session, with models of one’s own', function () {
  this.timeout(60_000);
  const database = databaseOfSuite();
  let environment: NodeJS.ProcessEnv;

  before(async () => {
    environment = { DATABASE_URL: database.url, SESSION_TABLE: 'mysite_session', ...MODEL };
    await database.knex.raw('DROP TABLE auth_user_user_permissions, auth_user_groups, auth_user');
    await database.knex.raw(`CREATE TABLE accounts_user (password varchar(128) NOT NULL, last_login timestamptz,
      id uuid PRIMARY KEY, email varchar(254) NOT NULL UNIQUE, is_superuser boolean NOT NULL)`);
    await database.knex.raw('CREATE TABLE mysite_session (LIKE django_session INCLUDING ALL, account_id integer)');
  });

  describe('createuser', () => {
    it('asks for the field that users log in with, and makes the key as Django does', async () => {
      const { code, out, err } = await cli(
        ['createuser', '--superuser'],
        environment,
        'Ann@EXAMPLE.com\nlong enough\n',
      );
      expect([code, err]).to.deep.equal([0, '']);
      expect(out).to.match(/^Added superuser Ann@example\.com \(id [0-9a-f-]{36}\)\.\n$/);
      const made = await database.knex('accounts_user').first();
      expect(made).to.include({ email: 'Ann@example.com', is_superuser: true });
      expect(await check_password('long enough', made.password)).to.equal(true);
    });

    it('calls it by its name when it is missing, empty or taken', async () => {
      expect((await cli(['createuser'], environment)).err).to.include('The input ended before the email.');
      expect((await cli(['createuser', '--username', ' '], environment)).err).to.include(
        'The email must not be empty.',
      );
      const { code, err } = await cli(['createuser', '--username', 'Ann@example.com'], environment, 'long enough\n');
      expect([code, err]).to.deep.equal([1, 'A user with that email already exists.\n']);
    });

    it('says which field is missing when the model wants one that nobody gives', async () => {
      await database.knex.raw('ALTER TABLE accounts_user ADD company varchar(50)');
      await database.knex.raw("UPDATE accounts_user SET company = ''");
      await database.knex.raw('ALTER TABLE accounts_user ALTER company SET NOT NULL');
      const { code, err } = await cli(['createuser', '--username', 'bob@example.com'], environment, 'long enough\n');
      expect([code, err]).to.deep.equal([
        1,
        'accounts.User requires a value for company, and this command has no option for it. Create this user in Django, or give the column a default in the database.\n',
      ]);
      await database.knex.raw('ALTER TABLE accounts_user DROP company');
    });

    it('says what to set when the model is not the one of the database', async () => {
      const { code, err } = await cli(
        ['createuser', '--username', 'x'],
        { DATABASE_URL: database.url },
        'long enough\n',
      );
      expect(code).to.equal(1);
      expect(err).to.match(
        /^AUTH_USER_MODEL is auth\.User, but there is no table auth_user.*AUTH_USER_TABLE=accounts_user/,
      );
    });
  });

  it('doctor exits with 1 when no login of the newest rows is valid', async () => {
    const members = {
      _auth_user_id: 'gone',
      _auth_user_backend: 'django.contrib.auth.backends.ModelBackend',
      _auth_user_hash: 'x',
    };
    await database.knex('mysite_session').insert({
      session_key: newSessionKey(),
      session_data: new SessionCodec(defineSettings({ SECRET_KEY: KEY })).encode(JSON.stringify(members)),
      expire_date: new Date(Date.now() + 60_000),
    });
    const { code, out, err } = await cli(['doctor'], environment);
    expect([code, err]).to.deep.equal([1, '']);
    expect(out).to.match(/^PROBLEM 0 of 1 logged-in rows are a valid login here\.$/m);
    expect(out).to.match(/will not share logins until the problems above are solved\.\n$/);
    await database.knex('mysite_session').delete();
  });

  it('inspect and clearsessions look into SESSION_TABLE', async () => {
    const codec = new SessionCodec(defineSettings({ SECRET_KEY: KEY }));
    const [live, dead] = [newSessionKey(), newSessionKey()];
    for (const [session_key, seconds] of [
      [live, 60],
      [dead, -60],
    ] as const) {
      await database.knex('mysite_session').insert({
        session_key,
        session_data: codec.encode('{"a":1}'),
        expire_date: new Date(Date.now() + seconds * 1000),
      });
    }
    const shown = await cli(['inspect', live], environment);
    expect([shown.code, shown.err]).to.deep.equal([0, '']);
    expect(shown.out).to.include('"a": 1');
    expect((await cli(['clearsessions', '--dry-run'], environment)).out).to.match(/^1 expired session\./);
    expect((await cli(['clearsessions'], environment)).out).to.equal('Removed 1 expired session.\n');
    expect(await database.knex('mysite_session').pluck('session_key')).to.deep.equal([live]);
  });

  it('migrate says that Django has to begin where it has not', async () => {
    const empty = await emptyDatabase();
    try {
      const { code, err } = await cli(['migrate'], { DATABASE_URL: empty.url, ...MODEL });
      expect([code, err]).to.deep.equal([
        1,
        'AUTH_USER_MODEL is accounts.User, whose tables only Django can make. Run Django\'s "migrate" on this database first, then this one.\n',
      ]);
    } finally {
      await empty.drop();
    }
  });

  it('doctor’s lines for a schema that is not on the search_path are what the server needs, and migrate says so too', async () => {
    await database.knex.raw('ALTER SCHEMA public RENAME TO site');
    await database.knex.raw('CREATE SCHEMA public');
    try {
      const refused = await cli(['migrate'], environment);
      expect([refused.code, refused.out]).to.deep.equal([1, '']);
      expect(refused.err).to.include(
        'the one of schema site, put that on the search_path, with ?options=-csearch_path%3Dsite',
      );
      const found = await cli(['doctor', '--json'], { DATABASE_URL: database.url });
      const lines = (JSON.parse(found.out) as { environment: Record<string, string> }).environment;
      expect(lines).to.include({ PGOPTIONS: '-csearch_path=site' });
      const content = await cli(['doctor'], { DATABASE_URL: database.url, ...environment, ...lines });
      expect([content.code, content.err]).to.deep.equal([0, '']);
    } finally {
      await database.knex.raw('DROP SCHEMA public');
      await database.knex.raw('ALTER SCHEMA site RENAME TO public');
    }
  });
});
