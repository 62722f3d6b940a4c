import { expect } from 'chai';
import type { Knex } from 'knex';
import { UserTable } from '../../../server/auth/users.js';
import { connectKnex } from '../../../server/db/knex.js';
import {
  CreateError,
  ImproperlyConfigured,
  StoreUnavailable,
  UpdateError,
  ValueError,
} from '../../../server/errors.js';
import type { Companion, SessionRecord } from '../../../server/session/store.js';
import { DatabaseStore } from '../../../server/session/stores/db.js';
import { FaultProxy } from '../../fire/fault_proxy.js';
import { until } from '../../fire/until.js';
import { databaseOfSuite } from '../../support/database.js';
import { reasonOf } from '../../support/reason.js';
import { rejects, storeContract } from './contract.js';

describe('DatabaseStore', () => {
  const database = databaseOfSuite();

  storeContract(async (now) => {
    await database.knex('django_session').delete();
    return { store: new DatabaseStore(database.knex, { now }) };
  });

  describe('with a companion', () => {
    const OLD = 'o'.repeat(32);
    const NEW = 'n'.repeat(32);
    const expire_date = new Date('2100-01-01');
    const old = { session_key: OLD, session_data: 'old', expire_date };
    const next = { session_key: NEW, session_data: 'new', expire_date };
    let store: DatabaseStore;

    beforeEach(async () => {
      await database.knex('django_session').delete();
      await database.knex('auth_user').delete();
      store = new DatabaseStore(database.knex);
      await store.create(old);
    });
    const texts = async (): Promise<unknown[]> => [await store.load(OLD), await store.load(NEW)];
    const users = (): Promise<string[]> => database.knex('auth_user').pluck('username');
    const addUser: Companion = async (transaction) => {
      await new UserTable(transaction as Knex.Transaction).create_user({
        username: 'alice',
        password: 'pbkdf2_sha256$1$salt$x',
      });
    };

    it('has for its database the knex that it was given', () => {
      expect(store.database).to.equal(database.knex);
    });

    it('writes row and companion in one commit', async () => {
      await store.cycle(OLD, async () => next, addUser);
      expect([await texts(), await users()]).to.deep.equal([[null, 'new'], ['alice']]);
      await store.create(old, async (transaction) => {
        await (transaction as Knex.Transaction)('auth_user').delete();
      });
      expect([await texts(), await users()]).to.deep.equal([['old', 'new'], []]);
    });

    it('writes neither when the companion throws, and passes its error on', async () => {
      const failing: Companion = async (transaction) => {
        await addUser(transaction);
        throw new RangeError('no');
      };
      await rejects(
        store.cycle(OLD, async () => next, failing),
        RangeError,
      );
      await rejects(store.create(next, failing), RangeError);
      expect([await texts(), await users()]).to.deep.equal([['old', null], []]);
    });

    it('writes neither when the key is taken or the old row gone', async () => {
      await store.create(next);
      await rejects(
        store.cycle(OLD, async () => next, addUser),
        CreateError,
      );
      await rejects(store.create(next, addUser), CreateError);
      await store.delete(OLD);
      await rejects(
        store.cycle(OLD, async () => next, addUser),
        UpdateError,
      );
      expect([await texts(), await users()]).to.deep.equal([[null, 'new'], []]);
    });
  });

  describe('when the connection breaks at COMMIT', () => {
    const OLD = 'o'.repeat(32);
    const NEW = 'n'.repeat(32);
    const expire_date = new Date('2100-01-01');
    const next = { session_key: NEW, session_data: 'new', expire_date };
    let proxy: FaultProxy;
    let knex: Knex;
    let store: DatabaseStore;

    before(async () => {
      proxy = await FaultProxy.start(database.url);
      knex = connectKnex(proxy.url, { connect_timeout: 30, statement_timeout: 30 });
      store = new DatabaseStore(knex, { timeout: 30 });
    });
    beforeEach(async () => {
      await database.knex('django_session').delete();
      await database.knex('django_session').insert({ session_key: OLD, session_data: 'old', expire_date });
    });
    afterEach(async () => {
      await proxy.mend();
      await database.knex.raw('DROP FUNCTION IF EXISTS slowly CASCADE');
    });
    after(async () => {
      await knex.destroy();
      await proxy.close();
    });
    const rows = (): Promise<string[]> => database.knex('django_session').orderBy('session_data').pluck('session_data');
    const nothing: Companion = async () => {};
    const writes: Readonly<Record<string, () => Promise<void>>> = {
      cycle: () => store.cycle(OLD, async () => next, nothing),
      'create with a companion': () => store.create(next, nothing),
    };

    for (const [name, write] of Object.entries(writes)) {
      const done = name === 'cycle' ? ['new'] : ['new', 'old'];

      it(`${name} is done when it was committed`, async () => {
        const trap = proxy.set({ statement: /^COMMIT/i, when: 'after', action: 'cut' });
        await write();
        expect(trap.caught).to.equal(1);
        expect(await rows()).to.deep.equal(done);
      });

      it(`${name} says 503 when it was not, and nothing is written`, async () => {
        const trap = proxy.set({ statement: /^COMMIT/i, when: 'before', action: 'cut' });
        await rejects(write(), StoreUnavailable);
        expect(trap.caught).to.equal(1);
        expect(await rows()).to.deep.equal(['old']);
      });

      it(`${name} waits for a commit that is still on its way, and is done`, async () => {
        await database.knex.raw(`
          CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.session_data = 'new' THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN NULL; END $$;
          CREATE CONSTRAINT TRIGGER slowly AFTER INSERT OR UPDATE ON django_session DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION slowly()`);
        const holder = await database.knex.transaction();
        await holder.raw('SELECT pg_advisory_xact_lock(7)');
        const waiting = async (): Promise<number> => {
          const { rows: found } = await database.knex.raw(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
          );
          return found.length;
        };
        const writing = write();
        await until(async () => (await waiting()) === 1 || undefined, { seconds: 30, what: () => 'the commit to run' });
        await proxy.become('reset');
        await proxy.mend();
        await until(async () => (await waiting()) === 2 || undefined, { seconds: 30, what: () => 'the look at it' });
        await holder.rollback();
        await writing;
        expect(await rows()).to.deep.equal(done);
      });
    }
  });

  describe('while a row is locked for the application', () => {
    const KEY = 'abcdefghijklmnopqrstuvwxyz012345';
    let store: DatabaseStore;

    beforeEach(async () => {
      await database.knex('django_session').delete();
      store = new DatabaseStore(database.knex);
      await store.create({ session_key: KEY, session_data: 'text', expire_date: new Date(Date.now() + 3_600_000) });
    });

    it("passes on what its change throws, also what looks like the database's own", async () => {
      const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      const changing = store.modify(KEY, async () => {
        throw refused;
      });
      expect(await reasonOf(changing)).to.equal(refused);
      expect(await store.load(KEY)).to.equal('text');
    });

    it('keeps the connection of a change that takes too long, which another request may be given at once', async () => {
      const knex = connectKnex(database.url, { poolSize: 1, statement_timeout: 0.25 });
      const backend = async (): Promise<unknown> => (await knex.raw('SELECT pg_backend_pid() AS pid')).rows[0].pid;
      const hasty = new DatabaseStore(knex, { timeout: 0.25 });
      const pid = await backend();
      expect(await reasonOf(hasty.modify(KEY, () => new Promise(() => {})))).to.be.instanceOf(StoreUnavailable);
      expect(await hasty.load(KEY)).to.equal('text');
      expect(await backend()).to.equal(pid);
      await knex.destroy();
    });

    describe('and the application asks for other rows inside of it', () => {
      const NEVER = new Date('2999-01-01T00:00:00Z');
      const others = Array.from({ length: 8 }, (_, n) => ({
        session_key: `abcdefghijklmnopqrstuvwxyz01234${n}`.replace('5', 'x'),
        session_data: 'text',
        expire_date: NEVER,
      }));
      const mine = others.map((row) => ({ ...row, session_key: row.session_key.replace('abc', 'xyz') }));
      beforeEach(() => Promise.all([...others, ...mine].map((row) => store.create(row))));
      const written = { session_data: 'written', expire_date: NEVER };

      it('does so for twenty at once, of two stores on one pool of ten', async () => {
        const stores = [store, new DatabaseStore(database.knex)] as const;
        const rows = Array.from({ length: 40 }, (_, n) => ({
          session_key: `twostores${String(n).padStart(23, '0')}`,
          session_data: 'text',
          expire_date: NEVER,
        }));
        await Promise.all(rows.map((row) => store.create(row)));
        await Promise.all(
          rows.slice(0, 20).map(({ session_key }, n) => {
            const own = stores[n % 2] as DatabaseStore;
            return own.modify(session_key, async () => {
              await own.replace('text', { ...(rows[20 + n] as SessionRecord), ...written });
              return written;
            });
          }),
        );
        for (const { session_key } of rows) expect(await store.load(session_key)).to.equal('written');
      });

      for (const [what, act] of Object.entries({
        delete: (row: SessionRecord, by = store) => by.delete(row.session_key),
        replace: (row: SessionRecord, by = store) => by.replace('text', { ...row, ...written }),
        modify: (row: SessionRecord, by = store) => by.modify(row.session_key, async () => written),
        merge: (row: SessionRecord, by = store) => by.merge(row.session_key, () => written),
        cycle: (row: SessionRecord, by = store) =>
          by.cycle(row.session_key, async () => ({
            session_key: `${row.session_key.slice(0, 8)}zz${row.session_key.slice(10)}`,
            ...written,
          })),
      })) {
        it(`does ${what} for eight at once, of which each holds a row`, async () => {
          await Promise.all(
            mine.map(({ session_key }, n) =>
              store.modify(session_key, async () => {
                await act(others[n] as SessionRecord);
                return written;
              }),
            ),
          );
          for (const { session_key } of mine) expect(await store.load(session_key)).to.equal('written');
        });

        it(`refuses ${what} of the same row at once, with a sentence`, async () => {
          const [row] = mine as [SessionRecord];
          const changing = store.modify(row.session_key, async () => {
            await act(row);
            return written;
          });
          expect(await reasonOf(changing))
            .to.be.instanceOf(ValueError)
            .with.property('message')
            .that.contains('atomic');
          expect(await store.load(row.session_key)).to.equal('text');
        });
      }
    });

    describe('and the application asks for other rows inside of it, where the pool has one connection', () => {
      const row = { session_key: KEY.replace('abc', 'xyz'), session_data: 'text', expire_date: new Date('2999-01-01') };
      for (const [what, act] of Object.entries({
        load: (one: DatabaseStore) => one.load(row.session_key),
        exists: (one: DatabaseStore) => one.exists(row.session_key),
        create: (one: DatabaseStore) => one.create(row),
        delete: (one: DatabaseStore) => one.delete(row.session_key),
        replace: (one: DatabaseStore) => one.replace('text', row),
        modify: (one: DatabaseStore) => one.modify(row.session_key, async () => row),
        merge: (one: DatabaseStore) => one.merge(row.session_key, () => row),
        cycle: (one: DatabaseStore) => one.cycle(row.session_key, async () => row),
      })) {
        it(`refuses ${what} at once, with a sentence that says what to set`, async () => {
          const knex = connectKnex(database.url, { poolSize: 1, connect_timeout: 60 });
          const one = new DatabaseStore(knex, { timeout: 60 });
          try {
            const changing = one.modify(KEY, async () => {
              await act(one);
              return row;
            });
            expect(await reasonOf(changing))
              .to.be.instanceOf(ImproperlyConfigured)
              .with.property('message')
              .that.contains('DATABASE_POOL');
            expect(await one.load(KEY)).to.equal('text');
          } finally {
            await knex.destroy();
          }
        });
      }
    });

    it('gives a change up that never ends: the row is free again, and so is the connection', async () => {
      const stuck = Array.from({ length: 6 }, (_, n) => reasonOf(store.modify(KEY, () => new Promise(() => n))));
      expect(await stuck[0]).to.be.instanceOf(StoreUnavailable);
      for (const error of await Promise.all(stuck)) expect(error).to.be.instanceOf(StoreUnavailable);
      await store.delete(KEY);
      expect(await store.load(KEY)).to.equal(null);
    });
  });
});
