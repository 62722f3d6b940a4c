import { expect } from 'chai';
import { LoginThrottle } from '../../server/auth/throttle.js';
import { UserTable } from '../../server/auth/users.js';
import { connectKnex } from '../../server/db/knex.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { until } from '../fire/until.js';
import { databaseOfSuite } from '../support/database.js';

describe('the pool', () => {
  const database = databaseOfSuite();
  const expire_date = new Date('2999-01-01T00:00:00Z');
  const keyOf = (n: number): string => `abcdefghijklmnopqrstuvwxyz00${String(n).padStart(4, '0')}`;

  it('has connections left for what waits for no lock, while sessions and login attempts are locked', async () => {
    const knex = connectKnex(database.url, { connect_timeout: 30, statement_timeout: 30 });
    const store = new DatabaseStore(knex, { timeout: 30 });
    const throttle = new LoginThrottle(knex, { settings: { SECRET_KEY: 'a key for tests' }, timeout: 30 });
    const waitingForLocks = async (): Promise<number> =>
      (
        await database
          .knex('pg_stat_activity')
          .where({ wait_event_type: 'Lock' })
          .whereRaw('datname = current_database()')
      ).length;
    const locks = await database.knex.transaction();
    try {
      for (let n = 0; n < 11; n += 1) {
        await store.create({ session_key: keyOf(n), session_data: 'text', expire_date });
      }
      await locks.raw('SELECT 1 FROM django_session WHERE session_key <> ? FOR UPDATE', [keyOf(10)]);
      await locks.raw('LOCK TABLE koa_login_attempts');
      const waiting = Array.from({ length: 10 }, (_, n) => [
        store.modify(keyOf(n), async () => ({ session_data: 'other', expire_date })),
        throttle.check({ username: `visitor${n}`, address: '192.0.2.1' }),
      ]).flat();
      await until(async () => ((await waitingForLocks()) >= 8 ? true : undefined), {
        seconds: 60,
        what: () => 'eight that wait',
      });
      expect(await store.load(keyOf(10))).to.equal('text');
      expect(await waitingForLocks()).to.equal(8);
      await locks.rollback();
      await Promise.all(waiting);
    } finally {
      if (!locks.isCompleted()) await locks.rollback();
      await knex.destroy();
    }
  });

  it('serves stores and tables with different timeouts, in any order', async () => {
    const record = { session_data: 'text', expire_date };
    const inOrder = async (first: number, second: number): Promise<void> => {
      const knex = connectKnex(database.url, { connect_timeout: 30, statement_timeout: 30 });
      try {
        const timeouts = [first, second];
        const users = timeouts.map((timeout) => new UserTable(knex, { timeout }));
        const throttles = timeouts.map(
          (timeout) => new LoginThrottle(knex, { settings: { SECRET_KEY: 'a key for tests' }, timeout }),
        );
        const stores = timeouts.map((timeout) => new DatabaseStore(knex, { timeout }));
        for (const [index, store] of stores.entries()) {
          const key = keyOf(100 * first + 20 + index);
          await store.create({ ...record, session_key: key });
          await store.modify(key, async () => record);
          await store.merge(key, () => record);
          await store.delete(key);
          for (const [place, table] of users.entries()) {
            for (const deadline of [undefined, store.deadline()]) {
              expect(await table.get_by_natural_key('nobody', deadline)).to.equal(null);
              await throttles[place]?.check({ username: 'nobody', address: '192.0.2.1' }, deadline);
            }
          }
        }
      } finally {
        await knex.destroy();
      }
    };
    await inOrder(60, 20);
    await inOrder(20, 60);
  });
});
