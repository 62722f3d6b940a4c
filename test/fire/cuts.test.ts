/** The connection breaks at a statement: what is answered 2xx stands whole, and there is no half login or logout. */
import { expect } from 'chai';
import type { User } from '../../server/auth/user.js';
import type { Trap } from './fault_proxy.js';
import { PASSWORD } from './planted.js';
import { PATIENT, type ServerProcess } from './processes.js';
import { suiteUnderFire } from './suite.js';
import { Visitor } from './visitor.js';

/** Every statement by which a request changes something. */
const STATEMENTS: Readonly<Record<string, RegExp>> = {
  COMMIT: /^COMMIT/i,
  BEGIN: /^BEGIN/i,
  'SELECT FOR UPDATE': /FOR UPDATE\s*$/,
  'UPDATE of a session': /UPDATE django_session/,
  'INSERT of a session': /INSERT INTO django_session/,
  'DELETE of a session': /DELETE FROM django_session/,
  'UPDATE of a user': /SET "last_login"/,
};

describe('under fire: the connection is cut at a statement', function () {
  this.timeout(180_000);
  const fire = suiteUnderFire();
  const { database, planted } = fire;
  let server: ServerProcess;
  let user: User;

  before(async () => {
    server = await fire.start({ ...PATIENT, TRUSTED_PROXIES: '127.0.0.1' });
    user = await planted.user();
  });

  let logins = 0;
  const login = (visitor: Visitor): ReturnType<Visitor['post']> =>
    visitor.post(`${server.url}/login/`, { username: user.username, password: PASSWORD });
  const browser = (session_key?: string): Visitor => {
    logins += 1;
    return new Visitor(session_key, { 'x-forwarded-for': `10.2.0.${logins}` });
  };
  /** Cut at every statement, before and after it. @returns the cuts that came about */
  async function everyCut(round: (what: string) => Promise<void>): Promise<string[]> {
    const cut: string[] = [];
    for (const [name, statement] of Object.entries(STATEMENTS)) {
      for (const when of ['before', 'after'] as const satisfies readonly Trap['when'][]) {
        const trap = fire.proxy.set({ statement, when, action: 'cut' });
        await round(`cut ${when} ${name}`);
        if (trap.caught > 0) cut.push(`${when} ${name}`);
        await fire.proxy.mend();
      }
    }
    return cut;
  }

  /** Cut at each statement of a request, one after the other, whatever it is. @returns how many cuts came about */
  async function everyStatement(round: (what: string) => Promise<void>): Promise<number> {
    let cuts = 0;
    for (const when of ['before', 'after'] as const satisfies readonly Trap['when'][]) {
      for (let skip = 0; ; skip += 1) {
        const trap = fire.proxy.set({ statement: /./s, when, action: 'cut', skip });
        await round(`cut ${when} statement ${skip + 1}`);
        await fire.proxy.mend();
        if (trap.caught === 0) break;
        cuts += 1;
      }
    }
    return cuts;
  }

  const noLogin = async (): Promise<void> => {
    await database.knex('django_session').delete();
    await database.knex('auth_user').where({ id: user.id }).update({ last_login: null });
    // There are more cuts than logins that the throttle lets an address try.
    await database.knex('koa_login_attempts').delete();
  };
  /** The rows of sessions in which the user is logged in, and whether a login was noted. */
  const loginsOf = async (): Promise<{ keys: string[]; noted: boolean }> => {
    const keys = [...(await planted.all())].filter(([, values]) => '_auth_user_id' in values).map(([key]) => key);
    const { last_login } = await database.knex('auth_user').where({ id: user.id }).first('last_login');
    return { keys, noted: last_login !== null };
  };

  it('a login is whole and answered as done, or the session is what it was: at every statement', async () => {
    const cuts = await everyStatement(async (what) => {
      await noLogin();
      const session_key = await planted.session({ viewed: [1] });
      const visitor = browser(session_key);
      const answer = await login(visitor);
      expect([302, 503], `${what}: ${answer.text}`).to.include(answer.status);
      if (answer.status === 302) {
        const whole = { viewed: [1], ...planted.login(user) };
        expect(await planted.read(visitor.session_key ?? ''), what).to.deep.equal(whole);
        expect(await planted.read(session_key), what).to.equal(null);
        expect(await loginsOf(), what).to.deep.equal({ keys: [visitor.session_key], noted: true });
      } else {
        expect(answer.headers, what).to.have.property('retry-after');
        expect(visitor.session_key, what).to.equal(session_key);
        expect(await planted.read(session_key), what).to.deep.equal({ viewed: [1] });
        expect(await loginsOf(), what).to.deep.equal({ keys: [], noted: false });
        const again = await login(visitor);
        expect(again.status, `${what}: the next try`).to.equal(302);
        expect(await planted.read(visitor.session_key ?? ''), what).to.include({ ...planted.login(user) });
      }
    });
    expect(cuts).to.be.greaterThan(12);
  });

  it('a second person’s login is whole, or the first person is still logged in: at every statement', async () => {
    const first = await planted.user();
    const cuts = await everyStatement(async (what) => {
      await noLogin();
      const session_key = await planted.session({ of: 'the first' }, first);
      const visitor = browser(session_key);
      const { status } = await login(visitor);
      expect([302, 503], what).to.include(status);
      expect(await loginsOf(), what).to.deep.equal({ keys: [visitor.session_key], noted: status === 302 });
      const row = await planted.read(visitor.session_key ?? '');
      if (status === 302) expect(row, what).to.deep.equal(planted.login(user));
      else expect(row, what).to.deep.equal({ ...planted.login(first), of: 'the first' });
      expect(visitor.session_key === session_key, what).to.equal(status === 503);
    });
    expect(cuts).to.be.greaterThan(12);
  });

  it('a login of a browser without a session is whole, or there is none: at every statement', async () => {
    const cuts = await everyStatement(async (what) => {
      await noLogin();
      const visitor = browser();
      const { status } = await login(visitor);
      expect([302, 503], what).to.include(status);
      const keys = status === 302 ? [visitor.session_key] : [];
      expect(await loginsOf(), what).to.deep.equal({ keys, noted: status === 302 });
      expect(visitor.session_key === undefined, what).to.equal(status === 503);
    });
    expect(cuts).to.be.greaterThan(8);
  });

  it('a logout is answered as done only when the row is gone', async () => {
    const cut = await everyCut(async (what) => {
      const session_key = await planted.session({ basket: [1] }, user);
      const { status } = await new Visitor(session_key).post(`${server.url}/logout/`);
      expect([302, 503], what).to.include(status);
      const row = await planted.read(session_key);
      if (status === 302) expect(row, what).to.equal(null);
      else if (row !== null) expect(row, what).to.deep.equal({ basket: [1], ...planted.login(user) });
    });
    expect(cut).to.include.members(['before DELETE of a session', 'after DELETE of a session']);
  });

  it('a write is answered as done only when the row holds all of it', async () => {
    const cut = await everyCut(async (what) => {
      const session_key = await planted.session({ base: 1 });
      // Five at once, so that some have to join what others wrote.
      const writers = await Promise.all(
        [1, 2, 3, 4, 5].map(async (writer) => {
          const keys = ['a', 'b', 'c'].map((letter) => `${letter}${writer}`);
          const ops = keys.map((key) => ['set', key, what]);
          return { keys, ...(await new Visitor(session_key).ops(server.url, ...ops)) };
        }),
      );
      const row = (await planted.read(session_key)) ?? {};
      expect(row['base'], what).to.equal(1);
      for (const { keys, status } of writers) {
        expect([200, 503], what).to.include(status);
        const written = keys.filter((key) => row[key] === what).length;
        expect(status === 200 ? [3] : [0, 3], what).to.include(written);
      }
    });
    expect(cut).to.include.members(['before COMMIT', 'after COMMIT', 'before UPDATE of a session']);
  });

  it('a new key is answered as done only when the old row is gone and the new one whole', async () => {
    const cut = await everyCut(async (what) => {
      const session_key = await planted.session({ base: 1 }, user);
      const visitor = new Visitor(session_key);
      const { status } = await visitor.ops(server.url, ['set', 'a', 1], ['cycle_key']);
      expect([200, 503], what).to.include(status);
      const old = await planted.read(session_key);
      if (status === 200) {
        expect(old, what).to.equal(null);
        expect(await planted.read(visitor.session_key ?? ''), what).to.deep.equal({
          ...planted.login(user),
          base: 1,
          a: 1,
        });
      } else {
        expect(visitor.session_key, what).to.equal(session_key);
        expect(old, what).to.deep.equal({ ...planted.login(user), base: 1 });
      }
    });
    expect(cut).to.include.members(['before COMMIT', 'after COMMIT', 'after UPDATE of a session']);
  });
});
