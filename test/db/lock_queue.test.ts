import { expect } from 'chai';
import { LoginThrottle } from '../../server/auth/throttle.js';
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
});
