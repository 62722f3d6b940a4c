/** What Prometheus is told: off unless asked for, on a port of its own, and counted right. */
import { expect } from 'chai';
import { OWN_SETTINGS } from '../../config/settings.js';
import { newSessionKey } from '../../server/session/key.js';
import { Planted } from '../fire/planted.js';
import { hangUp, Visitor } from '../fire/visitor.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { startServer, type TestServer } from './server.js';

describe('security: metrics', function () {
  this.timeout(180_000);
  let database: TestDatabase;
  let planted: Planted;
  let server: TestServer;
  let metricsUrl: string;

  before(async () => {
    database = await testDatabase();
    planted = new Planted(database);
    server = await startServer({ DATABASE_URL: database.url, METRICS_PORT: '0', LAB: '1', LOGIN_CAPTCHA: 'off' });
    metricsUrl = server.metricsUrl ?? '';
  });
  after(async () => {
    hangUp();
    await server?.stop();
    await database?.drop();
  });

  async function scrape(): Promise<ReadonlyMap<string, number>> {
    const answer = await fetch(metricsUrl);
    expect(answer.headers.get('content-type')).to.match(/^text\/plain; version=0\.0\.4/);
    const lines = (await answer.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
    );
  }
  /** By how much the numbers grow while `work` is done. */
  async function growth(work: () => Promise<unknown>): Promise<(name: string) => number> {
    const before = await scrape();
    await work();
    const after = await scrape();
    return (name) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  }
  const event = (name: string): string => `django_session_events_total{event="${name}"}`;

  it('is off unless asked for, and never at the site’s own port', async () => {
    expect(OWN_SETTINGS.METRICS_PORT.default).to.equal(null);
    expect((await fetch(`${server.url}/metrics`)).status).to.equal(404);
  });

  it('answers nothing but GET /metrics', async () => {
    const url = metricsUrl;
    expect((await fetch(url, { method: 'POST' })).status).to.equal(404);
    expect((await fetch(url.replace('metrics', ''))).status).to.equal(404);
  });

  it('counts requests by method and kind of status', async () => {
    const by = await growth(async () => {
      for (const path of ['/index1/', '/goods/', '/nowhere/', '/login']) await new Visitor().get(server.url + path);
      await new Visitor().post(`${server.url}/nowhere/`);
    });
    const count = (method: string, status: string): number =>
      by(`http_request_duration_seconds_count{method="${method}",status="${status}"}`);
    expect([count('GET', '2xx'), count('GET', '3xx'), count('GET', '4xx'), count('POST', '4xx')]).to.deep.equal([
      2, 1, 1, 1,
    ]);
  });

  it('counts loads, misses, saves, merges, interruptions and bent signatures of sessions', async () => {
    const session_key = await planted.session({ a: 1 });
    const visitor = new Visitor(session_key);
    const by = await growth(async () => {
      await visitor.get(`${server.url}/index1/`);
      await new Visitor(newSessionKey()).get(`${server.url}/index1/`);
      await visitor.ops(server.url, ['set', 'a', 2]);
      const bent = await planted.session({ a: 1 });
      await database.knex('django_session').where({ session_key: bent }).update({ session_data: 'e30:1vb66i:bent' });
      await new Visitor(bent).get(`${server.url}/index1/`);
    });
    expect([by(event('load')), by(event('miss')), by(event('save')), by(event('suspicious'))]).to.deep.equal([
      4, 1, 1, 1,
    ]);
  });

  it('counts a merge and an interruption of requests that race', async () => {
    const session_key = await planted.session({ n: 0 });
    const by = await growth(() =>
      Promise.all(Array.from({ length: 20 }, (_, i) => new Visitor(session_key).ops(server.url, ['set', `k${i}`, i]))),
    );
    expect(by(event('merge'))).to.be.at.least(1);
    const gone = await planted.session({ a: 1 });
    const interrupted = await growth(async () => {
      const answer = await new Visitor(gone).ops(server.url, ['set', 'a', 2], ['delete']);
      expect(answer.status).to.equal(400);
    });
    expect(interrupted(event('interrupted'))).to.equal(1);
  });

  it('counts logins that have to wait', async () => {
    const by = await growth(async () => {
      for (let i = 0; i < 7; i += 1)
        await new Visitor().post(`${server.url}/login/`, { username: 'one', password: '' });
    });
    expect(by('login_throttled_total')).to.equal(2);
  });

  it('shows the pool and the delay of the event loop', async () => {
    const now = await scrape();
    for (const state of ['used', 'free', 'waiting']) {
      expect(now.get(`database_pool_connections{state="${state}"}`), state).to.be.at.least(0);
    }
    expect(now.get('nodejs_eventloop_lag_p99_seconds')).to.be.above(0);
  });

  it('names no session, user or address', async () => {
    const user = await planted.user();
    const session_key = await planted.session({}, user);
    await new Visitor(session_key).get(`${server.url}/index1/`);
    const text = await (await fetch(metricsUrl)).text();
    expect(text).to.not.include(session_key).and.not.include(user.username).and.not.include('/index1');
  });
});
