/** A locked row, a slow statement, a full pool: whoever needs it waits, within a bound, and the others go on. */
import { expect } from 'chai';
import type { Knex } from 'knex';
import { PASSWORD } from '../planted.js';
import type { ServerProcess } from '../processes.js';
import { suiteUnderFire } from '../suite.js';
import { until } from '../until.js';
import { type Answer, Visitor } from '../visitor.js';

/** DATABASE_TIMEOUT of these servers, seconds: so long that a busy machine does in it what is not held up. */
const TIMEOUT = 3;
/** Seconds within which whoever waits is told. */
const BOUND = 3 * TIMEOUT;
/** Seconds that the others may take: less than any timeout, and much for a busy machine. */
const SOON = 0.8 * TIMEOUT;

describe('under fire: what is held up, and what is not', function () {
  this.timeout(180_000);
  const fire = suiteUnderFire();
  const { database, planted } = fire;
  let server: ServerProcess;
  /** With three connections. */
  let small: ServerProcess;

  before(async () => {
    const environment = { DATABASE_TIMEOUT: `${TIMEOUT}`, TRUSTED_PROXIES: '127.0.0.1' };
    [server, small] = await Promise.all([fire.start(environment), fire.start({ ...environment, DATABASE_POOL: '3' })]);
  });

  const times = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
  const sessions = (count: number): Promise<string[]> =>
    Promise.all(times(count).map((i) => planted.session({ visits: i })));

  /** Do `work` while another connection holds what `lock` takes. */
  async function whileHeld(lock: (transaction: Knex.Transaction) => Promise<unknown>, work: () => Promise<void>) {
    const transaction = await database.knex.transaction();
    try {
      await lock(transaction);
      await work();
    } finally {
      await transaction.rollback();
    }
  }
  const rows = (sessionKeys: readonly string[]) => (transaction: Knex.Transaction) =>
    transaction('django_session')
      .whereIn('session_key', [...sessionKeys])
      .forUpdate();

  /** Reads and writes of a hundred other sessions, over a second or so, while `held` waits. */
  async function othersGoOn(url: string, held: Promise<readonly Answer[]>): Promise<readonly Answer[]> {
    let waiting = true;
    void held.then(() => {
      waiting = false;
    });
    const others = await sessions(20);
    const slowest: { seconds: number; what: string } = { seconds: 0, what: '' };
    let asked = 0;
    for (let round = 0; round < 40 && waiting; round += 1) {
      await Promise.all(
        others.map(async (session_key, i) => {
          const visitor = new Visitor(session_key);
          const write = i % 2 === 0;
          const answer = await visitor.ops(url, write ? ['set', 'round', round] : ['get', 'visits']);
          expect(answer.status, `${write ? 'a write' : 'a read'} of another session`).to.equal(200);
          asked += 1;
          if (answer.seconds > slowest.seconds) Object.assign(slowest, { seconds: answer.seconds, what: `${i}` });
        }),
      );
    }
    expect(asked).to.be.greaterThan(20);
    expect(slowest.seconds, 'the slowest answer to another session').to.be.below(SOON);
    return held;
  }

  function expectGivenUp(answers: readonly Answer[]): void {
    for (const answer of answers) {
      expect(answer.status, answer.text).to.equal(503);
      expect(answer.headers).to.have.property('retry-after');
      const cookies = answer.headers['set-cookie'] ?? [];
      expect(
        cookies.filter((line) => line.startsWith('sessionid=')),
        'session cookies',
      ).to.be.empty;
      expect(answer.seconds).to.be.below(BOUND);
    }
  }

  for (const [name, url] of [
    ['ten connections', () => server.url],
    ['three connections', () => small.url],
  ] as const) {
    describe(`with ${name}`, () => {
      it('a locked row holds up those who write it, thirty at once, and nobody else', async () => {
        const session_key = await planted.session({ visits: 1 });
        await whileHeld(rows([session_key]), async () => {
          const writers = Promise.all(
            times(30).map((i) => new Visitor(session_key).ops(url(), ['set', `late ${i}`, true])),
          );
          expectGivenUp(await othersGoOn(url(), writers));
          const reader = await new Visitor(session_key).ops(url(), ['get', 'visits']);
          expect(reader.results).to.deep.equal([1]);
        });
        expect((await new Visitor(session_key).ops(url(), ['set', 'after', true])).status).to.equal(200);
        expect(await planted.read(session_key)).to.deep.equal({ visits: 1, after: true });
      });

      it('fifteen locked rows hold up those who write, cycle and end them, and nobody else', async () => {
        const locked = await sessions(15);
        await whileHeld(rows(locked), async () => {
          const ops = [[['set', 'late', 1]], [['cycle_key']], [['flush']]];
          const writers = Promise.all(
            locked.map((session_key, i) => new Visitor(session_key).ops(url(), ...(ops[i % 3] ?? []))),
          );
          expectGivenUp(await othersGoOn(url(), writers));
        });
        for (const [i, session_key] of locked.entries()) {
          expect(await planted.read(session_key)).to.deep.equal({ visits: i });
        }
      });

      it('two statements that are stuck hold up those who share them, and nobody else', async () => {
        for (const statement of [/SELECT .*session_data.* FROM django_session/s, /UPDATE django_session/]) {
          const stuck = fire.proxy.set({ statement, when: 'before', action: 'hold', times: 2 });
          const held: Promise<Answer>[] = [];
          for (const session_key of await sessions(2)) {
            held.push(new Visitor(session_key).ops(url(), ['set', 'late', 1]));
            await until(() => stuck.caught === held.length || undefined, {
              seconds: TIMEOUT,
              what: () => `a statement to be stuck: ${statement}`,
            });
          }
          expectGivenUp(await othersGoOn(url(), Promise.all(held)));
          await fire.proxy.mend();
        }
      });

      it('a locked table of users holds up those who are logged in, and no other session', async () => {
        const user = await planted.user();
        const logged_in = await Promise.all(times(30).map(() => planted.session({}, user)));
        await whileHeld(
          (transaction) => transaction.raw('LOCK TABLE auth_user IN ACCESS EXCLUSIVE MODE'),
          async () => {
            const held = Promise.all(logged_in.map((key) => new Visitor(key).get(`${url()}/api/me/`)));
            expectGivenUp(await othersGoOn(url(), held));
          },
        );
        const after = await Promise.all(logged_in.map((key) => new Visitor(key).get(`${url()}/api/me/`)));
        for (const { text } of after) expect(text).to.contain(user.username);
      });

      it('a locked table of a page holds up those who look at that page, and nobody else', async () => {
        await whileHeld(
          (transaction) => transaction.raw('LOCK TABLE koa_goods IN ACCESS EXCLUSIVE MODE'),
          async () => {
            const held = Promise.all(times(30).map(() => new Visitor().get(`${url()}/goods/`)));
            expectGivenUp(await othersGoOn(url(), held));
          },
        );
      });

      it('a locked table of attempts holds up those who log in, and nobody else', async () => {
        const { username } = await planted.user();
        await whileHeld(
          (transaction) => transaction.raw('LOCK TABLE koa_login_attempts IN ACCESS EXCLUSIVE MODE'),
          async () => {
            const held = Promise.all(
              times(30).map(() => new Visitor().post(`${url()}/login/`, { username, password: 'wrong' })),
            );
            expectGivenUp(await othersGoOn(url(), held));
          },
        );
      });
    });
  }

  it('a locked user cannot log in for a while, keeps the session as it was, and others log in', async () => {
    const [locked, other] = [await planted.user(), await planted.user()];
    const session_key = await planted.session({ viewed: [1, 2] });
    const visitor = new Visitor(session_key);
    const login = (who: Visitor, { username }: { readonly username: string }): Promise<Answer> =>
      who.post(`${server.url}/login/`, { username, password: PASSWORD });
    await whileHeld(
      (transaction) => transaction('auth_user').where({ id: locked.id }).forUpdate(),
      async () => {
        const held = login(visitor, locked);
        const passed = await login(new Visitor(undefined, { 'x-forwarded-for': '10.0.0.1' }), other);
        expect(passed.status).to.equal(302);
        expect(passed.seconds).to.be.below(SOON);
        expectGivenUp(await othersGoOn(server.url, Promise.all([held])));
      },
    );
    expect(visitor.session_key).to.equal(session_key);
    expect(await planted.read(session_key)).to.deep.equal({ viewed: [1, 2] });
    expect((await login(visitor, locked)).status).to.equal(302);
    expect(await planted.read(visitor.session_key ?? '')).to.deep.equal({ viewed: [1, 2], ...planted.login(locked) });
  });
});
