/** The server behind a trusted proxy that names its visitors with ports, or does not name them. */
import { expect } from 'chai';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { startServer, type TestServer } from './server.js';

const TOKEN = 'a'.repeat(32);

describe('security: behind a trusted proxy', () => {
  let database: TestDatabase;
  let server: TestServer;

  before(async () => {
    database = await testDatabase();
    server = await startServer({ DATABASE_URL: database.url, TRUSTED_PROXIES: '127.0.0.1', LOGIN_CAPTCHA: 'off' });
  });
  after(async () => {
    await server?.stop();
    await database?.drop();
  });

  /** A login that fails, as a visitor of the proxy sends it. */
  async function guess(username: string, forwarded: string): Promise<void> {
    const answer = await fetch(`${server.url}/login/`, {
      method: 'POST',
      headers: { cookie: `csrftoken=${TOKEN}`, 'x-forwarded-for': forwarded },
      body: new URLSearchParams({ csrfmiddlewaretoken: TOKEN, username, password: 'wrong' }),
    });
    expect(answer.status).to.equal(200);
  }
  const addresses = async (): Promise<number> =>
    (await database.knex('koa_login_attempts').whereLike('bucket', 'address:%')).length;

  it('counts its visitors apart, whatever ports they come from', async () => {
    await guess('one', '203.0.113.9:51234');
    await guess('two', '203.0.113.9:51235');
    await guess('three', '203.0.113.10:51234');
    await guess('four', '"[2001:db8::1]:443"');
    await guess('five', '[2001:db8::2]:444');
    expect(await addresses()).to.equal(3);
  });

  it('logs once that it names no address', async () => {
    for (const forwarded of ['unknown', '_hidden', 'unknown']) await guess('six', forwarded);
    const told = server.lines.filter((line) => line.includes('X-Forwarded-For'));
    expect(told).to.have.lengthOf(1);
    expect(JSON.parse(told[0] ?? '')).to.deep.include({ level: 50 });
    expect(told[0])
      .to.include("sent X-Forwarded-For with 'unknown', which is not an address")
      .and.include('IMPROPERLY_CONFIGURED');
  });
});
