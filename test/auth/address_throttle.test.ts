/** A limit for each address on a real PostgreSQL, with a clock that the test turns. */
import { expect } from 'chai';
import { AddressThrottle, type AddressThrottleOptions } from '../../server/auth/address_throttle.js';
import { LoginThrottle } from '../../server/auth/throttle.js';
import { connectKnex } from '../../server/db/knex.js';
import { ImproperlyConfigured, StoreUnavailable } from '../../server/errors.js';
import { until } from '../fire/until.js';
import { NOW } from '../http/serve.js';
import { databaseOfSuite } from '../support/database.js';

const settings = { SECRET_KEY: 'a key for tests' };
const HOME = '192.0.2.1';

describe('AddressThrottle', () => {
  const database = databaseOfSuite();
  let time = NOW;
  const throttle = (options: Partial<AddressThrottleOptions> = {}): AddressThrottle =>
    new AddressThrottle(database.knex, {
      settings,
      name: 'test',
      limit: { free: 3, healsIn: 10 },
      now: () => time,
      ...options,
    });

  beforeEach(async () => {
    time = NOW;
    await database.knex('koa_login_attempts').delete();
  });

  async function passed(count: number, address = HOME, by = throttle()): Promise<number> {
    const answers = await Promise.all(Array.from({ length: count }, () => by.check(address)));
    return answers.filter(({ allowed }) => allowed).length;
  }

  it('lets so many requests pass at once, and each of a hundred at the same time counts', async () => {
    expect(await passed(100)).to.equal(3);
  });

  it('says how long to wait, and lets one pass then', async () => {
    await passed(3);
    expect(await throttle().check(HOME)).to.deep.equal({ allowed: false, retry_after: 10 });
    time += 9.5;
    expect(await throttle().check(HOME)).to.deep.equal({ allowed: false, retry_after: 1 });
    time += 0.5;
    expect(await passed(5)).to.equal(1);
  });

  it('counts no request that was refused, so that whoever waits as told gets one', async () => {
    await passed(200);
    time += 10;
    expect(await throttle().check(HOME)).to.deep.equal({ allowed: true });
  });

  it('heals whole with time', async () => {
    await passed(10);
    time += 30;
    expect(await passed(10)).to.equal(3);
  });

  it('tells the wait without counting', async () => {
    expect(await throttle().wait(HOME)).to.equal(0);
    await passed(2);
    for (let i = 0; i < 5; i += 1) expect(await throttle().wait(HOME)).to.equal(0);
    await passed(1);
    for (let i = 0; i < 5; i += 1) expect(await throttle().wait(HOME)).to.equal(10);
    time += 10;
    expect(await passed(5)).to.equal(1);
  });

  it('counts an IPv6 network of 64 bits as one client, and other addresses apart', async () => {
    expect(await passed(5, '2001:db8::1')).to.equal(3);
    expect(await passed(5, '2001:db8::ffff:2')).to.equal(0);
    expect(await passed(5, '2001:db8:0:1::1')).to.equal(3);
    expect(await passed(5, HOME)).to.equal(3);
    expect(await passed(5, `::ffff:${HOME}`)).to.equal(0);
  });

  it('counts by name, apart from other names and from logins', async () => {
    expect(await passed(5)).to.equal(3);
    expect(await passed(5, HOME, throttle({ name: 'other' }))).to.equal(3);
    const logins = new LoginThrottle(database.knex, { settings, now: () => time });
    expect(await logins.failures({ address: HOME })).to.equal(0);
  });

  it('keeps no address as it is', async () => {
    await passed(1);
    expect(JSON.stringify(await database.knex('koa_login_attempts'))).to.not.include(HOME);
  });

  it('does not go back in time when a clock does', async () => {
    await passed(3);
    time -= 3600;
    expect(await passed(5)).to.equal(0);
    time += 3600;
    expect(await passed(5)).to.equal(0);
  });

  it('removes rows that say nothing any more, so that a flood from many addresses does not stay', async () => {
    const by = throttle();
    for (let i = 0; i < 90; i += 1) await by.check(`10.0.0.${i}`);
    time += 3600;
    for (let i = 0; i < 10; i += 1) await by.check(HOME);
    // No visitor waits for it.
    await until(async () => ((await database.knex('koa_login_attempts')).length === 1 ? true : undefined), {
      seconds: 30,
      what: () => 'the removal',
    });
  });

  it('goes by the clock of the database unless given one', async () => {
    const by = new AddressThrottle(database.knex, { settings, name: 'test', limit: { free: 2, healsIn: 3600 } });
    expect(await passed(5, HOME, by)).to.equal(2);
    expect(await by.wait(HOME)).to.be.within(3590, 3600);
  });

  it('fails as unavailable when the database is away', async () => {
    const away = new AddressThrottle(connectKnex('postgres://nobody:x@127.0.0.1:1/none'), {
      settings,
      name: 'test',
      limit: { free: 3, healsIn: 10 },
    });
    for (const ask of [away.check(HOME), away.wait(HOME)]) {
      expect(await ask.catch((error: unknown) => error)).to.be.instanceOf(StoreUnavailable);
    }
  });

  for (const [what, options] of [
    ['a limit of no requests', { limit: { free: 0, healsIn: 10 } }],
    ['a time that is none', { limit: { free: 1, healsIn: Number.NaN } }],
    ['a time of nothing', { limit: { free: 1, healsIn: 0 } }],
    ['a name with a colon', { name: 'account:x' }],
    ['an empty name', { name: '' }],
  ] as const) {
    it(`refuses ${what} at once`, () => {
      expect(() => throttle(options)).to.throw(ImproperlyConfigured, /is not allowed\. Use 1/);
    });
  }
});
