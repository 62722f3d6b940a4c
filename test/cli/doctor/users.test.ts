/** `doctor` finds the users and sessions of a Django by itself, and says what to set. */
import { expect } from 'chai';
import { get_session_auth_hash } from '../../../server/auth/session_hash.js';
import type { Diagnosis, Finding } from '../../../server/cli/doctor/finding.js';
import { examine, inWords } from '../../../server/cli/doctor/report.js';
import { connectKnex } from '../../../server/db/knex.js';
import { migrate } from '../../../server/db/migrate.js';
import { SessionCodec } from '../../../server/session/codec.js';
import { newSessionKey } from '../../../server/session/key.js';
import { defineSettings, type Settings } from '../../../server/settings.js';
import { printJson } from '../../../server/signing/python_json.js';
import { type TestDatabase, testDatabase, UNHURRIED } from '../../support/database.js';

const BASE = '"password" varchar(128) NOT NULL, "last_login" timestamp with time zone NULL';
const BACKEND = 'django.contrib.auth.backends.ModelBackend';
const HASH = 'pbkdf2_sha256$1$salt$the-secret-of-';
const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e';
const with_ = (values: object = {}): Settings => defineSettings({ SECRET_KEY: 'the key', ...values });

describe('doctor, of users and sessions of a Django’s own', () => {
  let database: TestDatabase;
  const sql = (text: string): Promise<unknown> => Promise.resolve(database.knex.raw(text));

  beforeEach(async () => {
    database = await testDatabase();
  });
  afterEach(() => database.drop());

  /** What Django leaves when AUTH_USER_MODEL is another one. */
  const swapped = (): Promise<unknown> => sql('DROP TABLE auth_user_user_permissions, auth_user_groups, auth_user');
  const contentType = (app_label: string, model: string): Promise<unknown> =>
    Promise.resolve(database.knex('django_content_type').insert({ app_label, model }));
  const login = async (id: unknown, password: string, table = 'django_session'): Promise<void> => {
    const values = {
      _auth_user_id: id,
      _auth_user_backend: BACKEND,
      _auth_user_hash: get_session_auth_hash(password, 'the key'),
    };
    await database.knex(table).insert({
      session_key: newSessionKey(),
      session_data: new SessionCodec(with_()).encode(printJson(values)),
      expire_date: new Date(Date.now() + 60_000),
    });
  };
  const look = (values: object = {}): Promise<Diagnosis> => examine(database.knex, { settings: with_(values) });
  const found = ({ findings }: Diagnosis, check: string): Finding | undefined =>
    findings.find((finding) => finding.check === check);

  /** Finds them with the default settings, and is content with what it says. */
  async function findsAndIsContent(environment: Readonly<Record<string, string>>): Promise<void> {
    const wrong = await look();
    expect(wrong.environment).to.deep.equal(environment);
    expect(wrong.healthy).to.equal(false);
    const lines = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    expect(inWords(wrong)).to.include(`Put into the environment of this server:\n${lines.join('\n')}\n`);
    expect(JSON.stringify(wrong)).not.to.include('the-secret-of-');
    const right = await look(environment);
    expect(right.environment).to.deep.equal({});
    expect(right.findings.filter(({ level }) => level === 'problem')).to.deep.equal([]);
    expect(found(right, 'logins')?.text).to.equal('1 of 1 logged-in rows are a valid login here.');
    expect(found(right, 'hashers')?.text).to.equal('Password hashers in use: pbkdf2_sha256 1.');
  }

  it('finds a model by its content type, and the field that users log in with', async () => {
    await swapped();
    await sql(`CREATE TABLE accounts_user (${BASE}, id uuid PRIMARY KEY, email varchar(254) NOT NULL UNIQUE)`);
    await contentType('accounts', 'user');
    await sql(`INSERT INTO accounts_user (password, id, email) VALUES ('${HASH}ann', '${UUID}', 'ann@example.com')`);
    await login(UUID, `${HASH}ann`);
    await findsAndIsContent({ AUTH_USER_MODEL: 'accounts.user', USERNAME_FIELD: 'email' });
  });

  it('finds a model whose table is not called after it, with a name that means something to knex', async () => {
    await swapped();
    await sql(
      `CREATE TABLE "People" (${BASE}, "id\\?" bigint PRIMARY KEY, is_active boolean NOT NULL, nick varchar(30) UNIQUE)`,
    );
    await contentType('members', 'member');
    await contentType('shop', 'left_behind');
    await sql("INSERT INTO django_migrations (app, name, applied) VALUES ('members', '0001_initial', now())");
    await sql(`INSERT INTO "People" VALUES ('${HASH}ann', NULL, 9007199254740993, true, 'ann')`);
    await login('9007199254740993', `${HASH}ann`);
    await findsAndIsContent({ AUTH_USER_MODEL: 'members.member', AUTH_USER_TABLE: 'People', USERNAME_FIELD: 'nick' });
  });

  it('believes the sessions where there are two tables of users', async () => {
    await sql(`INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
      date_joined) VALUES ('${HASH}old', false, 'ann', '', '', '', false, true, now())`);
    await sql(`CREATE TABLE accounts_user (${BASE}, id integer PRIMARY KEY, username varchar(150) UNIQUE)`);
    await contentType('accounts', 'user');
    await sql(`INSERT INTO accounts_user VALUES ('${HASH}ann', NULL, 1, 'ann')`);
    await login('1', `${HASH}ann`);
    await findsAndIsContent({ AUTH_USER_MODEL: 'accounts.user' });
    // The other way round: nothing is amiss while no session speaks against the settings.
    await database.knex('django_session').delete();
    expect((await look()).environment).to.deep.equal({});
  });

  it('says what the settings lack where it cannot tell', async () => {
    await swapped();
    await sql(`CREATE TABLE accounts_user ("secret" varchar(128), "last_login" timestamptz, id integer PRIMARY KEY)`);
    const diagnosis = await look({ AUTH_USER_MODEL: 'accounts.User' });
    expect(diagnosis.environment).to.deep.equal({});
    expect(found(diagnosis, 'users')).to.include({ level: 'problem' });
    expect(found(diagnosis, 'users')?.text).to.match(/accounts_user has no column password\..*AUTH_USER_COLUMNS/);
  });

  it('survives ids that are none', async () => {
    for (const id of ['abc', '', '1\0', '9'.repeat(40), UUID, -1, 1e300, null, []]) await login(id, 'x');
    expect(found(await look(), 'logins')?.text).to.match(/^0 of \d logged-in rows/);
  });

  it('finds the table of sessions of another name by its shape, where that has the rows', async () => {
    await sql('ALTER TABLE django_session RENAME TO mysite_customsession');
    await sql('ALTER TABLE mysite_customsession ADD account_id integer');
    await sql(`INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff,
      is_active, date_joined) VALUES (7, '${HASH}ann', false, 'ann', '', '', '', false, true, now())`);
    await login('7', `${HASH}ann`, 'mysite_customsession');
    await findsAndIsContent({ SESSION_TABLE: 'mysite_customsession' });
    await sql(`CREATE TABLE django_session (LIKE mysite_customsession INCLUDING ALL)`);
    await findsAndIsContent({ SESSION_TABLE: 'mysite_customsession' });
    await login('7', `${HASH}ann`);
    expect((await look()).environment).to.deep.equal({});
  });

  it('says when no row can be added to the table', async () => {
    await sql('ALTER TABLE django_session ADD tenant integer NOT NULL');
    expect(found(await look(), 'table')).to.include({ level: 'problem' });
    expect(found(await look(), 'table')?.text).to.match(/tenant is NOT NULL and has no default/);
  });

  /** What Django's migrate leaves behind when it has come to its end. */
  const djangoMigrated = async (...models: readonly string[]): Promise<void> => {
    for (const name of ['auth.group', 'auth.permission', 'sessions.session', ...models]) {
      const [app_label = '', model = ''] = name.split('.');
      await contentType(app_label, model);
      await database.knex('django_migrations').insert({ app: app_label, name: '0001_initial', applied: new Date() });
    }
  };
  const ofUsers = (diagnosis: Diagnosis): readonly string[] =>
    diagnosis.findings
      .filter(({ check }) => check === 'users')
      .map(({ level, text, advice = '' }) => `${level} ${text} ${advice}`);
  const emailUsers = (name: string): Promise<unknown> =>
    sql(`CREATE TABLE ${name} (${BASE}, id bigint PRIMARY KEY, email varchar(254) NOT NULL UNIQUE, is_active boolean)`);

  describe('before the first login', () => {
    it('finds that content types know another user model, though there is a table auth_user', async () => {
      await emailUsers('accounts_user');
      await djangoMigrated('accounts.user');
      const wrong = await look();
      expect(wrong.healthy).to.equal(false);
      expect(found(wrong, 'users')?.text).to.include("which Django's content types do not know");
      expect(wrong.environment).to.deep.equal({ AUTH_USER_MODEL: 'accounts.user', USERNAME_FIELD: 'email' });
      expect((await look(wrong.environment)).healthy).to.equal(true);
    });

    it('finds whom the admin’s log is about, where content types know both', async () => {
      await emailUsers('accounts_user');
      await djangoMigrated('accounts.user', 'auth.user');
      const either = await look();
      expect(either.healthy).to.equal(true);
      expect(ofUsers(either).join()).to.match(
        /^warning There are other tables of users, accounts_user, .*Log in at Django once/,
      );
      await sql('CREATE TABLE django_admin_log (user_id bigint REFERENCES accounts_user (id))');
      const { environment } = await look();
      expect(environment).to.deep.equal({ AUTH_USER_MODEL: 'accounts.user', USERNAME_FIELD: 'email' });
      expect(ofUsers(await look(environment))).to.deep.equal([]);
    });

    it('finds a user model of the site’s own that goes on using the table auth_user', async () => {
      await djangoMigrated('accounts.user');
      const { environment, healthy } = await look();
      expect(environment).to.deep.equal({ AUTH_USER_MODEL: 'accounts.user', AUTH_USER_TABLE: 'auth_user' });
      expect(healthy).to.equal(true);
      expect((await look(environment)).findings.filter(({ level }) => level === 'warning')).to.deep.equal([]);
    });

    it('finds a session model of the site’s own', async () => {
      await sql('CREATE TABLE mysite_customsession (LIKE django_session INCLUDING ALL, account_id integer)');
      const wrong = await look();
      expect(wrong.environment).to.deep.equal({ SESSION_TABLE: 'mysite_customsession' });
      expect(found(wrong, 'table')).to.include({ level: 'problem' });
      expect(found(wrong, 'table')?.text).to.match(/has a session model of its own .* neither has a row yet/);
      expect((await look(wrong.environment)).healthy).to.equal(true);
      await sql('ALTER TABLE mysite_customsession RENAME TO "Web.Sessions"');
      expect((await look()).environment).to.deep.equal({ SESSION_TABLE: '"Web.Sessions"' });
      expect((await look({ SESSION_TABLE: '"Web.Sessions"' })).healthy).to.equal(true);
    });
  });

  it('reads no table that its database user may not read', async () => {
    await sql('CREATE SCHEMA secret');
    await sql(`CREATE TABLE secret.accounts_user (${BASE}, id integer PRIMARY KEY)`);
    await sql('CREATE TABLE secret.sessions (LIKE django_session INCLUDING ALL)');
    await sql('CREATE SCHEMA hidden');
    await sql('CREATE TABLE hidden.django_migrations (id integer)');
    await sql(`CREATE TABLE accounts_user (${BASE}, id integer PRIMARY KEY, nick varchar(9) UNIQUE)`);
    const role = `reader_${process.pid}`;
    await sql(`CREATE ROLE ${role}`);
    await sql(`GRANT SELECT ON django_session, auth_user TO ${role}`);
    try {
      await database.knex.transaction(async (trx) => {
        await trx.raw(`SET LOCAL ROLE ${role}`);
        const { findings } = await examine(trx, { settings: with_() });
        expect(findings.filter(({ level }) => level === 'problem')).to.deep.equal([]);
      });
    } finally {
      await sql(`DROP OWNED BY ${role}`);
      await sql(`DROP ROLE ${role}`);
    }
  });

  it('prefers live sessions to those that have ended', async () => {
    await sql('CREATE TABLE mysite_customsession (LIKE django_session INCLUDING ALL)');
    await login('7', 'x');
    await database.knex('django_session').update({ expire_date: new Date(0) });
    expect((await look()).environment).to.deep.equal({});
    await login('7', 'x', 'mysite_customsession');
    expect((await look()).environment).to.deep.equal({ SESSION_TABLE: 'mysite_customsession' });
  });

  describe('of a model that inherits from another', () => {
    beforeEach(async () => {
      await swapped();
      await emailUsers('people_person');
      await sql(
        'CREATE TABLE shop_customer (person_ptr_id bigint PRIMARY KEY REFERENCES people_person (id), points integer)',
      );
      // A row for each user is no model that inherits.
      await sql('CREATE TABLE shop_profile (user_id bigint PRIMARY KEY REFERENCES people_person (id))');
      await djangoMigrated('people.person', 'shop.customer', 'shop.profile');
    });

    it('says that it cannot tell parent from child, and what it knows', async () => {
      const wrong = await look();
      expect(wrong.environment).to.deep.equal({ USERNAME_FIELD: 'email' });
      expect(ofUsers(wrong).join()).to.match(
        /set AUTH_USER_MODEL=people\.person or AUTH_USER_MODEL=shop\.customer, as Django's settings say/,
      );
      for (const AUTH_USER_MODEL of ['people.Person', 'shop.Customer']) {
        const told = await look({ AUTH_USER_MODEL, USERNAME_FIELD: 'email' });
        expect([told.healthy, ofUsers(told)]).to.deep.equal([true, []]);
      }
    });

    it('finds the child by the admin’s log, and reads both tables', async () => {
      await sql('CREATE TABLE django_admin_log (user_id bigint REFERENCES shop_customer (person_ptr_id))');
      await sql(`INSERT INTO people_person VALUES ('${HASH}ann', NULL, 7, 'ann@example.com', true)`);
      await sql('INSERT INTO shop_customer VALUES (7, 3)');
      await login('7', `${HASH}ann`);
      await findsAndIsContent({ AUTH_USER_MODEL: 'shop.customer', USERNAME_FIELD: 'email' });
    });

    it('finds the parent where somebody has logged in who is none of the children', async () => {
      await sql(`INSERT INTO people_person VALUES ('${HASH}ann', now(), 7, 'ann@example.com', true)`);
      expect((await look()).environment).to.deep.equal({ AUTH_USER_MODEL: 'people.person', USERNAME_FIELD: 'email' });
    });

    it('finds the child where only that has something to log in with', async () => {
      await sql('ALTER TABLE people_person DROP email');
      await sql('ALTER TABLE shop_customer ADD nick varchar(30) NOT NULL UNIQUE');
      expect((await look()).environment).to.deep.equal({ AUTH_USER_MODEL: 'shop.customer', USERNAME_FIELD: 'nick' });
    });
  });

  it('is content with Django’s own users where a model inherits from them', async () => {
    await sql('CREATE TABLE shop_customer (user_ptr_id integer PRIMARY KEY REFERENCES auth_user (id))');
    await djangoMigrated('auth.user', 'shop.customer');
    const diagnosis = await look();
    expect([diagnosis.healthy, diagnosis.environment, ofUsers(diagnosis)]).to.deep.equal([true, {}, []]);
  });

  describe('of columns that are not called as their fields', () => {
    beforeEach(swapped);

    it('finds those of AbstractBaseUser and of the email, and a table with a dot', async () => {
      await sql(`CREATE TABLE "Some.Table" (pwd varchar(128) NOT NULL, seen_at timestamptz, code text PRIMARY KEY,
        "Login Name" varchar(40) NOT NULL UNIQUE, mail_address varchar(254) NOT NULL)`);
      await djangoMigrated('crm.person');
      await sql(`INSERT INTO "Some.Table" VALUES ('${HASH}ann', NULL, 'x y', 'ann', 'ann@example.com')`);
      await login('x y', `${HASH}ann`);
      const { environment } = await look();
      expect(environment).to.deep.equal({
        AUTH_USER_MODEL: 'crm.person',
        AUTH_USER_TABLE: '"Some.Table"',
        USERNAME_FIELD: 'Login_Name',
        AUTH_USER_COLUMNS: '{"password":"pwd","last_login":"seen_at","email":"mail_address","Login_Name":"Login Name"}',
      });
      expect(inWords(await look())).to.include(`\nAUTH_USER_TABLE='"Some.Table"'\n`);
      const right = await look(environment);
      expect([right.healthy, right.environment]).to.deep.equal([true, {}]);
      expect(found(right, 'logins')?.text).to.equal('1 of 1 logged-in rows are a valid login here.');
    });

    it('calls the field email where users log in with such a column', async () => {
      await sql(
        `CREATE TABLE accounts_user (${BASE}, id integer PRIMARY KEY, email_address varchar(254) NOT NULL UNIQUE)`,
      );
      await djangoMigrated('accounts.user');
      const environment = {
        AUTH_USER_MODEL: 'accounts.user',
        USERNAME_FIELD: 'email',
        AUTH_USER_COLUMNS: '{"email":"email_address"}',
      };
      expect((await look()).environment).to.deep.equal(environment);
      expect((await look(environment)).environment).to.deep.equal({});
      // Settings that fit, but for the email: a warning.
      const own = { AUTH_USER_MODEL: 'accounts.user', USERNAME_FIELD: 'email_address' };
      const warned = await look(own);
      expect([warned.healthy, warned.environment]).to.deep.equal([true, { EMAIL_FIELD: 'email_address' }]);
      expect((await look({ ...own, ...warned.environment })).environment).to.deep.equal({});
    });

    it('says what it knows, and the columns that users may log in with', async () => {
      await sql(`CREATE TABLE accounts_user (${BASE}, id integer PRIMARY KEY, nick varchar(40) NOT NULL, phone varchar(20) NOT NULL,
        enabled boolean NOT NULL)`);
      await sql('CREATE UNIQUE INDEX ON accounts_user (lower(nick))');
      await djangoMigrated('accounts.user');
      const diagnosis = await look();
      expect(diagnosis.environment).to.deep.equal({ AUTH_USER_MODEL: 'accounts.user' });
      expect(found(diagnosis, 'username')).to.include({ level: 'problem' });
      expect(found(diagnosis, 'username')?.advice).to.match(/columns nick, phone\.$/);
      expect(found(diagnosis, 'is_active')?.advice).to.include(`AUTH_USER_COLUMNS='{"is_active":"enabled"}'`);
      const own = { ...diagnosis.environment, USERNAME_FIELD: 'nick', AUTH_USER_COLUMNS: '{"is_active":"enabled"}' };
      expect((await look(own)).findings.filter(({ level }) => level !== 'ok').map(({ check }) => check)).to.deep.equal([
        'signatures',
      ]);
    });

    it('names other columns that are as unique as the one that it takes', async () => {
      await sql(`CREATE TABLE accounts_user (${BASE}, id integer PRIMARY KEY, username varchar(150) NOT NULL UNIQUE,
        email varchar(254) NOT NULL UNIQUE)`);
      await djangoMigrated('accounts.user');
      const diagnosis = await look();
      expect(diagnosis.environment).to.deep.equal({ AUTH_USER_MODEL: 'accounts.user' });
      expect(found(diagnosis, 'username')).to.include({ level: 'note' });
      expect(found(diagnosis, 'username')?.text).to.match(/username, email\.$/);
    });
  });

  it('names every model that the database does not tell from another', async () => {
    await swapped();
    await sql(`CREATE TABLE people (${BASE}, id integer PRIMARY KEY, nick varchar(30) UNIQUE)`);
    await djangoMigrated('crm.person', 'crm.proxy');
    const diagnosis = await look();
    expect(diagnosis.environment).to.deep.equal({ USERNAME_FIELD: 'nick' });
    expect(ofUsers(diagnosis).join()).to.match(
      /AUTH_USER_MODEL=crm\.person AUTH_USER_TABLE=people or AUTH_USER_MODEL=crm\.proxy AUTH_USER_TABLE=people/,
    );
    // The table between users and groups names the model.
    await sql('CREATE TABLE people_groups (id integer, person_id integer, group_id integer)');
    expect((await look()).environment).to.include({ AUTH_USER_MODEL: 'crm.person', AUTH_USER_TABLE: 'people' });
  });

  describe('in a schema that is not on the search_path', () => {
    const elsewhere = async (schema: string): Promise<void> => {
      await swapped();
      await emailUsers('accounts_user');
      await djangoMigrated('accounts.user');
      await sql(`INSERT INTO accounts_user VALUES ('${HASH}ann', NULL, 7, 'ann@example.com', true)`);
      await login('7', `${HASH}ann`);
      await database.knex.raw('ALTER SCHEMA public RENAME TO ??', [schema]);
      await sql('CREATE SCHEMA public');
    };

    for (const [schema, option, query] of [
      ['site', '-csearch_path=site', '-csearch_path%3Dsite'],
      ['My site', '-csearch_path="My\\ site"', '-csearch_path%3D%22My%5C%20site%22'],
    ] as const) {
      it(`finds the Django of schema ${schema}, and says how to get there`, async () => {
        await elsewhere(schema);
        const wrong = await look();
        expect(wrong.environment).to.deep.equal({
          PGOPTIONS: option,
          AUTH_USER_MODEL: 'accounts.user',
          USERNAME_FIELD: 'email',
        });
        expect(found(wrong, 'search_path')?.advice).to.include(`?options=${query} at the end of DATABASE_URL`);
        expect(found(wrong, 'logins')?.text).to.equal('1 of 1 logged-in rows are a valid login here.');
        const knex = connectKnex(`${database.url}?options=${query}`, UNHURRIED);
        try {
          const { PGOPTIONS, ...values } = wrong.environment;
          const right = await examine(knex, { settings: with_(values) });
          expect([right.healthy, right.environment]).to.deep.equal([true, {}]);
        } finally {
          await knex.destroy();
        }
      });
    }

    it('is not misled by tables of our own making on the search_path', async () => {
      await elsewhere('site');
      await migrate(database.knex);
      expect((await look()).environment).to.include({
        PGOPTIONS: '-csearch_path=site',
        AUTH_USER_MODEL: 'accounts.user',
      });
      await database.knex.raw('DELETE FROM site.django_session');
      expect((await look()).environment).to.include({
        PGOPTIONS: '-csearch_path=site',
        AUTH_USER_MODEL: 'accounts.user',
      });
    });

    it('stays with the Django of the search_path where that signs with our key, or has migrated too', async () => {
      await elsewhere('other');
      await migrate(database.knex);
      await djangoMigrated('auth.user');
      await login('1', 'x');
      expect((await look()).environment).to.deep.equal({});
      await database.knex('django_session').delete();
      await database.knex.raw('DELETE FROM other.django_session');
      expect((await look()).environment).to.deep.equal({});
    });
  });
});
