import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { connectKnex } from '../../server/db/knex.js';
import { migrate, migrationStatus, rollback } from '../../server/db/migrate.js';
import { MIGRATIONS_TABLE } from '../../server/db/migrations.js';
import { SchemaMismatch } from '../../server/errors.js';
import { emptyDatabase, type TestDatabase, UNHURRIED } from '../support/database.js';
import { reasonOf } from '../support/reason.js';
import { type Schema, schemaOf } from './django_schema.js';

const DJANGO_6_0 = JSON.parse(readFileSync(new URL('./django_schema.json', import.meta.url), 'utf8')) as Schema;

const AUTH_TABLES = [
  'auth_user_user_permissions',
  'auth_user_groups',
  'auth_group_permissions',
  'auth_permission',
  'auth_group',
  'auth_user',
];

describe('the migrations of Django’s tables', () => {
  let database: TestDatabase;
  let knex: Knex;

  beforeEach(async () => {
    database = await emptyDatabase();
    knex = database.knex;
  });
  afterEach(() => database.drop());

  const tables = async (): Promise<string[]> =>
    knex('pg_tables').where({ schemaname: 'public' }).orderBy('tablename').pluck<string[]>('tablename');
  const history = async (): Promise<string[]> => {
    const rows = await knex('django_migrations').orderBy('id').select<{ app: string; name: string }[]>('app', 'name');
    return rows.map(({ app, name }) => `${app}.${name}`);
  };
  /** Leave what Django would have made, and nothing that knows of us. */
  const asDjango = async (): Promise<void> => {
    await migrate(knex);
    const ours = (await tables()).filter((name) => name.startsWith('koa_'));
    await knex.raw(`DROP TABLE ${ours.map(() => '??').join(', ')}`, ours);
  };
  const refusal = async (work: Promise<unknown>): Promise<string> => {
    const error = await reasonOf(work);
    expect(error).to.be.instanceOf(SchemaMismatch);
    return (error as Error).message;
  };

  describe('where ours come first', () => {
    it('with a user model of Django’s own: say that Django has to migrate first, and change nothing', async () => {
      for (const AUTH_USER_MODEL of ['accounts.User', 'auth.Member']) {
        expect(await refusal(migrate(knex, { AUTH_USER_MODEL }))).to.equal(
          `AUTH_USER_MODEL is ${AUTH_USER_MODEL}, whose tables only Django can make. Run Django's "migrate" on this database first, then this one.`,
        );
        expect((await tables()).filter((name) => !name.startsWith(MIGRATIONS_TABLE))).to.deep.equal([]);
      }
    });

    it('make Django’s users where the model is named by its default', async () => {
      await migrate(knex, { AUTH_USER_MODEL: 'auth.User' });
      expect(await schemaOf(knex)).to.deep.equal(DJANGO_6_0);
    });

    it('make exactly what Django makes', async () => {
      await migrate(knex);
      expect(await schemaOf(knex)).to.deep.equal(DJANGO_6_0);
    });

    it('write the history that lets Django’s migrate pass', async () => {
      await migrate(knex);
      const written = await history();
      expect(written).to.have.length(15);
      expect(written[0]).to.equal('sessions.0001_initial');
      expect(written.slice(1, 4)).to.deep.equal([
        'contenttypes.0001_initial',
        'contenttypes.0002_remove_content_type_name',
        'auth.0001_initial',
      ]);
      expect(written.at(-1)).to.equal('auth.0012_alter_user_first_name_max_length');
    });

    it('are undone without a trace, and can be done again', async () => {
      const names = await migrate(knex);
      expect(await rollback(knex, { all: true, dropRows: true })).to.deep.equal([...names].reverse());
      expect(await tables()).to.deep.equal([MIGRATIONS_TABLE, `${MIGRATIONS_TABLE}_lock`]);
      expect(await migrate(knex)).to.deep.equal(names);
      expect(await schemaOf(knex)).to.deep.equal(DJANGO_6_0);
    });

    it('are not undone once Django has built on them: the message says where', async () => {
      await migrate(knex);
      await knex.raw('CREATE TABLE django_admin_log (id int, user_id integer NOT NULL REFERENCES auth_user (id))');
      const before = await tables();
      const { applied } = await migrationStatus(knex);
      const undone = rollback(knex, { all: true, dropRows: true });
      expect(await refusal(undone)).to.match(/django_admin_log refers to auth_user/);
      expect(await tables()).to.deep.equal(before);
      expect((await migrationStatus(knex)).applied).to.deep.equal(applied);
    });
  });

  describe('where Django came first', () => {
    it('take its tables as they are, with what is in them', async () => {
      await asDjango();
      await knex('django_session').insert({ session_key: 'k', session_data: 'd', expire_date: new Date(0) });
      const [schema, written] = [await schemaOf(knex), await history()];
      expect((await migrate(knex)).length).to.be.greaterThan(0);
      expect(await schemaOf(knex)).to.deep.equal(schema);
      expect(await history()).to.deep.equal(written);
      expect(await knex('django_session').pluck('session_key')).to.deep.equal(['k']);
    });

    it('never drop them, nor their history', async () => {
      await asDjango();
      const [schema, written] = [await schemaOf(knex), await history()];
      await migrate(knex);
      await rollback(knex, { all: true, dropRows: true });
      expect(await schemaOf(knex)).to.deep.equal(schema);
      expect(await history()).to.deep.equal(written);
      expect((await tables()).filter((name) => name.startsWith('koa_'))).to.deep.equal([
        MIGRATIONS_TABLE,
        `${MIGRATIONS_TABLE}_lock`,
      ]);
    });

    it('with sessions alone: add users and their history, and undo that alone', async () => {
      await asDjango();
      await knex.raw(`DROP TABLE ${[...AUTH_TABLES, 'django_content_type'].join(', ')}`);
      await knex('django_migrations').whereNot({ app: 'sessions' }).del();
      await migrate(knex);
      expect(await schemaOf(knex)).to.deep.equal(DJANGO_6_0);
      expect(await history()).to.have.length(15);
      await rollback(knex, { all: true, dropRows: true });
      expect(await history()).to.deep.equal(['sessions.0001_initial']);
      expect(await tables())
        .to.include('django_session')
        .and.not.include('auth_user');
    });

    it('with content types but without users: add the users', async () => {
      await asDjango();
      await knex.raw(`DROP TABLE ${AUTH_TABLES.join(', ')}`);
      await knex('django_migrations').where({ app: 'auth' }).del();
      await migrate(knex);
      expect(await schemaOf(knex)).to.deep.equal(DJANGO_6_0);
    });

    describe('with a user model of its own', () => {
      const asDjangoOfItsOwn = async (): Promise<void> => {
        await asDjango();
        await knex.raw('DROP TABLE auth_user_user_permissions, auth_user_groups, auth_user');
      };

      for (const [what, options] of [
        ['', { AUTH_USER_MODEL: 'accounts.User' }],
        [', also where AUTH_USER_MODEL is not told', {}],
      ] as const) {
        it(`leave users alone and go on${what}`, async () => {
          await asDjangoOfItsOwn();
          const [schema, written] = [await schemaOf(knex), await history()];
          expect(await migrate(knex, options)).to.include.members(['0002_auth_user', '0004_login_attempts']);
          await rollback(knex, { all: true, dropRows: true });
          expect(await schemaOf(knex)).to.deep.equal(schema);
          expect(await history()).to.deep.equal(written);
        });
      }

      it('leave a model alone that took over the table auth_user with columns of its own', async () => {
        await asDjango();
        await knex.raw('ALTER TABLE auth_user ADD tenant int NOT NULL');
        const schema = await schemaOf(knex);
        await migrate(knex, { AUTH_USER_MODEL: 'accounts.User' });
        expect(await schemaOf(knex)).to.deep.equal(schema);
      });

      it('say that a table of auth is missing when it is not the users alone', async () => {
        await asDjangoOfItsOwn();
        await knex.raw('DROP TABLE auth_group_permissions');
        expect(await refusal(migrate(knex))).to.match(
          /Django has run its migration auth.0001_initial, but there is no/,
        );
      });
    });
  });

  describe('where a table has another shape', () => {
    const cases: readonly (readonly [string, string, RegExp])[] = [
      [
        'a type',
        'ALTER TABLE django_session ALTER session_data TYPE bytea USING NULL',
        /django_session\.session_data is bytea.*text/,
      ],
      [
        'a length',
        'ALTER TABLE django_session ALTER session_key TYPE varchar(32)',
        /django_session\.session_key is character varying\(32\)/,
      ],
      [
        'a time without zone',
        'ALTER TABLE django_session ALTER expire_date TYPE timestamp',
        /django_session\.expire_date is timestamp without/,
      ],
      [
        'a column that may be NULL',
        'ALTER TABLE django_session ALTER expire_date DROP NOT NULL',
        /django_session\.expire_date may be NULL/,
      ],
      [
        'a column that must not be NULL',
        'ALTER TABLE auth_user ALTER last_login SET NOT NULL',
        /auth_user\.last_login is NOT NULL/,
      ],
      ['no such column', 'ALTER TABLE auth_user DROP is_staff', /auth_user exists, but has no column is_staff/],
      [
        'a further column that an INSERT must fill',
        'ALTER TABLE auth_user ADD tenant int NOT NULL',
        /auth_user\.tenant is NOT NULL, has no default/,
      ],
      [
        'keys that may repeat',
        'ALTER TABLE django_session DROP CONSTRAINT django_session_pkey',
        /django_session\.session_key is not unique/,
      ],
      [
        'names that may repeat',
        'ALTER TABLE auth_user DROP CONSTRAINT auth_user_username_key',
        /auth_user\.username is not unique/,
      ],
      ['ids that nobody counts', 'ALTER TABLE auth_user ALTER id DROP IDENTITY', /auth_user\.id does not count/],
      [
        'a table missing beside it',
        'DROP TABLE auth_user_groups; DELETE FROM django_migrations',
        /auth_user_groups does not/,
      ],
    ];
    for (const [what, change, message] of cases) {
      it(`(${what}) refuse, name table and column, and change nothing`, async () => {
        await asDjango();
        await knex.raw(change);
        const before = await tables();
        expect(await refusal(migrate(knex)))
          .to.match(message)
          .and.match(/DATABASE_URL/);
        expect((await tables()).filter((name) => !name.startsWith(MIGRATIONS_TABLE))).to.deep.equal(before);
      });
    }

    for (const [what, change] of [
      [
        'further columns that an INSERT may leave out',
        'ALTER TABLE auth_user ADD phone text, ADD tenant int NOT NULL DEFAULT 1',
      ],
      ['ids of the other width', 'ALTER TABLE auth_user_groups ALTER id TYPE integer'],
      ['the lengths of an older Django', 'ALTER TABLE auth_user ALTER first_name TYPE varchar(30)'],
      [
        'ids that are a serial, as before Django 4.1',
        `ALTER TABLE auth_user ALTER id DROP IDENTITY; CREATE SEQUENCE s; ALTER TABLE auth_user ALTER id SET DEFAULT nextval('s')`,
      ],
      ['no index on expire_date', 'DROP INDEX django_session_expire_date_a5c62663'],
    ] as const) {
      it(`(${what}) go on`, async () => {
        await asDjango();
        await knex.raw(change);
        expect((await migrate(knex)).length).to.be.greaterThan(0);
      });
    }
  });

  it('of several first starts at once run once', async () => {
    const starts = [1, 2, 3, 4].map(() => connectKnex(database.url, UNHURRIED));
    const ran = await Promise.all(starts.map((start) => migrate(start)));
    await Promise.all(starts.map((start) => start.destroy()));
    expect(ran.map((names) => names.length).sort()).to.deep.equal([0, 0, 0, 5]);
    expect(await schemaOf(knex)).to.deep.equal(DJANGO_6_0);
  });

  it('run over a pool that has one connection', async () => {
    const narrow = connectKnex(database.url, { ...UNHURRIED, poolSize: 1 });
    expect(await migrate(narrow)).to.have.length(5);
    await narrow.destroy();
  });
});
