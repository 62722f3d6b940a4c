/** Guessing passwords at the whole server, over two processes and a restart: counted in the database, and healing. */
import { expect } from 'chai';
import { make_password } from '../../../server/auth/hashers.js';
import { UserTable } from '../../../server/auth/users.js';
import { PASSWORD } from '../../fire/planted.js';
import type { Environment, ServerProcess } from '../../fire/processes.js';
import { suiteUnderFire } from '../../fire/suite.js';
import { type Answer, Visitor } from '../../fire/visitor.js';

// As documented: server/auth/throttle_limits.ts.
const FREE = 5;
const FIRST_WAIT = 15;
const LONGEST_WAIT = 900;
const FREE_BY_ADDRESS = 50;

describe('security: logins', function () {
  this.timeout(60_000);
  const fire = suiteUnderFire();
  const { database, planted } = fire;
  let environment: Environment;
  /** Two behind a proxy that they trust, and one that trusts nobody and asks for a captcha after failures. */
  let behind: ServerProcess[] = [];
  let alone: ServerProcess;

  before(async () => {
    environment = { TRUSTED_PROXIES: '127.0.0.1', DATABASE_TIMEOUT: '5' };
    behind = await Promise.all([fire.start(environment), fire.start(environment)]);
    alone = await fire.start({ ...environment, TRUSTED_PROXIES: '', LOGIN_CAPTCHA: 'after_failures' });
  });
  afterEach(async () => {
    await database.knex('koa_login_attempts').delete();
  });

  let turn = 0;
  /** By another process and another browser each time. An empty password counts as any other and costs no hashing. */
  function attempt(username: string, address: string, password = ''): Promise<Answer> {
    turn += 1;
    const visitor = new Visitor(undefined, { 'x-forwarded-for': address });
    return visitor.post(`${behind[turn % 2]?.url}/login/`, { username, password });
  }
  async function fail(
    username: string,
    times: number,
    address = (i: number): string => `198.51.100.${i}`,
  ): Promise<void> {
    for (let i = 0; i < times; i += 1) expect((await attempt(username, address(i))).status).to.equal(200);
  }
  /** Let so many seconds go by, for the table. */
  const pass = (seconds: number): Promise<unknown> =>
    database.knex.raw(
      `UPDATE koa_login_attempts SET counted_at = counted_at - :ago, retry_at = retry_at - :ago, forget_at = forget_at - :ago`.replaceAll(
        ':ago',
        `interval '${seconds} seconds'`,
      ),
    );

  it('for one account, from whichever address, wait after five, with 429 and Retry-After', async () => {
    const { username } = await planted.user();
    await fail(username, FREE);
    const answer = await attempt(username, '203.0.113.7', PASSWORD);
    expect(answer.status).to.equal(429);
    expect(Number(answer.headers['retry-after'])).to.be.within(FIRST_WAIT - 5, FIRST_WAIT);
    expect(answer.text).to.not.include(PASSWORD);
    expect((await attempt((await planted.user()).username, '203.0.113.7', PASSWORD)).status).to.equal(302);
  });

  it('are counted each when they come at once', async () => {
    const { username } = await planted.user();
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => attempt(username, `198.51.100.${i}`)));
    expect(answers.filter(({ status }) => status === 200)).to.have.lengthOf(FREE);
    expect(answers.filter(({ status }) => status === 429)).to.have.lengthOf(30 - FREE);
  });

  it('are remembered over a restart, and forgotten by themselves', async () => {
    const { username } = await planted.user();
    await fail(username, FREE);
    await Promise.all(behind.map((server) => server.stop()));
    behind = await Promise.all([fire.start(environment), fire.start(environment)]);
    expect((await attempt(username, '203.0.113.7', PASSWORD)).status).to.equal(429);
    await pass(FIRST_WAIT);
    expect((await attempt(username, '203.0.113.7', PASSWORD)).status).to.equal(302);
  });

  it('let the owner in at once where they have logged in before, whatever strangers do', async () => {
    const { username } = await planted.user();
    expect((await attempt(username, '203.0.113.7', PASSWORD)).status).to.equal(302);
    await fail(username, FREE);
    expect((await attempt(username, '203.0.113.8', PASSWORD)).status).to.equal(429);
    expect((await attempt(username, '203.0.113.7', PASSWORD)).status).to.equal(302);
  });

  it('let the owner in from a new address after waiting as told, never more than fifteen minutes', async () => {
    const { username } = await planted.user();
    await fail(username, FREE);
    for (let i = 0; i < 8; i += 1) {
      await pass(LONGEST_WAIT);
      await attempt(username, `198.51.100.${i}`);
    }
    const told = await attempt(username, '203.0.113.8', PASSWORD);
    const wait = Number(told.headers['retry-after'] ?? 0);
    expect(wait).to.be.at.most(LONGEST_WAIT);
    await pass(wait);
    expect((await attempt(username, '203.0.113.8', PASSWORD)).status).to.equal(302);
  });

  it('that spray one password over many accounts are caught by their address', async () => {
    const spray = (i: number): Promise<Answer> => attempt(`account${i}`, '198.51.100.1');
    for (let i = 0; i < FREE_BY_ADDRESS; i += 10) {
      const answers = await Promise.all(Array.from({ length: 10 }, (_, k) => spray(i + k)));
      expect(answers.map(({ status }) => status)).to.deep.equal(Array(10).fill(200));
    }
    expect((await spray(50)).status).to.equal(429);
    expect((await attempt('account51', '198.51.100.2')).status).to.equal(200);
  });

  it('are one visitor to a server that trusts no proxy, whatever X-Forwarded-For says', async () => {
    const post = (i: number): Promise<Answer> =>
      new Visitor(undefined, {
        'x-forwarded-for': `198.51.100.${i}`,
        forwarded: `for=198.51.100.${i}`,
        'x-real-ip': `198.51.100.${i}`,
        'client-ip': `198.51.100.${i}`,
      }).post(`${alone.url}/login/`, { username: `account${i}`, password: '' });
    // The captcha comes first once this address has failed some times; it is not what is looked at here.
    await post(1);
    const addresses = await database.knex('koa_login_attempts').where('bucket', 'like', 'address:%').select();
    await post(2);
    const again = await database.knex('koa_login_attempts').where('bucket', 'like', 'address:%').select();
    expect(again.map(({ bucket }: { bucket: string }) => bucket)).to.deep.equal(
      addresses.map(({ bucket }: { bucket: string }) => bucket),
    );
    expect(again).to.have.lengthOf(1);
  });

  it('believe the nearest address that is no proxy, not what the client put before it', async () => {
    const { username } = await planted.user();
    await fail(username, 3, (i) => `192.0.2.${i}, 198.51.100.1`);
    const [row, ...others] = await database.knex('koa_login_attempts').where('bucket', 'like', 'address:%').select();
    expect([Number(row.attempts) > 2, others]).to.deep.equal([true, []]);
  });

  describe('with LOGIN_CAPTCHA=after_failures', () => {
    const fresh = (username: string, password = ''): Promise<Answer> =>
      new Visitor().post(`${alone.url}/login/`, { username, password });

    it('ask browsers without any cookie, by what the database has counted', async () => {
      const { username } = await planted.user();
      // Failures at the other processes and from other addresses: nothing of them is in a cookie or in this process.
      await fail(username, 3);
      const answer = await fresh(username, PASSWORD);
      expect([answer.status, answer.text.includes('src="/captcha/')]).to.deep.equal([200, true]);
      expect((await fresh((await planted.user()).username, PASSWORD)).status).to.equal(302);
    });

    it('ask an address that failed at many accounts', async () => {
      for (let i = 0; i < 3; i += 1) await fresh(`account${i}`);
      const answer = await fresh((await planted.user()).username, PASSWORD);
      expect([answer.status, answer.text.includes('src="/captcha/')]).to.deep.equal([200, true]);
    });
  });

  it('that fail look the same, whether the account is unknown, inactive, without password, or weak', async () => {
    const users = new UserTable(database.knex);
    const { username: known } = await planted.user();
    const inactive = await planted.user();
    await database.knex('auth_user').where({ id: inactive.id }).update({ is_active: false });
    await users.create_user({ username: 'unusable', password: await make_password(null) });
    await users.create_user({ username: 'malformed', password: 'pbkdf2_sha256$no$number$x' });
    const tries = [
      ['nobody-of-this-name', PASSWORD],
      [known, 'wrong'],
      [inactive.username, PASSWORD],
      [inactive.username, 'wrong'],
      ['unusable', PASSWORD],
      ['malformed', PASSWORD],
    ] as const;
    const seen = new Set<string>();
    for (const [username, password] of tries) {
      const { status, headers, text } = await attempt(username, '203.0.113.7', password);
      const page = text.replaceAll(username, 'NAME').replace(/(name="csrfmiddlewaretoken" value=")\w+/g, '$1');
      seen.add(JSON.stringify([status, Object.keys(headers), page]));
    }
    expect([...seen]).to.have.lengthOf(1);
  });

  it('take a new key each time, and leave no row of the old one', async () => {
    const user = await planted.user();
    const visitor = new Visitor(await planted.session({ cart: [1] }), { 'x-forwarded-for': '203.0.113.7' });
    const keys = [visitor.session_key];
    for (let i = 0; i < 3; i += 1) {
      const answer = await visitor.post(`${behind[i % 2]?.url}/login/`, {
        username: user.username,
        password: PASSWORD,
      });
      expect(answer.status).to.equal(302);
      keys.push(visitor.session_key);
    }
    expect(new Set(keys).size).to.equal(4);
    for (const key of keys.slice(0, 3)) expect(await planted.read(key ?? '')).to.equal(null);
    expect(await planted.read(keys[3] ?? '')).to.deep.include({ cart: [1], _auth_user_id: String(user.id) });
  });
});
