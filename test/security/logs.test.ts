/** Everything that the server writes, at its most verbose, while things go well and wrong: no secret is in it. */
import { connect } from 'node:net';
import { expect } from 'chai';
import { captchaHash } from '../../server/captcha/answer.js';
import { newSessionKey } from '../../server/session/key.js';
import { PASSWORD } from '../fire/planted.js';
import { PATIENT, SECRET_KEY, type ServerProcess } from '../fire/processes.js';
import { suiteUnderFire } from '../fire/suite.js';
import { until } from '../fire/until.js';
import { type Answer, Visitor } from '../fire/visitor.js';
import { raw } from './server.js';

const ANSWER = 'CHK7XA';
const WRONG_PASSWORD = 'canary-wrong-password';
const WRONG_ANSWER = 'WXYEFK';
const CART = 'canary-in-the-cart';

interface Line {
  readonly msg: string;
  readonly level: number;
  readonly [field: string]: unknown;
}

describe('security: logs', function () {
  this.timeout(180_000);
  const fire = suiteUnderFire();
  const { database, planted } = fire;
  let server: ServerProcess;
  /** What must not be found, by what it is. */
  const secrets = new Map<string, string>();

  before(async () => {
    server = await fire.start({
      ...PATIENT,
      DATABASE_URL: database.url,
      NODE_ENV: 'production',
      LOG_LEVEL: 'trace',
      LOGIN_CAPTCHA: 'always',
      INSECURE_COOKIES: 'true',
      ALLOWED_HOSTS: '127.0.0.1',
      TRUSTED_PROXIES: '127.0.0.1',
    });
    secrets.set('SECRET_KEY', SECRET_KEY);
    secrets.set("the database's password", decodeURIComponent(new URL(database.url).password));
    secrets.set('a password', PASSWORD);
    secrets.set('a wrong password', WRONG_PASSWORD);
    secrets.set("a captcha's answer", ANSWER);
    secrets.set('a wrong answer', WRONG_ANSWER);
    secrets.set('what a session holds', CART);
  });

  /** All lines so far; each is JSON but for those that a person reads at the start. */
  const lines = (): Line[] =>
    server.log
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Line);
  const lineOf = (msg: string): Promise<Line> =>
    until(() => lines().findLast((line) => line.msg === msg), { seconds: 60, what: () => `a line "${msg}"` });

  function noteCookies(visitor: Visitor, name: string): void {
    for (const [cookie, value] of visitor.cookies) secrets.set(`${name}: cookie ${cookie}`, value);
  }
  /** The row's key, text and signature, and what the login form shows as its token. */
  async function noteSession(session_key: string | undefined, name: string): Promise<void> {
    const row = await database
      .knex('django_session')
      .where({ session_key: session_key ?? '' })
      .first();
    if (row === undefined) return;
    const [payload = '', , signature = ''] = row.session_data.split(':');
    secrets.set(`${name}: key`, row.session_key);
    // An empty session's is 'e30', which is in many a number.
    if (payload.length > 8) secrets.set(`${name}: payload`, payload.slice(0, 30));
    secrets.set(`${name}: signature`, signature);
  }
  function noteToken({ text }: Answer, name: string): void {
    const token = /name="csrfmiddlewaretoken" value="(\w+)"/.exec(text)?.[1];
    if (token !== undefined) secrets.set(`${name}: token`, token);
  }
  const captcha = (): object => ({ hash: captchaHash(ANSWER, { SECRET_KEY }), expires: Date.now() / 1000 + 600 });

  async function post(visitor: Visitor, path: string, fields: Readonly<Record<string, string>>): Promise<number> {
    const page = await visitor.get(`${server.url}/login/?next=/goods/`);
    noteToken(page, path);
    noteCookies(visitor, path);
    const answer = await visitor.post(`${server.url}${path}`, fields);
    noteToken(answer, path);
    noteCookies(visitor, path);
    await noteSession(visitor.session_key, path);
    return answer.status;
  }

  it('tell of a login, with a hash of its session', async () => {
    const user = await planted.user();
    const visitor = new Visitor(await planted.session({ captcha: captcha(), cart: CART }));
    await noteSession(visitor.session_key, 'before a login');
    expect(await post(visitor, '/login/', { username: user.username, password: PASSWORD, captcha: ANSWER })).to.equal(
      302,
    );
    const line = await lineOf('user_logged_in');
    expect(line).to.include({ level: 30, user_id: user.id });
    expect(line['session']).to.match(/^[0-9a-f]{12}$/);
    expect(await post(visitor, '/logout/', {})).to.equal(302);
    expect((await lineOf('user_logged_out'))['session']).to.equal(line['session']);
  });

  it('tell of a login in a browser where somebody is logged in, with a hash of the new session', async () => {
    const [first, second] = [await planted.user(), await planted.user()];
    for (const [what, user] of [
      ['another person', second],
      ['the same person', first],
    ] as const) {
      const visitor = new Visitor(await planted.session({ captcha: captcha() }, first));
      await noteSession(visitor.session_key, what);
      const fields = { username: user.username, password: PASSWORD, captcha: ANSWER };
      expect(await post(visitor, '/login/', fields), what).to.equal(302);
      const line = await until(
        () => lines().findLast((line) => line.msg === 'user_logged_in' && line['user_id'] === user.id),
        { seconds: 60, what: () => `the login of ${what}` },
      );
      expect(line['session'], what).to.match(/^[0-9a-f]{12}$/);
      expect(await post(visitor, '/logout/', {}), what).to.equal(302);
      const out = await until(
        () => lines().findLast((line) => line.msg === 'user_logged_out' && line['user_id'] === user.id),
        { seconds: 60, what: () => `the logout of ${what}` },
      );
      expect(out['session'], `${what}: the session that is logged out`).to.equal(line['session']);
    }
  });

  it('tell of a failed login and of one that has to wait, without name and password', async () => {
    const user = await planted.user();
    const login = async (password: string, answer: string): Promise<number> =>
      post(new Visitor(await planted.session({ captcha: captcha() })), '/login/', {
        username: user.username,
        password,
        captcha: answer,
      });
    expect(await login(WRONG_PASSWORD, ANSWER)).to.equal(200);
    expect(await lineOf('user_login_failed')).to.include({ level: 40 });
    expect(await login(WRONG_PASSWORD, WRONG_ANSWER)).to.equal(200);
    for (let i = 0; i < 4; i += 1) expect(await login('', ANSWER)).to.equal(200);
    expect(await login(PASSWORD, ANSWER)).to.equal(429);
    expect(await lineOf('user_login_throttled')).to.include({ level: 40 });
  });

  it('tell of a suspicious session by its hash', async () => {
    const session_key = await planted.session({ cart: CART });
    await database
      .knex('django_session')
      .where({ session_key })
      .update({ session_data: 'eyJhIjoiY2FuYXJ5In0:1vb66i:forged-signature-canary' });
    secrets.set('a forged signature', 'forged-signature-canary');
    secrets.set('a suspicious key', session_key);
    await new Visitor(session_key).get(`${server.url}/index1/`);
    const line = await lineOf('Session data corrupted');
    expect(line['logger']).to.equal('django.security.SuspiciousSession');
    expect(line['session']).to.match(/^[0-9a-f]{12}$/);
  });

  it('tell of requests that are refused', async () => {
    const visitor = new Visitor(newSessionKey());
    noteCookies(visitor, 'a refused one');
    secrets.set('a query', 'canary-in-the-query');
    const forged = new Visitor(visitor.session_key, { origin: 'https://evil.example' });
    const asked = [
      await forged.post(`${server.url}/login/`, { password: WRONG_PASSWORD }),
      await visitor.post(`${server.url}/login/`, { csrfmiddlewaretoken: 'short', password: WRONG_PASSWORD }),
      await visitor.post(`${server.url}/login/`, { username: 'x'.repeat(3_000_000), password: WRONG_PASSWORD }),
      await visitor.get(`${server.url}/nowhere/?q=canary-in-the-query`),
      await visitor.get(`${server.url}/goods/%E0/?q=canary-in-the-query`),
    ];
    expect(asked.map(({ status }) => status)).to.deep.equal([403, 403, 413, 404, 404]);
    const cookie = `Cookie: sessionid=${visitor.session_key}\r\nConnection: close\r\n\r\n`;
    await raw(server.url, `GET http://[?canary-in-the-query HTTP/1.1\r\nHost: 127.0.0.1\r\n${cookie}`);
    await raw(server.url, `GET / HTTP/1.1\r\nHost: evil.example\r\n${cookie}`);
    await raw(server.url, `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nbroken header\r\n${cookie}`);
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      `POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: csrftoken=${'c'.repeat(32)}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\npassword=${WRONG_PASSWORD}`,
      () => socket.resetAndDestroy(),
    );
    await until(() => lines().find((line) => line.msg.includes('ended before it was complete')), {
      seconds: 60,
      what: () => 'the broken upload',
    });
  });

  describe('tell of the database’s faults, whose errors hold rows', () => {
    /** Ask for a page that saves the session, and for a login, while `statements` hold. */
    async function broken(make: readonly string[], undo: readonly string[]): Promise<number[]> {
      const user = await planted.user();
      const visitor = new Visitor(await planted.session({ captcha: captcha(), cart: CART }));
      const other = new Visitor(await planted.session({ captcha: captcha(), cart: CART }));
      for (const { session_key } of [visitor, other]) await noteSession(session_key, `${make[0]} ${session_key}`);
      secrets.set(`${make[0]}: hash of a password`, user.password);
      for (const statement of make) await database.knex.raw(statement);
      try {
        const page = await visitor.get(`${server.url}/captcha/`);
        const login = await other.post(`${server.url}/login/`, {
          username: user.username,
          password: PASSWORD,
          captcha: ANSWER,
        });
        return [page.status, login.status];
      } finally {
        for (const statement of undo) await database.knex.raw(statement);
      }
    }
    const raising = (table: string, value: string): string =>
      `CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the row: %', ${value} USING DETAIL = ${value}, HINT = ${value}; END $$;
       CREATE TRIGGER tell BEFORE UPDATE OR INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION tell()`;
    const faults: readonly (readonly [string, string, string])[] = [
      [
        'a constraint',
        'ALTER TABLE django_session ADD CONSTRAINT no CHECK (length(session_key) > 40) NOT VALID',
        'ALTER TABLE django_session DROP CONSTRAINT no',
      ],
      [
        'a trigger on sessions',
        raising('django_session', 'NEW.session_key || NEW.session_data'),
        'DROP FUNCTION tell CASCADE',
      ],
      ['a trigger on users', raising('auth_user', 'NEW.password'), 'DROP FUNCTION tell CASCADE'],
      [
        'a value of another type',
        'DELETE FROM koa_login_attempts; ALTER TABLE koa_login_attempts ALTER COLUMN bucket TYPE varchar(3)',
        'ALTER TABLE koa_login_attempts ALTER COLUMN bucket TYPE varchar(255)',
      ],
      [
        'a column that is gone',
        'ALTER TABLE auth_user RENAME COLUMN password TO secret',
        'ALTER TABLE auth_user RENAME COLUMN secret TO password',
      ],
      [
        'a table that is gone',
        'ALTER TABLE django_session RENAME TO gone',
        'ALTER TABLE gone RENAME TO django_session',
      ],
    ];
    for (const [name, make, undo] of faults) {
      it(`by ${name}`, async () => {
        const before = lines().length;
        const statuses = await broken([make], [undo]);
        expect(Math.max(...statuses), String(statuses)).to.be.at.least(500);
        const errors = lines()
          .slice(before)
          .filter(({ level }) => level >= 50);
        expect(errors).to.not.deep.equal([]);
        expect(JSON.stringify(errors)).to.include('"frames":["at ');
      });
    }
  });

  it('have one line a request', async () => {
    const paths = ['/index1/', '/nowhere/', '/static/style.css', '/livez'];
    // Of these alone: a request whose client went away may end meanwhile.
    const requests = (): Line[] => lines().filter(({ msg, path }) => msg === 'request' && paths.includes(String(path)));
    const before = requests().length;
    for (const path of paths) await new Visitor().get(server.url + path);
    const asked = (): Line[] => requests().slice(before);
    await until(() => asked().length >= 4 || undefined, { seconds: 60, what: () => 'four lines' });
    expect(asked().map(({ path, status }) => [path, status])).to.deep.equal([
      ['/index1/', 200],
      ['/nowhere/', 404],
      ['/static/style.css', 200],
      ['/livez', 200],
    ]);
  });

  // The last one: it looks at what all the others made the server write.
  describe('at the end of all this', () => {
    it('hold no key, cookie, token, password, answer or secret in any line, nor a part of one', () => {
      expect(secrets.size).to.be.greaterThan(60);
      const found = [...secrets].filter(
        ([, secret]) => secret.length > 0 && server.log.includes(secret.length > 16 ? secret.slice(4, 20) : secret),
      );
      expect(found.map(([name]) => name)).to.deep.equal([]);
    });
  });
});
