/** The table of a session model of one's own, as Django's manual shows it: other name, further columns. */
import { expect } from 'chai';
import { checkSessionTable } from '../../server/db/session_table.js';
import { CreateError, ImproperlyConfigured, SchemaMismatch } from '../../server/errors.js';
import { SessionCodec } from '../../server/session/codec.js';
import { newSessionKey } from '../../server/session/key.js';
import { Session } from '../../server/session/session.js';
import type { SessionRecord } from '../../server/session/store.js';
import { DatabaseStore, type DatabaseStoreOptions } from '../../server/session/stores/db.js';
import { openStore } from '../../server/session/stores/index.js';
import { defineSettings } from '../../server/settings.js';
import { storeContract } from '../session/stores/contract.js';
import { emptyDatabase, type TestDatabase } from '../support/database.js';
import { reasonOf } from '../support/reason.js';

const TABLE = 'mysite_customsession';
const settings = defineSettings({ SECRET_KEY: 'k', SESSION_TABLE: TABLE });

describe('DatabaseStore on a table of another name', () => {
  let database: TestDatabase;

  before(async () => {
    database = await emptyDatabase();
    await create(TABLE, 'account_id integer NULL, seen timestamptz NULL');
    await database.knex.raw('CREATE SCHEMA other');
    await create('other"."my ""table', "site text NOT NULL DEFAULT 'main'");
  });
  after(() => database.drop());

  const create = (name: string, further: string): Promise<unknown> =>
    Promise.resolve(
      database.knex.raw(
        `CREATE TABLE "${name}" (session_key varchar(40) NOT NULL PRIMARY KEY, session_data text NOT NULL,
                                 expire_date timestamptz NOT NULL, ${further})`,
      ),
    );
  const columns = async (session_key: string): Promise<unknown> => {
    const row = await database.knex(TABLE).where({ session_key }).first('account_id', 'seen');
    return row === undefined ? undefined : [row.account_id, row.seen];
  };
  const record = (changes: Partial<SessionRecord> = {}): SessionRecord => ({
    session_key: newSessionKey(),
    session_data: 'first',
    expire_date: new Date(Date.now() + 3_600_000),
    ...changes,
  });
  const store = (options: DatabaseStoreOptions = {}): DatabaseStore =>
    new DatabaseStore(database.knex, { table: TABLE, ...options });
  const seen = new Date('2026-01-02T03:04:05.678Z');
  const fill = ({ session_key }: SessionRecord): Promise<unknown> =>
    Promise.resolve(database.knex(TABLE).where({ session_key }).update({ account_id: 7, seen }));

  for (const table of [TABLE, 'other.my "table']) {
    describe(table, () => {
      storeContract(async (now) => {
        await database.knex.raw(`DELETE FROM ${table === TABLE ? TABLE : 'other."my ""table"'}`);
        return { store: new DatabaseStore(database.knex, { now, table }) };
      });
    });
  }

  it('is what openStore opens for SESSION_TABLE, and django_session is left alone', async () => {
    const opened = await openStore({ settings, knex: database.knex });
    const row = record();
    await opened.create(row);
    expect(await columns(row.session_key)).to.deep.equal([null, null]);
  });

  it('keeps apart from another table over the same connections', async () => {
    const one = store();
    const two = new DatabaseStore(database.knex, { table: 'other.my "table' });
    const row = record();
    await one.create(row);
    expect([await one.load(row.session_key), await two.load(row.session_key)]).to.deep.equal(['first', null]);
  });

  describe('with further columns', () => {
    it('leaves them as they are when a row is replaced, alone and with others, and when it is modified', async () => {
      const kept = store();
      const rows = [record(), record(), record()];
      for (const row of rows) {
        await kept.create(row);
        await fill(row);
      }
      await Promise.all(rows.map((row) => kept.replace('first', { ...row, session_data: 'second' })));
      await kept.modify(rows[0]?.session_key ?? '', async () => record({ session_data: 'third' }));
      for (const { session_key } of rows) expect(await columns(session_key)).to.deep.equal([7, seen]);
      expect(await kept.load(rows[0]?.session_key ?? '')).to.equal('third');
      expect(await kept.load(rows[1]?.session_key ?? '')).to.equal('second');
    });

    it('carries them over to a new key', async () => {
      const kept = store();
      const [old, next] = [record(), record({ session_data: 'new' })];
      await kept.create(old);
      await fill(old);
      await kept.cycle(old.session_key, async () => next);
      expect([await columns(old.session_key), await columns(next.session_key)]).to.deep.equal([undefined, [7, seen]]);
    });

    it('does not write over the row of a key that is taken', async () => {
      const [old, other] = [record(), record({ session_data: 'other' })];
      const kept = store();
      await kept.create(old);
      await kept.create(other);
      expect(await reasonOf(kept.cycle(old.session_key, async () => other))).to.be.instanceOf(CreateError);
      expect([await kept.load(old.session_key), await kept.load(other.session_key)]).to.deep.equal(['first', 'other']);
    });
  });

  describe('with a function for further columns', () => {
    const asked: unknown[][] = [];
    const filling = (): DatabaseStore =>
      store({
        columns: (data, { session_key }) => {
          asked.push([[...data.keys()], session_key]);
          const id = data.get('_auth_user_id');
          return { account_id: id === undefined ? null : Number(id), seen: data.has('seen') ? seen : undefined };
        },
      });
    const session = (kept: DatabaseStore, session_key: string | null = null): Session =>
      new Session({ store: kept, settings, codec: new SessionCodec(settings), session_key });
    beforeEach(() => asked.splice(0));

    it('fills them from the data of a session that is created, and is not asked when it is saved', async () => {
      const kept = filling();
      const made = session(kept);
      made.set('_auth_user_id', '12');
      made.set('seen', true);
      await made.save();
      const key = made.session_key ?? '';
      expect(await columns(key)).to.deep.equal([12, seen]);
      expect(asked).to.deep.equal([[['_auth_user_id', 'seen'], key]]);
      made.set('_auth_user_id', '13');
      await made.save();
      await made.atomic((fresh) => fresh.set('more', 1));
      expect(await columns(key)).to.deep.equal([12, seen]);
      expect(asked).to.have.length(1);
    });

    it('fills them anew with a new key, as at a login, and carries over what it does not name', async () => {
      const kept = filling();
      const visitor = session(kept);
      visitor.set('seen', true);
      await visitor.save();
      visitor.remove('seen');
      await visitor.cycle_key({ values: [['_auth_user_id', '12']] });
      expect(await columns(visitor.session_key ?? '')).to.deep.equal([12, seen]);
    });

    it('passes on what the function throws, and nothing is written', async () => {
      const wrong = new Error('not this one');
      const failing = store({
        columns: () => {
          throw wrong;
        },
      });
      const row = record();
      expect(await reasonOf(failing.create(row))).to.equal(wrong);
      expect(await columns(row.session_key)).to.equal(undefined);
      await store().create(row);
      const next = record();
      expect(await reasonOf(failing.cycle(row.session_key, async () => next))).to.equal(wrong);
      expect([await columns(row.session_key), await columns(next.session_key)]).to.deep.equal([
        [null, null],
        undefined,
      ]);
    });

    it('refuses a function that names what the store fills itself', async () => {
      const error = await reasonOf(store({ columns: () => ({ session_data: 'mine' }) }).create(record()));
      expect(error).to.be.instanceOf(ImproperlyConfigured);
      expect((error as Error).message).to.include('session_data');
    });
  });

  describe('before the server starts', () => {
    const refusal = async (table: string, filled: readonly string[] = []): Promise<string> => {
      const error = await reasonOf(checkSessionTable(database.knex, table, filled));
      expect(error).to.be.instanceOf(SchemaMismatch);
      return (error as Error).message;
    };

    it('is accepted with columns that an INSERT may leave out', async () => {
      await checkSessionTable(database.knex, TABLE);
      await checkSessionTable(database.knex, 'other.my "table');
    });

    it('is refused when there is none, and the tables of sessions are named', async () => {
      expect(await refusal('django_session')).to.match(/there is no such table.*SESSION_TABLE=mysite_customsession/);
    });

    it('is refused when it is no table of sessions', async () => {
      await database.knex.raw('CREATE TABLE koa_goods (id int PRIMARY KEY, name text)');
      expect(await refusal('koa_goods')).to.include('it is no table of sessions: it lacks "session_key');
    });

    it('is refused with a column that nobody fills, and the store says so too', async () => {
      await create('tenants', 'tenant integer NOT NULL');
      expect(await refusal('tenants')).to.match(/^Column tenants\.tenant is NOT NULL and has no default/);
      await checkSessionTable(database.knex, 'tenants', ['tenant']);
      const error = await reasonOf(store({ table: 'tenants' }).create(record()));
      expect(error).to.be.instanceOf(ImproperlyConfigured);
      await store({ table: 'tenants', columns: () => ({ tenant: 3 }) }).create(record());
    });
  });
});
