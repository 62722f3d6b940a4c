import { expect } from 'chai';
import fc from 'fast-check';
import { storedExpireDate } from '../../server/db/expire_date_step.js';
import { SessionCodec } from '../../server/session/codec.js';
import { newSessionKey } from '../../server/session/key.js';
import { Session } from '../../server/session/session.js';
import { openStore } from '../../server/session/stores/index.js';
import { defineSettings } from '../../server/settings.js';
import { databaseOfSuite } from '../support/database.js';

const DAY = 86_400;
const settings = defineSettings({ SECRET_KEY: 'k', SESSION_EXPIRE_DATE_STEP: '0.1' });
const AGE = settings.SESSION_COOKIE_AGE;

describe('SESSION_EXPIRE_DATE_STEP', () => {
  it('never writes a date before the end, and none further ahead than that part of the life', () => {
    const lifetimes = fc.integer({ min: 1, max: 400 * DAY });
    const ends = fc.integer({ min: 0, max: 4_000_000_000_000 });
    fc.assert(
      fc.property(
        fc.string(),
        ends,
        lifetimes,
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        (key, end, lifetime, part) => {
          const record = { session_key: key, expire_date: new Date(end), lifetime };
          const ahead = storedExpireDate(record, part).getTime() - end;
          expect(ahead).to.be.at.least(0);
          expect(ahead).to.be.at.most(lifetime * 1000 * part + 1);
        },
      ),
    );
  });

  it('writes as many dates while an end moves by a whole life as parts fit into it, at moments of each key’s own', () => {
    const dates = new Set<number>();
    const firsts = new Set<number>();
    for (let key = 0; key < 50; key += 1) {
      const session_key = newSessionKey();
      for (let second = 0; second < AGE; second += AGE / 1000) {
        const expire_date = new Date((1_800_000_000 + second) * 1000);
        const stored = storedExpireDate({ session_key, expire_date, lifetime: AGE }, 0.1).getTime();
        if (second === 0) firsts.add(stored);
        dates.add(stored);
      }
    }
    expect(dates.size / 50).to.be.within(10, 11);
    expect(firsts.size).to.equal(50);
  });

  it('leaves a fixed end, one in the past, one at the end of time, and a step of 0 as they are', () => {
    const expire_date = new Date('2030-01-01T00:00:00.123Z');
    const session_key = newSessionKey();
    expect(storedExpireDate({ session_key, expire_date }, 0.1)).to.equal(expire_date);
    expect(storedExpireDate({ session_key, expire_date, lifetime: -5 }, 0.1)).to.equal(expire_date);
    expect(storedExpireDate({ session_key, expire_date, lifetime: AGE }, 0)).to.equal(expire_date);
    const last = new Date('9999-12-31T23:59:59.000Z');
    expect(storedExpireDate({ session_key, expire_date: last, lifetime: AGE }, 0.5)).to.equal(last);
  });

  describe('in the table', () => {
    const database = databaseOfSuite();
    let time: number;
    const now = (): number => time;
    beforeEach(() => {
      time = Math.floor(Date.now() / 1000);
    });
    const rowEnd = async ({ session_key }: Session): Promise<number> => {
      const row = await database.knex('django_session').where({ session_key }).first('expire_date');
      return row.expire_date.getTime() / 1000;
    };
    const open = async (session_key?: string | null): Promise<Session> => {
      const store = await openStore({ settings, knex: database.knex, now });
      const session = new Session({ store, codec: new SessionCodec(settings, { now }), settings, now, session_key });
      await session.load();
      return session;
    };

    it('a date stays while saves, merges and atomic changes move the end within it; the cookie moves on', async () => {
      const session = await open();
      session.set('n', 0);
      await session.save();
      const first = await rowEnd(session);
      expect(first - time).to.be.within(AGE, 1.1 * AGE);
      const dates = new Set([first]);
      for (let step = 1; step <= 100; step += 1) {
        time += 1209;
        session.set('n', step);
        const { max_age, expire_date } = await session.save();
        expect([max_age, expire_date.getTime() / 1000]).to.deep.equal([AGE, time + AGE]);
        dates.add(await rowEnd(session));
      }
      // A tenth of a life has passed.
      expect(dates.size).to.equal(2);
      const [one, other] = [await open(session.session_key), await open(session.session_key)];
      one.set('a', 1);
      other.set('b', 1);
      await one.save();
      await other.save();
      await one.atomic((fresh) => fresh.set('c', 1));
      dates.add(await rowEnd(session));
      expect(dates.size).to.equal(2);
      await one.cycle_key();
      expect((await rowEnd(one)) - time).to.be.within(AGE, 1.1 * AGE);
      expect(Object.fromEntries((await open(one.session_key)).items())).to.include({ n: 100, a: 1, b: 1, c: 1 });
    });

    it('an end of the session’s own is kept: a number of seconds by the same part, a date to the second', async () => {
      const session = await open();
      session.set_expiry(1000);
      await session.save();
      expect((await rowEnd(session)) - time).to.be.within(1000, 1100);
      const end = new Date((time + 5000) * 1000);
      session.set_expiry(end);
      await session.save();
      expect(await rowEnd(session)).to.equal(time + 5000);
    });

    it('updates are heap-only', async () => {
      const session = await open();
      session.set('n', 0);
      await session.save();
      await database.knex.transaction(async (trx) => {
        const counted = async (): Promise<number> => {
          const { rows } = await trx.raw(
            "SELECT n_tup_hot_upd::int AS hot FROM pg_stat_xact_user_tables WHERE relname = 'django_session'",
          );
          return rows[0]?.hot ?? 0;
        };
        const store = await openStore({ settings, knex: trx, now });
        const inside = new Session({ store, codec: new SessionCodec(settings), settings, now }, session.session_key);
        await inside.load();
        const before = await counted();
        for (let n = 1; n <= 3; n += 1) {
          inside.set('n', n);
          await inside.save();
        }
        expect((await counted()) - before).to.equal(3);
      });
    });
  });
});
