/** Two servers behind haproxy, set up as in the example: one is taken down and another comes, and nobody notices. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { ServerProcess, showLogs } from '../fire/processes.js';
import { SteadyLoad } from '../fire/steady_load.js';
import { until } from '../fire/until.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { answering, freePort } from '../support/ports.js';
import { example } from './examples.js';

describe('behind haproxy', () => {
  let database: TestDatabase;
  let folder: string;
  let haproxy: ChildProcess;
  let url: string;
  const ports: number[] = [];
  const servers: ServerProcess[] = [];

  const start = (index: number): Promise<ServerProcess> =>
    ServerProcess.ready({
      DATABASE_URL: database.url,
      PORT: String(ports[index]),
      SHUTDOWN_GRACE: '3',
      LOG_LEVEL: 'info',
      TRUSTED_PROXIES: '127.0.0.1',
    });

  before(async () => {
    database = await testDatabase();
    folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-haproxy-'));
    ports.push(await freePort(), await freePort());
    servers.push(...(await Promise.all([start(0), start(1)])));
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const config = example('config/deploy/haproxy.cfg', {
      // As many as a machine that runs tests may have open.
      'maxconn 10000': 'maxconn 200',
      'bind :443 ssl crt /etc/haproxy/site.pem alpn h2,http/1.1': `bind 127.0.0.1:${port}`,
      'bind 127.0.0.1:5432': `bind 127.0.0.1:${await freePort()}`,
      '10.0.0.11:8000': `127.0.0.1:${ports[0]}`,
      '10.0.0.12:8000': `127.0.0.1:${ports[1]}`,
      '10.0.0.21:5432': '127.0.0.1:1',
      '10.0.0.22:5432': '127.0.0.1:1',
    });
    const file = path.join(folder, 'haproxy.cfg');
    writeFileSync(file, config);
    haproxy = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
    await answering(haproxy, port, 'haproxy is not installed: see install_packages in .ci/run.');
    await until(async () => (await fetch(`${url}/readyz`)).ok || undefined, { seconds: 20, what: () => 'haproxy' });
  });
  afterEach(function () {
    showLogs(this.currentTest, servers);
  });
  after(async () => {
    haproxy?.kill('SIGKILL');
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
    await database.drop();
  });

  it('no request of a steady load is refused, reset or answered with 5xx while one server goes down and another comes', async () => {
    const load = new SteadyLoad(`${url}/goods/`);
    await until(() => load.answered > 100 || undefined, { seconds: 30, what: () => 'answers' });
    for (const index of [0, 1]) {
      servers[index]?.kill('SIGTERM');
      expect(await servers[index]?.exited).to.deep.equal({ code: 0, signal: null });
      servers[index] = await start(index);
      // Before the other one goes, haproxy sends requests here again.
      await until(() => servers[index]?.log.includes('/goods/') || undefined, { seconds: 20, what: () => 'requests' });
    }
    const { statuses, errors } = await load.end();
    expect({ errors, statuses: Object.keys(statuses) }).to.deep.equal({ errors: {}, statuses: ['200'] });
  });
});
