/** Pictures asked for without end: one address neither fills the table nor keeps other visitors from their picture. */
import { expect } from 'chai';
import { CAPTCHA_LIMITS } from '../../server/site/index.js';
import { hangUp, Visitor } from '../fire/visitor.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { startServer, type TestServer } from './server.js';

const FLOOD = 500;
const { new_session, session } = CAPTCHA_LIMITS;

describe('security: a flood of pictures', () => {
  let database: TestDatabase;
  let server: TestServer;

  before(async function () {
    this.timeout(30_000);
    database = await testDatabase();
    server = await startServer({ DATABASE_URL: database.url, TRUSTED_PROXIES: '127.0.0.1' });
  });
  after(async () => {
    hangUp();
    await server.stop();
    await database.drop();
  });
  beforeEach(async () => {
    await database.knex('koa_login_attempts').delete();
    await database.knex('django_session').delete();
  });

  const from = (address: string, session_key?: string): Visitor =>
    new Visitor(session_key, { 'x-forwarded-for': address });
  const picture = (visitor: Visitor) => visitor.get(`${server.url}/captcha/`);
  const rows = async (): Promise<number> => (await database.knex('django_session')).length;

  /** How many of so many requests get an answer of each status; a few at a time. */
  async function flood(count: number, ask: () => Promise<{ readonly status: number }>): Promise<Map<number, number>> {
    const statuses = new Map<number, number>();
    let left = count;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (; left > 0; ) {
          left -= 1;
          const { status } = await ask();
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }),
    );
    return statuses;
  }
  /** While the flood goes on, time heals: one more in each `healsIn`. */
  const most = (limit: typeof session, started: number): number =>
    limit.free + Math.ceil((performance.now() - started) / 1000 / limit.healsIn);

  it('without cookies leaves a bounded number of rows, and is told when to come again', async function () {
    this.timeout(60_000);
    const started = performance.now();
    const statuses = await flood(FLOOD, () => picture(from('198.51.100.1')));
    expect([...statuses.keys()].sort()).to.deep.equal([200, 429]);
    expect(statuses.get(200)).to.be.within(new_session.free, most(new_session, started));
    expect(await rows()).to.equal(statuses.get(200));
    const refused = await picture(from('198.51.100.1'));
    expect(refused.status).to.equal(429);
    expect(Number(refused.headers['retry-after'])).to.be.within(1, new_session.healsIn);
    expect(refused.headers['content-type']).to.match(/^text\/plain/);
    expect(refused.headers['set-cookie']).to.equal(undefined);
  });

  it('with cookies that open nothing, or of tasks instead of pictures, is bounded the same', async function () {
    this.timeout(60_000);
    const started = performance.now();
    let turn = 0;
    const statuses = await flood(200, () => {
      turn += 1;
      const visitor = from('198.51.100.2', 'b'.repeat(29) + String(turn).padStart(3, '0'));
      return turn % 2 === 0 ? picture(visitor) : visitor.post(`${server.url}/captcha/task/`);
    });
    expect([...statuses.keys()].sort()).to.deep.equal([200, 429]);
    expect(await rows()).to.be.within(new_session.free, most(new_session, started));
  });

  it('keeps nobody at another address from a picture, and nobody at this one who has a session', async function () {
    this.timeout(60_000);
    const early = from('198.51.100.3');
    expect((await picture(early)).status).to.equal(200);
    await flood(100, () => picture(from('198.51.100.3')));
    const other = await picture(from('203.0.113.9'));
    expect([other.status, other.headers['content-type']]).to.deep.equal([200, 'image/png']);
    for (let i = 0; i < 3; i += 1) expect((await picture(early)).status).to.equal(200);
  });

  it('in one session ends, too', async function () {
    this.timeout(60_000);
    const visitor = from('198.51.100.4');
    await picture(visitor);
    const started = performance.now();
    const statuses = await flood(300, () => picture(visitor));
    expect([...statuses.keys()].sort()).to.deep.equal([200, 429]);
    expect(statuses.get(200)).to.be.within(session.free, most(session, started));
    expect(await rows()).to.equal(1);
  });

  it('is explained by the login form, in place of a picture that does not come', async function () {
    this.timeout(60_000);
    await flood(new_session.free + 5, () => picture(from('198.51.100.5')));
    const form = await from('198.51.100.5').get(`${server.url}/login/`);
    expect(form.text)
      .to.include('Too many pictures were asked for from your network')
      .and.not.include('src="/captcha/');
    expect((await from('203.0.113.5').get(`${server.url}/login/`)).text).to.include('src="/captcha/');
  });
});
