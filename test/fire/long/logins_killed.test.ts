/** A server is killed at each statement of a login: the login is whole, or the session is what it was. */
import { expect } from 'chai';
import type { User } from '../../../server/auth/user.js';
import type { Trap } from '../fault_proxy.js';
import { PASSWORD } from '../planted.js';
import type { ServerProcess } from '../processes.js';
import { suiteUnderFire } from '../suite.js';
import { until } from '../until.js';
import { Visitor } from '../visitor.js';

/** In their order. */
const STATEMENTS: Readonly<Record<string, RegExp>> = {
  'SELECT FOR UPDATE': /FOR UPDATE\s*$/,
  'UPDATE of the session': /UPDATE django_session SET session_key/,
  'UPDATE of the user': /SET "last_login"/,
};

describe('under fire: a server is killed while it logs somebody in', function () {
  this.timeout(60_000);
  const fire = suiteUnderFire();
  const { database, planted } = fire;
  let server: ServerProcess;
  let user: User;

  before(async () => {
    user = await planted.user();
  });
  beforeEach(async () => {
    server = await fire.start({ TRUSTED_PROXIES: '127.0.0.1' });
    await database.knex('django_session').delete();
    await database.knex('auth_user').update({ last_login: null });
  });
  afterEach(() => server?.stop());

  /** Kill the server when `trap` springs, and wait until the database knows. @returns the key of the session from before */
  async function killed(trap: Trap): Promise<string> {
    const session_key = await planted.session({ cart: [1] });
    const set = fire.proxy.set(trap);
    const visitor = new Visitor(session_key, { 'x-forwarded-for': '10.9.0.1' });
    const answer = visitor
      .post(`${server.url}/login/`, { username: user.username, password: PASSWORD })
      .catch(() => null);
    await set.sprung;
    server.kill('SIGKILL');
    await server.exited;
    expect(await answer, 'an answer').to.equal(null);
    await fire.proxy.mend();
    await until(
      async () => {
        const { rows } = await database.knex.raw(
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
             AND application_name = 'koa-django-session' AND (state <> 'idle' OR backend_xid IS NOT NULL)`,
        );
        return rows.length === 0 ? true : undefined;
      },
      { seconds: 20, what: () => 'the end of the killed server’s transaction' },
    );
    return session_key;
  }

  async function expectAsBefore(session_key: string): Promise<void> {
    expect(await planted.all()).to.deep.equal(new Map([[session_key, { cart: [1] }]]));
    expect(await lastLogin()).to.equal(null);
  }
  async function expectLoggedIn(session_key: string): Promise<void> {
    const rows = [...(await planted.all())];
    expect(rows.map(([, values]) => values)).to.deep.equal([{ cart: [1], ...planted.login(user) }]);
    expect(rows[0]?.[0]).to.not.equal(session_key);
    expect(await lastLogin()).to.be.instanceOf(Date);
  }
  const lastLogin = async (): Promise<Date | null> =>
    (await database.knex('auth_user').where({ id: user.id }).first('last_login')).last_login;

  for (const [name, statement] of Object.entries(STATEMENTS)) {
    for (const when of ['before', 'after'] as const) {
      it(`${when} ${name}: the session is what it was`, async () => {
        await expectAsBefore(await killed({ statement, when, action: 'hold' }));
      });
    }
  }

  it('before COMMIT: the session is what it was', async () => {
    await expectAsBefore(await killed({ statement: /^COMMIT/i, when: 'before', action: 'hold' }));
  });

  it('after COMMIT: the login is whole', async () => {
    await expectLoggedIn(await killed({ statement: /^COMMIT/i, when: 'after', action: 'hold' }));
  });
});
