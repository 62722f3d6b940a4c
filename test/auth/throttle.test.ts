/** Throttling on a real PostgreSQL, with a clock that the test turns. */
import { expect } from 'chai';
import { addressBlock } from '../../server/auth/address_block.js';
import { LoginThrottle, type LoginThrottleOptions, type ThrottleAnswer } from '../../server/auth/throttle.js';
import { THROTTLE_LIMITS } from '../../server/auth/throttle_limits.js';
import { connectKnex } from '../../server/db/knex.js';
import { ImproperlyConfigured, StoreUnavailable } from '../../server/errors.js';
import { FaultProxy } from '../fire/fault_proxy.js';
import { until } from '../fire/until.js';
import { NOW } from '../http/serve.js';
import { databaseOfSuite } from '../support/database.js';
import { expectLinear } from '../support/growth.js';

const SETTINGS = { SECRET_KEY: 'a key for tests' };

describe('LoginThrottle', () => {
  const database = databaseOfSuite();
  let time = NOW;
  const throttle = (options: Partial<LoginThrottleOptions> = {}): LoginThrottle =>
    new LoginThrottle(database.knex, { settings: SETTINGS, now: () => time, ...options });

  beforeEach(async () => {
    time = NOW;
    await database.knex('koa_login_attempts').delete();
  });

  const HOME = '192.0.2.1';
  const allowed = { allowed: true } as const;

  async function times(count: number, attempt: () => Promise<{ allowed: boolean }>): Promise<number> {
    let passed = 0;
    for (let tries = 0; tries < count; tries += 1) if ((await attempt()).allowed) passed += 1;
    return passed;
  }
  /** Each from another network. */
  let stranger = 0;
  const elsewhere = (): string => {
    stranger += 1;
    return `10.${stranger >> 16}.${(stranger >> 8) & 255}.${stranger & 255}`;
  };

  describe('for one account', () => {
    it('lets five attempts pass, then asks for a wait that doubles up to fifteen minutes', async () => {
      const guess = (): ReturnType<LoginThrottle['check']> =>
        throttle().check({ username: 'alice', address: elsewhere() });
      expect(await times(5, guess)).to.equal(5);
      const waits: number[] = [];
      for (let round = 0; round < 9; round += 1) {
        const answer = await guess();
        if (answer.allowed) throw new Error('it did not wait');
        waits.push(answer.retry_after);
        time += answer.retry_after - 1;
        expect((await guess()).allowed, 'a second too early').to.equal(false);
        time += 1;
        expect(await guess(), 'as told').to.deep.equal(allowed);
      }
      // While it waits it heals, too: 480 comes twice.
      expect(waits).to.deep.equal([15, 30, 60, 120, 240, 480, 480, 900, 900]);
    });

    it('does not count what it refuses: hammering makes no wait longer', async () => {
      const guess = (): ReturnType<LoginThrottle['check']> =>
        throttle().check({ username: 'alice', address: elsewhere() });
      await times(5, guess);
      expect(await times(100, guess)).to.equal(0);
      expect(await guess()).to.deep.equal({ allowed: false, retry_after: 15 });
    });

    it('counts attempts that come at once, from two servers, each', async () => {
      const servers = [throttle(), throttle()];
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          (servers[index % 2] ?? throttle()).check({ username: 'alice', address: elsewhere() }),
        ),
      );
      expect(answers.filter((answer) => answer.allowed)).to.have.lengthOf(5);
    });

    it('refuses none of several at once because its clock was read before another was counted', async () => {
      for (const late of [0, 0.5, 0.1, 0.3]) {
        time = NOW + 1 - late;
        expect(await throttle().check({ username: 'alice', address: HOME })).to.deep.equal(allowed);
      }
    });

    it('counts a name that does not exist, and every spelling of a name, as one', async () => {
      for (const username of ['Nobody', ' nobody ', 'ｎobody', 'NOBODY', 'nobody']) {
        expect(await throttle().check({ username, address: elsewhere() })).to.deep.equal(allowed);
      }
      expect((await throttle().check({ username: 'nobody', address: elsewhere() })).allowed).to.equal(false);
      expect(await throttle().check({ username: 'somebody', address: elsewhere() })).to.deep.equal(allowed);
    });

    it('heals by itself', async () => {
      const guess = (): ReturnType<LoginThrottle['check']> =>
        throttle().check({ username: 'alice', address: elsewhere() });
      await times(5, guess);
      for (let round = 0; round < 10; round += 1) {
        time += 900;
        await guess();
      }
      time += 900 * 11;
      expect(await times(6, guess)).to.equal(5);
    });

    it('is given back by a login', async () => {
      await times(4, () => throttle().check({ username: 'alice', address: HOME }));
      expect(await throttle().check({ username: 'alice', address: HOME })).to.deep.equal(allowed);
      await throttle().succeeded({ username: 'alice', address: HOME });
      expect(await throttle().failures({ username: 'alice', address: HOME })).to.equal(4);
      expect(await times(6, () => throttle().check({ username: 'alice', address: elsewhere() }))).to.equal(5);
    });

    it('takes any text', async () => {
      for (const username of ['', 'nul\0', '\ud800', 'x'.repeat(100_000), "'; DROP TABLE auth_user; --", '__proto__']) {
        expect(await throttle().check({ username, address: elsewhere() })).to.deep.equal(allowed);
        await throttle().succeeded({ username, address: 'no address' });
      }
    });
  });

  describe('for a name that is longer than any account', () => {
    const MARKS = '\u0300\u0316';

    it('does no more work than for a short one: combining marks, spaces', async () => {
      for (const filler of [MARKS, ' ', '\u00a0', '\ufdfa']) {
        await expectLinear(
          (size) => `a${filler.repeat(size)}`,
          (username) => throttle().failures({ username, address: HOME }),
        );
      }
    });

    it('counts it, and whatever comes after as many letters as a name can have, as one', async () => {
      const guess = (tail: string): ReturnType<LoginThrottle['check']> =>
        throttle().check({ username: `a${MARKS.repeat(600)}${tail}`, address: elsewhere() });
      for (const tail of ['', 'b', 'c'.repeat(10_000), MARKS, ' ']) expect(await guess(tail)).to.deep.equal(allowed);
      expect((await guess('d')).allowed).to.equal(false);
    });

    it('counts blanks around a name, and its letters decomposed, as that name', async () => {
      const name = 'é'.repeat(150);
      const blanks = ' '.repeat(5000);
      for (const username of [
        name,
        name.normalize('NFD'),
        `${blanks}${name}`,
        `${name}${blanks}`,
        name.toUpperCase(),
      ]) {
        expect(await throttle().check({ username, address: elsewhere() })).to.deep.equal(allowed);
      }
      expect((await throttle().check({ username: name, address: elsewhere() })).allowed).to.equal(false);
    });
  });

  it('serves some of a crowd where the database is too far away for all', async () => {
    const proxy = await FaultProxy.start(database.url);
    const knex = connectKnex(proxy.url);
    try {
      const far = new LoginThrottle(knex, { settings: SETTINGS });
      const crowd = (name: string, many: number): Promise<PromiseSettledResult<ThrottleAnswer>[]> =>
        Promise.allSettled(
          Array.from({ length: many }, (_, n) => far.check({ username: `${name}${n}`, address: `192.0.${n}.1` })),
        );
      // Connections of the pool's half.
      await crowd('near', 5);
      proxy.delay = 120;
      const answers = await crowd('far', 30);
      const served = answers.filter(({ status }) => status === 'fulfilled').length;
      // Each takes three statements of 120 ms, and five run at a time: in 1.5 seconds twenty are served.
      expect(served).to.be.at.least(6);
      for (const answer of answers) {
        if (answer.status === 'rejected') expect(answer.reason).to.be.instanceOf(StoreUnavailable);
        else expect(answer.value).to.deep.equal({ allowed: true });
      }
    } finally {
      await knex.destroy();
      await proxy.close();
    }
  });

  describe('for two accounts whose names differ in case alone', () => {
    const guess = (username: string, address = HOME): ReturnType<LoginThrottle['check']> =>
      throttle().check({ username, address });
    async function logIn(username: string, address = HOME): Promise<void> {
      if ((await guess(username, address)).allowed) await throttle().succeeded({ username, address });
    }

    it('gives no attempts at the one back for logins as the other', async () => {
      let passed = 0;
      for (let round = 0; round < 10; round += 1) {
        passed += await times(4, () => guess('alice'));
        await logIn('Alice');
      }
      expect(passed).to.be.at.most(5);
    });

    it('gives none back over the hours either, from wherever the logins come', async () => {
      async function guessed(own: () => Promise<void>): Promise<number> {
        await database.knex('koa_login_attempts').delete();
        time = NOW;
        let passed = 0;
        for (let minute = 0; minute < 180; minute += 3) {
          if ((await guess('alice')).allowed) passed += 1;
          await own();
          time += 180;
        }
        return passed;
      }
      const without = await guessed(async () => {});
      expect(await guessed(() => logIn('Alice'))).to.be.at.most(without);
      expect(await guessed(() => logIn('Alice', elsewhere()))).to.be.at.most(without);
      const missed = async (): Promise<void> => {
        await guess('Alice');
        await logIn('Alice', elsewhere());
      };
      expect(await guessed(missed)).to.be.at.most(without);
    });

    it('gives each back what was counted under its own name', async () => {
      expect(await times(3, () => guess('alice', elsewhere()))).to.equal(3);
      expect(await guess('Alice', elsewhere())).to.deep.equal(allowed);
      await logIn('alice', elsewhere());
      expect(await throttle().failures({ username: 'alice', address: elsewhere() })).to.equal(1);
      await logIn('Alice', elsewhere());
      expect(await times(6, () => guess('alice', elsewhere()))).to.equal(5);
    });

    it('gives it back once, also if it is asked for twice', async () => {
      expect(await times(3, () => guess('alice', elsewhere()))).to.equal(3);
      expect(await guess('Alice', elsewhere())).to.deep.equal(allowed);
      for (let again = 0; again < 3; again += 1) {
        await throttle().succeeded({ username: 'Alice', address: elsewhere() });
      }
      expect(await throttle().failures({ username: 'alice', address: elsewhere() })).to.equal(3);
    });

    it('knows an address for the account that logged in there, and not for the other', async () => {
      await logIn('Alice');
      await times(20, () => guess('alice', elsewhere()));
      expect((await guess('alice')).allowed).to.equal(false);
      expect(await guess('Alice')).to.deep.equal(allowed);
    });
  });

  describe('for the owner', () => {
    const besiege = (): Promise<number> =>
      times(20, () => throttle().check({ username: 'alice', address: elsewhere() }));

    it('does not wait at an address that is known, whatever strangers do', async () => {
      await throttle().check({ username: 'alice', address: HOME });
      await throttle().succeeded({ username: 'alice', address: HOME });
      for (let day = 0; day < 29; day += 1) {
        time += 86_400;
        await besiege();
        expect(await throttle().check({ username: 'alice', address: HOME }), `day ${day}`).to.deep.equal(allowed);
      }
    });

    it('gives strangers no new attempts by a login at a known address', async () => {
      await throttle().succeeded({ username: 'alice', address: HOME });
      await besiege();
      await throttle().check({ username: 'alice', address: HOME });
      await throttle().succeeded({ username: 'alice', address: HOME });
      expect(await besiege()).to.equal(0);
    });

    it('gets in from a new address by waiting as told, never more than fifteen minutes', async () => {
      await besiege();
      time += 900;
      await besiege();
      const answer = await throttle().check({ username: 'alice', address: HOME });
      if (answer.allowed) throw new Error('it did not wait');
      expect(answer.retry_after).to.be.within(1, 900);
      time += answer.retry_after;
      expect(await throttle().check({ username: 'alice', address: HOME })).to.deep.equal(allowed);
    });

    it('is not known for ever, and is limited at a known address too', async () => {
      await throttle().succeeded({ username: 'alice', address: HOME });
      expect(await times(9, () => throttle().check({ username: 'alice', address: HOME }))).to.equal(5);
      time += THROTTLE_LIMITS.knownFor + 1;
      await besiege();
      expect((await throttle().check({ username: 'alice', address: HOME })).allowed).to.equal(false);
    });

    it('is known for one account only', async () => {
      await throttle().succeeded({ username: 'bob', address: HOME });
      await besiege();
      expect((await throttle().check({ username: 'alice', address: HOME })).allowed).to.equal(false);
    });
  });

  describe('for one address', () => {
    let name = 0;
    const spray = (address = HOME): ReturnType<LoginThrottle['check']> => {
      name += 1;
      return throttle().check({ username: `user${name}`, address });
    };

    it('catches one password tried on many accounts: fifty, then one every twelve seconds', async () => {
      expect(await times(60, spray)).to.equal(50);
      expect(await spray()).to.deep.equal({ allowed: false, retry_after: 12 });
      let passed = 0;
      for (let second = 0; second < 600; second += 4) {
        time += 4;
        if ((await spray()).allowed) passed += 1;
      }
      expect(passed).to.equal(50);
    });

    it('spares the accounts that a refused address asks for', async () => {
      await times(50, spray);
      await times(20, () => throttle().check({ username: 'alice', address: HOME }));
      expect(await times(5, () => throttle().check({ username: 'alice', address: elsewhere() }))).to.equal(5);
    });

    it('counts no logins, so that an office behind one address can work', async () => {
      for (let person = 0; person < 80; person += 1) {
        const attempt = { username: `person${person}`, address: HOME };
        expect(await throttle().check(attempt), `person ${person}`).to.deep.equal(allowed);
        await throttle().succeeded(attempt);
      }
    });

    it('gives an attacker nothing back for logins of their own', async () => {
      let passed = 0;
      for (let round = 0; round < 80; round += 1) {
        if ((await spray()).allowed) passed += 1;
        const own = { username: 'mallory', address: HOME };
        if ((await throttle().check(own)).allowed) await throttle().succeeded(own);
      }
      expect(passed).to.be.at.most(50);
    });

    it('takes an IPv6 network of 64 bits as one, and no more', async () => {
      let host = 0;
      const next = (): Promise<{ allowed: boolean }> => {
        host += 1;
        return spray(`2001:db8:0:1::${host.toString(16)}`);
      };
      expect(await times(60, next)).to.equal(50);
      expect(await spray('2001:db8:0:2::1')).to.deep.equal(allowed);
      expect(await spray('::ffff:192.0.2.1')).to.deep.equal(allowed);
    });
  });

  it('tells how many failures count, for an address and for an account', async () => {
    const asked = throttle();
    expect(await asked.failures({ address: HOME })).to.equal(0);
    for (const username of ['alice', 'alice', 'bob']) await asked.check({ username, address: HOME });
    expect(await asked.failures({ address: HOME })).to.equal(3);
    expect(await asked.failures({ username: 'alice', address: elsewhere() })).to.equal(2);
    time += 24;
    expect(await asked.failures({ address: HOME })).to.equal(1);
    time += 3600;
    expect(await asked.failures({ username: 'alice', address: HOME })).to.equal(0);
  });

  it('keeps neither names nor addresses, and other hashes under another SECRET_KEY', async () => {
    await throttle().check({ username: 'alice', address: HOME });
    await throttle({ settings: { SECRET_KEY: 'another' } }).check({ username: 'alice', address: HOME });
    const buckets: string[] = await database.knex('koa_login_attempts').pluck('bucket');
    expect(buckets).to.have.lengthOf(6);
    for (const bucket of buckets) expect(bucket).to.match(/^(?:account|address|exact):[0-9a-f]{64}$/);
  });

  it('goes by the clock of the database when it is given none', async () => {
    const real = new LoginThrottle(database.knex, { settings: SETTINGS });
    const limits = { account: { free: 1, healsIn: 60, firstWait: 30, longestWait: 30 } };
    expect(await real.check({ username: 'alice', address: HOME })).to.deep.equal(allowed);
    const strict = new LoginThrottle(database.knex, { settings: SETTINGS, limits });
    expect(await strict.check({ username: 'bob', address: HOME })).to.deep.equal(allowed);
    const answer = await strict.check({ username: 'bob', address: HOME });
    expect(answer.allowed).to.equal(false);
    expect(answer.allowed ? 0 : answer.retry_after).to.be.within(20, 30);
    const { rows } = await database.knex.raw<{ rows: { near: boolean }[] }>(
      `SELECT abs(extract(epoch FROM counted_at - now())) < 30 AS near FROM koa_login_attempts`,
    );
    expect(rows.every(({ near }) => near)).to.equal(true);
  });

  it('removes rows that say nothing any more, a few at a time, and no others', async () => {
    const asked = throttle();
    for (let index = 0; index < 20; index += 1) await asked.check({ username: `u${index}`, address: elsewhere() });
    expect(await asked.prune()).to.equal(0);
    time += 86_400;
    await asked.succeeded({ username: 'alice', address: HOME });
    for (let index = 0; index < 100; index += 1) await asked.check({ username: 'alice', address: HOME });
    // `check` does not wait for it.
    const buckets = await until(
      async () => {
        const left: string[] = await database.knex('koa_login_attempts').pluck('bucket');
        return left.length <= 2 ? left : undefined;
      },
      { seconds: 60, what: () => 'the removal' },
    );
    expect(buckets.map((bucket) => bucket.split(':')[0]).sort()).to.deep.equal(['address', 'known']);
  });

  it('answers each of a crowd of attempts and logins of one account, in two spellings, from one address and others', async () => {
    const limits = {
      account: { ...THROTTLE_LIMITS.account, free: 1000 },
      address: { ...THROTTLE_LIMITS.address, free: 1000 },
    };
    const servers = [throttle({ limits }), throttle({ limits })];
    const visitors = Array.from({ length: 10 }, async (_, place) => {
      const server = servers[place % 2] ?? throttle();
      for (let round = 0; round < 40; round += 1) {
        const username = place % 3 === 0 ? 'Alice' : 'alice';
        const attempt = { username, address: place < 2 ? HOME : elsewhere() };
        expect(await server.check(attempt)).to.deep.equal(allowed);
        // Half of them log in: that takes the locks of the same rows.
        if (place % 2 === 0) await server.succeeded(attempt);
      }
    });
    await Promise.all(visitors);
    expect(await throttle().failures({ address: HOME })).to.equal(40);
  });

  it('lets nobody in while the database is away', async () => {
    const knex = connectKnex('postgres://nobody@127.0.0.1:1/nothing', { connect_timeout: 1 });
    const error = await new LoginThrottle(knex, { settings: SETTINGS })
      .check({ username: 'alice', address: HOME })
      .catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(StoreUnavailable);
    await knex.destroy();
  });

  it('refuses limits that make no sense', () => {
    const { account } = THROTTLE_LIMITS;
    for (const limits of [
      { account: { ...account, free: 0 } },
      { account: { ...account, free: 1.5 } },
      { address: { ...account, healsIn: 0 } },
      { address: { ...account, firstWait: Number.NaN } },
      { account: { ...account, longestWait: 1 } },
      { knownFor: Number.POSITIVE_INFINITY },
    ]) {
      expect(() => throttle({ limits })).to.throw(ImproperlyConfigured);
    }
  });
});

describe('addressBlock', () => {
  for (const [address, block] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:DB8:0:0:ffff::', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['', ''],
    ['unknown', 'unknown'],
    ['1.2.3', '1.2.3'],
  ] as const) {
    it(`of ${JSON.stringify(address)} is ${JSON.stringify(block)}`, () => {
      expect(addressBlock(address)).to.equal(block);
    });
  }
});
