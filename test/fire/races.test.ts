/** Requests that race for one session, over two server processes on one database. */
import { expect } from 'chai';
import { captchaHash } from '../../server/captcha/answer.js';
import { PASSWORD } from './planted.js';
import { PATIENT, SECRET_KEY, type ServerProcess } from './processes.js';
import { suiteUnderFire } from './suite.js';
import { Visitor } from './visitor.js';

/** The key that both processes of racing_server.ts take first. */
const FIRST_KEY = 'thesamekeyintwoprocesses00000000';
const ANSWER = 'CHK7XA';
const captcha = (): object => ({ hash: captchaHash(ANSWER, { SECRET_KEY }), expires: Date.now() / 1000 + 600 });
/** What the login form sends. */
const fields = ({ username }: { readonly username: string }): Record<string, string> => ({
  username,
  password: PASSWORD,
  captcha: ANSWER.toLowerCase(),
});
const FIFTY = Array.from({ length: 50 }, (_, i) => i);

describe('under fire: races', function () {
  this.timeout(180_000);
  const fire = suiteUnderFire();
  const { database, planted } = fire;
  /** The first is behind the proxy. */
  let servers: readonly ServerProcess[] = [];
  /** Two processes of racing_server.ts. */
  let racing: readonly ServerProcess[] = [];
  /** The one or the other, in turn. */
  const url = (i: number): string => servers[i % 2]?.url ?? '';

  before(async () => {
    const environment = {
      ...PATIENT,
      LOGIN_CAPTCHA: 'always',
      TRUSTED_PROXIES: '127.0.0.1',
      FIRST_KEY,
    };
    const direct = { ...environment, DATABASE_URL: database.url };
    servers = await Promise.all([fire.start(environment), fire.start(direct)]);
    const program = 'test/fire/racing_server.ts';
    racing = await Promise.all([fire.start(direct, program), fire.start(direct, program)]);
  });
  afterEach(() => database.knex.raw('DROP FUNCTION IF EXISTS slowly CASCADE'));

  describe('writes to one session', () => {
    it('keeps all of fifty keys that fifty requests write at once', async () => {
      const user = await planted.user();
      const session_key = await planted.session({ kept: [1.5, 'as it was'] }, user);
      const answers = await Promise.all(
        FIFTY.map((i) => new Visitor(session_key).ops(url(i), ['set', `key ${i}`, { i }])),
      );

      expect(answers.map(({ status }) => status)).to.deep.equal(FIFTY.map(() => 200));
      expect(await planted.read(session_key)).to.deep.equal({
        ...planted.login(user),
        kept: [1.5, 'as it was'],
        ...Object.fromEntries(FIFTY.map((i) => [`key ${i}`, { i }])),
      });
    });

    it('leaves one of the values whole when fifty requests write one key', async () => {
      const session_key = await planted.session({ other: 1 });
      const values = FIFTY.map((i) => ({ i, text: String(i).repeat(i * 20) }));
      const answers = await Promise.all(
        values.map((value, i) => new Visitor(session_key).ops(url(i), ['set', 'same', value])),
      );

      expect(answers.map(({ status }) => status)).to.deep.equal(FIFTY.map(() => 200));
      const { same, ...rest } = (await planted.read(session_key)) ?? {};
      expect(values).to.deep.include(same as object);
      expect(rest).to.deep.equal({ other: 1 });
    });

    it('removes what one request removes, while others write beside it', async () => {
      const session_key = await planted.session(Object.fromEntries(FIFTY.map((i) => [`old ${i}`, i])));
      const answers = await Promise.all(
        FIFTY.map((i) =>
          new Visitor(session_key).ops(url(i), i % 2 === 0 ? ['pop', `old ${i}`] : ['set', `new ${i}`, i]),
        ),
      );

      expect(answers.map(({ status }) => status)).to.deep.equal(FIFTY.map(() => 200));
      const kept = [...FIFTY.filter((i) => i % 2 === 1).flatMap((i) => [`old ${i}`, `new ${i}`])];
      expect(Object.keys((await planted.read(session_key)) ?? {}).sort()).to.deep.equal(kept.sort());
    });
  });

  describe('a slow write, while the row goes', () => {
    /** Every UPDATE and DELETE begins late by up to 6 ms, after it has looked at the clock by which it sees rows. */
    const slow = (): Promise<unknown> =>
      database.knex.raw(`
        CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN PERFORM pg_sleep(random() * 0.006); RETURN NULL; END $$;
        CREATE TRIGGER slowly BEFORE UPDATE OR DELETE ON django_session
          FOR EACH STATEMENT EXECUTE FUNCTION slowly()`);

    /**
     * `rounds` times, six at once: `round` writes and ends the session at the same time. `write` tells whether what was
     * written must be there: no, if it was interrupted, or began so late that it found no row and made a new session.
     *
     * @returns how many writes were interrupted
     */
    async function race(
      rounds: number,
      round: (i: number, write: (session_key: string) => Promise<boolean>) => Promise<void>,
    ): Promise<number> {
      await slow();
      let interrupted = 0;
      let next = 0;
      const lane = async (): Promise<void> => {
        while (next < rounds) {
          const i = next;
          next += 1;
          await round(i, async (session_key) => {
            const visitor = new Visitor(session_key);
            const { status, headers } = await visitor.ops(url(i), ['set', 'late', i]);
            expect([200, 400], 'a write passes or is interrupted').to.include(status);
            if (status === 400) expect(headers['set-cookie'] ?? [], 'cookies of an interrupted write').to.be.empty;
            if (status === 400) interrupted += 1;
            return status === 200 && visitor.session_key === session_key;
          });
        }
      };
      await Promise.all(Array.from({ length: 6 }, lane));
      return interrupted;
    }

    it('never brings the row back after a logout', async () => {
      const user = await planted.user();
      const interrupted = await race(100, async (i, write) => {
        const session_key = await planted.session({}, user);
        const browser = new Visitor(session_key);
        const [, logout] = await Promise.all([write(session_key), browser.post(`${url(i + 1)}/logout/`)]);
        expect(logout.status).to.equal(302);
        expect(await planted.read(session_key)).to.equal(null);
        expect((await new Visitor(session_key).get(`${url(i)}/api/me/`)).text).to.contain('"user":null');
      });
      expect(interrupted, 'rounds in which the logout came first').to.be.greaterThan(0);
    });

    it('never brings the row back after it was deleted', async () => {
      const interrupted = await race(100, async (_, write) => {
        const session_key = await planted.session({ a: 1 });
        await Promise.all([write(session_key), database.knex('django_session').where({ session_key }).delete()]);
        expect(await planted.read(session_key)).to.equal(null);
      });
      expect(interrupted, 'rounds in which the deletion came first').to.be.greaterThan(0);
    });

    it('is in the new row or was interrupted, when the key is cycled', async () => {
      const interrupted = await race(100, async (i, write) => {
        const session_key = await planted.session({ base: i });
        const browser = new Visitor(session_key);
        const [written, cycled] = await Promise.all([write(session_key), browser.ops(url(i + 1), ['cycle_key'])]);
        expect(cycled.status).to.equal(200);
        expect(browser.session_key).to.not.equal(session_key);
        expect(await planted.read(session_key)).to.equal(null);
        const late = written ? { late: i } : {};
        expect(await planted.read(browser.session_key ?? '')).to.deep.equal({ base: i, ...late });
      });
      expect(interrupted, 'rounds in which the new key came first').to.be.greaterThan(0);
    });

    it('never undoes a login', async () => {
      await race(60, async (i, write) => {
        const user = await planted.user();
        const session_key = await planted.session({ base: i, captcha: captcha() });
        const browser = new Visitor(session_key, { 'x-forwarded-for': `10.0.0.${i + 1}` });
        const [written, login] = await Promise.all([
          write(session_key),
          browser.post(`${url(i + 1)}/login/`, fields(user)),
        ]);
        expect(login.status, login.text).to.equal(302);
        expect(await planted.read(session_key)).to.equal(null);
        const late = written ? { late: i } : {};
        expect(await planted.read(browser.session_key ?? '')).to.deep.equal({
          base: i,
          ...late,
          ...planted.login(user),
        });
      });
    });
  });

  describe('a write that arrives when the session has ended', () => {
    const endings: Readonly<Record<string, (session_key: string) => Promise<string | undefined>>> = {
      logout: async (session_key) => {
        const browser = new Visitor(session_key);
        expect((await browser.post(`${url(1)}/logout/`)).status).to.equal(302);
        return browser.session_key;
      },
      login: async (session_key) => {
        const browser = new Visitor(session_key, { 'x-forwarded-for': '10.3.0.1' });
        expect((await browser.post(`${url(1)}/login/`, fields(await planted.user()))).status).to.equal(302);
        return browser.session_key;
      },
      cycle_key: async (session_key) => {
        const browser = new Visitor(session_key);
        expect((await browser.ops(url(1), ['cycle_key'])).status).to.equal(200);
        return browser.session_key;
      },
      flush: async (session_key) => {
        const browser = new Visitor(session_key);
        expect((await browser.ops(url(1), ['flush'])).status).to.equal(200);
        return browser.session_key;
      },
      'deletion of the row': async (session_key) => {
        await database.knex('django_session').where({ session_key }).delete();
        return undefined;
      },
    };
    const writes = { set: ['set', 'late', 1], 'save()': ['save'], cycle_key: ['cycle_key'] };
    for (const [ending, end] of Object.entries(endings)) {
      for (const [name, op] of Object.entries(writes)) {
        it(`${name} after ${ending}: 400, and neither the old row nor the new one knows of it`, async () => {
          const session_key = await planted.session({ base: 1, captcha: captcha() });
          const late = new Visitor(session_key);
          // The first statement after the one that loads.
          const statement = name === 'cycle_key' ? /FOR UPDATE\s*$/ : /UPDATE django_session/;
          const held = fire.proxy.set({ statement, when: 'before', action: 'hold' });
          const writing = late.ops(url(0), ['set', 'late', 1], op);
          await held.sprung;
          const newKey = await end(session_key);
          const expected = newKey === undefined ? null : await planted.read(newKey);
          const rows = (await planted.all()).size;
          held.release();

          const { status, headers, results } = await writing;
          if (name === 'save()') expect([status, results.at(-1)]).to.deep.equal([400, undefined]);
          else if (name === 'set') expect(status).to.equal(400);
          const cookies = (headers['set-cookie'] ?? []).filter((line) => line.startsWith('sessionid='));
          expect(cookies, 'session cookies').to.be.empty;
          expect(await planted.read(session_key)).to.equal(null);
          if (newKey !== undefined) expect(await planted.read(newKey)).to.deep.equal(expected);
          expect((await planted.all()).size, 'rows').to.equal(rows);
          expect(late.session_key).to.equal(session_key);
        });
      }
    }
  });

  it('a page’s requests that are read after a login, with the cookie from before it, leave the new one alone', async () => {
    const user = await planted.user();
    const session_key = await planted.session({ base: 1, captcha: captcha() });
    // One jar, as in a browser: whatever the late answers delete or set counts.
    const browser = new Visitor(session_key, { 'x-forwarded-for': '10.4.0.1', 'sec-fetch-mode': 'cors' });
    const held = fire.proxy.set({
      statement: /^SELECT session_(?:key|data)/,
      when: 'before',
      action: 'hold',
      times: 4,
    });
    const late = [0, 1, 2, 3].map(() => browser.get(`${url(0)}/api/me/`));
    await held.sprung;
    const login = await browser.post(`${url(1)}/login/`, fields(user));
    expect(login.status, login.text).to.equal(302);
    const newKey = browser.session_key;
    held.release();
    for (const { status, headers } of await Promise.all(late)) {
      expect(status).to.equal(200);
      expect(headers).to.not.have.property('set-cookie');
    }
    expect(browser.session_key).to.equal(newKey);
    expect((await browser.get(`${url(0)}/api/me/`)).text).to.contain(user.username);
  });

  it('serves both users when two sessions were about to take one key', async () => {
    await database.knex.raw(`
      CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END $$;
      CREATE TRIGGER slowly AFTER INSERT ON django_session FOR EACH ROW EXECUTE FUNCTION slowly()`);
    const visitors = await Promise.all(
      racing.map(async (server, i) => {
        const visitor = new Visitor();
        const { status } = await visitor.get(`${server.url}/name?is=visitor-${i}`);
        expect(status).to.equal(200);
        return visitor;
      }),
    );
    const keys = visitors.map(({ session_key }) => session_key);
    expect(keys).to.include(FIRST_KEY);
    expect(new Set(keys).size).to.equal(2);
    for (const [i, visitor] of visitors.entries()) {
      for (const server of racing) expect((await visitor.get(`${server.url}/`)).text).to.equal(`visitor-${i}`);
    }
  });

  it('counts every one of fifty atomic increments', async () => {
    const session_key = await planted.session({ other: 'kept' });
    const answers = await Promise.all(
      FIFTY.map((i) => new Visitor(session_key).get(`${racing[i % 2]?.url}/increment`)),
    );
    expect(answers.map(({ status }) => status)).to.deep.equal(FIFTY.map(() => 200));
    expect(new Set(answers.map(({ text }) => text)), 'each saw a count of its own').to.have.property('size', 50);
    expect(await planted.read(session_key)).to.deep.equal({ other: 'kept', count: 50 });
  });

  it('shows each of three hundred visitors only what is theirs', async () => {
    const visitors = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const user = await planted.user(`visitor_${i}_of_300`);
        return { i, user, visitor: new Visitor(await planted.session({ mine: `secret of ${i}` }, user)) };
      }),
    );
    await Promise.all(
      visitors.map(async ({ i, user, visitor }) => {
        const me = await visitor.get(`${url(i)}/api/me/`);
        expect(me.status, me.text).to.equal(200);
        expect(JSON.parse(me.text)).to.have.deep.property('user', { id: user.id, username: user.username });
        expect(visitor.session_key?.startsWith(JSON.parse(me.text).session_key.slice(0, 4))).to.equal(true);
        const page = await visitor.get(`${url(i + 1)}/index1/`);
        expect(new Set(page.text.match(/visitor_\d+_of_300/g))).to.deep.equal(new Set([user.username]));
        const { results } = await visitor.ops(url(i), ['get', 'mine'], ['set', 'next', i]);
        expect(results[0]).to.equal(`secret of ${i}`);
        const after = await visitor.ops(url(i + 1), ['get', 'mine'], ['get', 'next']);
        expect(after.results).to.deep.equal([`secret of ${i}`, i]);
      }),
    );
  });

  it('accepts a captcha answer once, when it is posted fifty times at once', async () => {
    const user = await planted.user();
    const session_key = await planted.session({ captcha: captcha() });
    const answers = await Promise.all(
      FIFTY.map(async (i) => {
        const visitor = new Visitor(session_key, { 'x-forwarded-for': `10.1.0.${i + 1}` });
        return { visitor, ...(await visitor.post(`${url(i)}/login/`, fields(user))) };
      }),
    );

    const accepted = answers.filter(({ status }) => status === 302);
    expect(accepted).to.have.length(1);
    for (const { status } of answers) expect([200, 302, 400]).to.include(status);
    const logins = [...(await planted.all())].filter(([, values]) => values['_auth_user_id'] === String(user.id));
    expect(logins.map(([key]) => key)).to.deep.equal([accepted[0]?.visitor.session_key]);
  });
});
