/** What visitors see while the database is away, in every way in which it can be, and after it has come back. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { User } from '../../../server/auth/user.js';
import { databaseOfSuite } from '../../support/database.js';
import { PASSWORD } from '../planted.js';
import type { ServerProcess } from '../processes.js';
import { suiteUnderFire } from '../suite.js';
import { until } from '../until.js';
import { type Answer, Visitor } from '../visitor.js';

/** DATABASE_TIMEOUT of the server, seconds: so long that a busy machine does in it what needs no database. */
const TIMEOUT = 2;
/** Seconds within which a page says that it cannot be had. */
const BOUND = 4 * TIMEOUT;
/** Seconds after which everybody is served again. */
const RECOVERY = 5 * TIMEOUT;

interface Fault {
  readonly begin: () => Promise<unknown>;
  readonly end: () => Promise<unknown>;
}

describe('under fire: the database is away', function () {
  this.timeout(180_000);
  const fire = suiteUnderFire();
  const { database, planted } = fire;
  // From here connections to the other database are forbidden and ended.
  const admin = databaseOfSuite();
  let server: ServerProcess;
  let user: User;

  before(async () => {
    server = await fire.start({ DATABASE_TIMEOUT: `${TIMEOUT}` });
    user = await planted.user();
  });

  const name = (): string => new URL(database.url).pathname.slice(1);
  const terminate = (): Promise<unknown> =>
    admin.knex.raw('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ?', [name()]);
  const through = (mode: 'refuse' | 'reset' | 'silent'): Fault => ({
    begin: () => fire.proxy.become(mode),
    end: () => fire.proxy.mend(),
  });
  const faults: Readonly<Record<string, Fault>> = {
    'connections are refused': through('refuse'),
    'connections are reset': through('reset'),
    'nothing answers any more': through('silent'),
    'connections are forbidden': {
      begin: async () => {
        await admin.knex.raw('ALTER DATABASE ?? WITH ALLOW_CONNECTIONS false', [name()]);
        await terminate();
      },
      end: () => admin.knex.raw('ALTER DATABASE ?? WITH ALLOW_CONNECTIONS true', [name()]),
    },
    'the password is not accepted': {
      begin: async () => {
        await admin.knex.raw("UPDATE pg_authid SET rolvaliduntil = now() - interval '1 day' WHERE rolname = ?", [
          new URL(database.url).username,
        ]);
        await terminate();
      },
      end: () =>
        admin.knex.raw('UPDATE pg_authid SET rolvaliduntil = NULL WHERE rolname = ?', [new URL(database.url).username]),
    },
  };

  /** The cookies that a visitor must keep while the database is away. */
  const kept = (visitor: Visitor): unknown => visitor.session_key;

  function expectUnavailable(answer: Answer, what: string): void {
    expect(answer.status, what).to.equal(503);
    expect(Number(answer.headers['retry-after']), `${what}: Retry-After`).to.be.within(1, 60);
    expect(answer.seconds, `${what}: seconds`).to.be.below(BOUND);
    const lines = (answer.headers['set-cookie'] ?? []).filter((line) => line.startsWith('sessionid='));
    expect(lines, `${what}: session cookies`).to.be.empty;
    expect(answer.text, what).to.not.match(/ECONN|postgres|knex|SELECT|node_modules/);
  }

  for (const [situation, fault] of Object.entries(faults)) {
    it(`${situation}: 503 in time where it is needed, all else works, and nobody is logged out`, async () => {
      const sessionKeys = await Promise.all([1, 2, 3].map(() => planted.session({ visits: 1 }, user)));
      const visitors = sessionKeys.map((session_key) => new Visitor(session_key));
      const [visitor = new Visitor()] = visitors;
      for (const each of visitors) expect((await each.get(`${server.url}/api/me/`)).text).to.contain(user.username);
      const { pid } = server;

      await fault.begin();
      try {
        const needing: Readonly<Record<string, () => Promise<Answer>>> = {
          'GET /api/me/': () => visitor.get(`${server.url}/api/me/`),
          'GET /index1/': () => visitor.get(`${server.url}/index1/`),
          'GET /goods/ without a session': () => new Visitor().get(`${server.url}/goods/`),
          'GET /goods/1/': () => visitor.get(`${server.url}/goods/1/`),
          'GET /second-login/': () => visitor.get(`${server.url}/second-login/`),
          'GET /captcha/': () => visitor.get(`${server.url}/captcha/`),
          'GET /captcha/ without a session': () => new Visitor().get(`${server.url}/captcha/`),
          'POST /lab/api/': () => visitor.ops(server.url, ['set', 'visits', 2]),
          'POST /logout/': () => visitor.post(`${server.url}/logout/`),
          'POST /login/': () =>
            new Visitor().post(`${server.url}/login/`, { username: user.username, password: PASSWORD }),
          'GET /readyz': () => visitor.get(`${server.url}/readyz`),
        };
        await Promise.all(
          Object.entries(needing).map(async ([what, ask]) => {
            expectUnavailable(await ask(), what);
          }),
        );

        for (const path of ['/livez', '/static/style.css', '/index1/', '/last-visit/', '/login/']) {
          const answer = await new Visitor().get(`${server.url}${path}`);
          expect(answer.status, path).to.equal(200);
          expect(answer.seconds, path).to.be.below(TIMEOUT);
        }
        expect((await visitor.get(`${server.url}/static/style.css`)).status).to.equal(200);

        const crowd = await Promise.all(
          Array.from({ length: 60 }, async (_, i) => {
            // They come one after another, so that some wait behind others that wait.
            await pause(i * 25);
            return new Visitor(sessionKeys[i % 3]).get(`${server.url}${i % 2 === 0 ? '/api/me/' : '/goods/'}`);
          }),
        );
        for (const [i, answer] of crowd.entries()) expectUnavailable(answer, `request ${i} of a crowd`);
        expect(visitors.map(kept)).to.deep.equal(sessionKeys);
      } finally {
        await fault.end();
      }

      const since = performance.now();
      await Promise.all(
        visitors.map((each) =>
          until(async () => (await each.get(`${server.url}/api/me/`)).text.includes(user.username) || undefined, {
            seconds: RECOVERY,
            what: () => 'a visitor to be known again',
          }),
        ),
      );
      expect((performance.now() - since) / 1000).to.be.below(RECOVERY);
      expect(visitors.map(kept)).to.deep.equal(sessionKeys);
      expect((await visitor.get(`${server.url}/readyz`)).status).to.equal(200);
      expect((await visitor.ops(server.url, ['get', 'visits'], ['set', 'visits', 3])).results[0]).to.equal(1);
      expect(server.ended).to.equal(false);
      expect(server.pid).to.equal(pid);
    });
  }

  it('reads go on while the database takes no writes, which are answered 503 and lose nothing', async () => {
    const session_key = await planted.session({ visits: 1 }, user);
    const visitor = new Visitor(session_key);
    await admin.knex.raw('ALTER DATABASE ?? SET default_transaction_read_only = on', [name()]);
    try {
      await terminate();
      await until(async () => (await visitor.get(`${server.url}/api/me/`)).text.includes(user.username) || undefined, {
        seconds: RECOVERY,
        what: () => 'reads after all connections were ended',
      });
      expectUnavailable(await visitor.ops(server.url, ['set', 'visits', 2]), 'a write');
      expectUnavailable(await visitor.ops(server.url, ['cycle_key']), 'a new key');
      expectUnavailable(await new Visitor().ops(server.url, ['set', 'visits', 1]), 'a new session');
      expectUnavailable(await visitor.post(`${server.url}/logout/`), 'a logout');
      expectUnavailable(
        await visitor.post(`${server.url}/login/`, { username: user.username, password: PASSWORD }),
        'a login',
      );
      expect((await visitor.get(`${server.url}/index1/`)).text).to.contain(user.username);
    } finally {
      await admin.knex.raw('ALTER DATABASE ?? RESET default_transaction_read_only', [name()]);
      await terminate();
    }
    await until(async () => (await visitor.ops(server.url, ['set', 'visits', 3])).status === 200 || undefined, {
      seconds: RECOVERY,
      what: () => 'writes to pass again',
    });
    expect(visitor.session_key).to.equal(session_key);
    expect(await planted.read(session_key)).to.deep.equal({ ...planted.login(user), visits: 3 });
  });

  it('connections that went silent for good are replaced, when new ones can be had', async () => {
    const visitor = new Visitor(await planted.session({}, user));
    const crowd = (): Promise<Answer[]> =>
      Promise.all(Array.from({ length: 20 }, () => visitor.get(`${server.url}/goods/`)));
    await crowd();
    await fire.proxy.become('lose');
    const since = performance.now();
    await until(async () => (await crowd()).every(({ status }) => status === 200) || undefined, {
      seconds: RECOVERY,
      what: () => 'twenty requests at once to be answered',
    });
    expect((performance.now() - since) / 1000).to.be.below(RECOVERY);
  });

  it('a connection that PostgreSQL ended while idle disturbs nobody for longer than a moment', async () => {
    const visitor = new Visitor(await planted.session({}, user));
    for (let i = 0; i < 5; i += 1) {
      await Promise.all(
        Array.from({ length: 8 }, () => new Visitor(visitor.session_key).get(`${server.url}/second-login/`)),
      );
      await terminate();
      await until(async () => (await visitor.get(`${server.url}/api/me/`)).text.includes(user.username) || undefined, {
        seconds: TIMEOUT,
        what: () => 'a new connection',
      });
    }
    expect(server.ended).to.equal(false);
  });
});
