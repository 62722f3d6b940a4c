/** `doctor` finds the users and sessions of a Django by itself, and says what to set. */
import { expect } from 'chai';
import { get_session_auth_hash } from '../../server/auth/session_hash.js';
import type { Diagnosis, Finding } from '../../server/cli/doctor/diagnose.js';
import { examine, inWords } from '../../server/cli/doctor/report.js';
import { SessionCodec } from '../../server/session/codec.js';
import { new_session_key } from '../../server/session/key.js';
import { defineSettings, type Settings } from '../../server/settings.js';
import { print_json } from '../../server/signing/python_json.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

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
      session_key: new_session_key(),
      session_data: new SessionCodec(with_()).encode(print_json(values)),
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
});
