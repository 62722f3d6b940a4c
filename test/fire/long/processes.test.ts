/** Several processes behind one port: one database, one log, summed metrics; killed, replaced and stopped under load. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { databaseOfSuite } from '../../support/database.js';
import { freePort } from '../../support/ports.js';
import { ServerProcess, showLogs } from '../processes.js';
import { SteadyLoad } from '../steady_load.js';
import { until } from '../until.js';
import { hangUp, Visitor } from '../visitor.js';

describe('under fire: several processes', function () {
  this.timeout(180_000);
  let server: ServerProcess;
  let folder: string;
  let metricsUrl: string;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-processes-'));
    const METRICS_PORT = String(await freePort());
    metricsUrl = `http://127.0.0.1:${METRICS_PORT}/metrics`;
    server = await ServerProcess.ready({
      WEB_CONCURRENCY: '2',
      METRICS_PORT,
      DATA_FOLDER: folder,
      DATABASE_TIMEOUT: '20',
      SHUTDOWN_TIMEOUT: '20',
      KEEP_ALIVE_TIMEOUT: '2',
      LOG_LEVEL: 'info',
    });
    await serving(2);
  });
  afterEach(function () {
    showLogs(this.currentTest, [server]);
    hangUp();
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const lines = (): readonly { readonly pid: number; readonly msg: string; readonly pause?: number }[] =>
    server.log
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line));
  const messages = (text: string): number => lines().filter(({ msg }) => msg === text).length;

  /** Ask on new connections until so many processes have answered that had not answered before. */
  async function serving(count: number, but: readonly number[] = []): Promise<readonly number[]> {
    const from = lines().length;
    return until(
      async () => {
        await Promise.all(Array.from({ length: 4 }, () => fetchOnce(`${server.url}/livez`)));
        const pids = new Set(
          lines()
            .slice(from)
            .filter(({ msg, pid }) => msg === 'request' && !but.includes(pid))
            .map(({ pid }) => pid),
        );
        return pids.size >= count ? [...pids] : undefined;
      },
      { seconds: 30, what: () => `${count} processes to answer:\n${server.log.slice(-3000)}` },
    );
  }
  /** On a connection of its own. One that node:cluster was handing to a process at the moment of its death hangs. */
  const fetchOnce = (url: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const outgoing = get(url, { agent: false, timeout: 2000 }, (incoming) => text(incoming).then(resolve, reject));
      outgoing.on('error', reject).on('timeout', () => outgoing.destroy(new Error('no answer')));
    });

  /** The sum of requests that Prometheus is told of, and how many processes tell. */
  async function counted(): Promise<number> {
    const matches = (await fetchOnce(metricsUrl)).matchAll(/^http_request_duration_seconds_count\{.*\} (\d+)$/gm);
    return [...matches].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  it('share the embedded database, and each line of the log says whose it is', async () => {
    const visitor = new Visitor();
    expect((await visitor.ops(server.url, ['set', 'n', 1])).status).to.equal(200);
    hangUp();
    const pids = new Set<number>();
    while (pids.size < 2) {
      const answer = await visitor.ops(server.url, ['get', 'n']);
      expect(answer.results).to.deep.equal([1]);
      hangUp();
      for (const { pid, msg } of lines()) if (msg === 'request') pids.add(pid);
    }
    expect(server.log.match(/Listening on/g)).to.have.length(1);
    expect(server.log.match(/Log in at/g)).to.have.length(1);
  });

  it('sum their metrics', async () => {
    const before = await counted();
    for (let round = 0; round < 6; round += 1) await fetchOnce(`${server.url}/livez`);
    expect((await counted()) - before).to.equal(6);
  });

  it('are started again when they die, each time after a longer pause, and what they had counted is kept', async () => {
    const before = await counted();
    const [first, second] = (await serving(2)) as [number, number];
    process.kill(first, 'SIGKILL');
    await until(() => messages('a process ended') === 1 || undefined, { seconds: 5, what: () => 'the log' });
    // The other one serves meanwhile.
    expect(await fetchOnce(`${server.url}/livez`)).to.equal('alive\n');
    const [third = 0] = await serving(1, [first, second]);
    process.kill(third, 'SIGKILL');
    await serving(1, [first, second, third]);
    const pauses = lines().flatMap(({ msg, pause }) => (msg === 'a process ended' ? [pause] : []));
    expect(pauses).to.deep.equal([0.25, 0.5]);
    expect(await counted()).to.be.greaterThan(before);
  });

  it('are replaced one by one at SIGHUP without a refused, reset or failed request', async () => {
    const old = await serving(2);
    const visitor = new Visitor();
    await visitor.ops(server.url, ['set', 'n', 1]);
    const load = new SteadyLoad(`${server.url}/lab/`, { headers: { cookie: `sessionid=${visitor.session_key}` } });
    const unused = connect(Number(new URL(server.url).port), '127.0.0.1');
    const before = await counted();
    server.kill('SIGHUP');
    await until(() => messages('the processes are replaced') === 1 || undefined, {
      seconds: 90,
      what: () => 'the processes to be replaced',
    });
    const { statuses, errors, last } = await load.end();
    unused.destroy();
    expect(errors).to.deep.equal({});
    expect(Object.keys(statuses)).to.deep.equal(['200']);
    expect(last).to.be.greaterThan(0);
    for (const pid of old) expect(existsSync(`/proc/${pid}`), `process ${pid}`).to.equal(false);
    await serving(2, old);
    expect(await counted()).to.be.at.least(before + (statuses[200] ?? 0));
  });

  it('finish what they were asked at SIGTERM, and stop the database last', async () => {
    const pidFile = path.join(folder, 'postgres', 'data', 'postmaster.pid');
    expect(existsSync(pidFile)).to.equal(true);
    const load = new SteadyLoad(`${server.url}/livez`);
    await until(() => load.answered > 20 || undefined, { seconds: 20, what: () => 'answers' });
    const pids = await serving(2);
    server.kill('SIGTERM');
    const exit = await server.exited;
    const { statuses, errors } = await load.end();
    expect(exit).to.deep.equal({ code: 0, signal: null });
    expect(Object.keys(statuses)).to.deep.equal(['200']);
    // Without a grace, which the next test has, connections that were made at the last moment are reset.
    expect(Object.keys(errors)).to.include('ECONNREFUSED');
    for (const pid of pids) expect(existsSync(`/proc/${pid}`)).to.equal(false);
    expect(existsSync(pidFile), 'a postmaster.pid, which only a clean stop removes').to.equal(false);
  });
});

describe('under fire: several processes on a database of others', function () {
  this.timeout(120_000);
  const database = databaseOfSuite();
  let server: ServerProcess | undefined;
  afterEach(async function () {
    showLogs(this.currentTest, [server]);
    await server?.stop();
  });

  it('serve for SHUTDOWN_GRACE with /readyz 503 and Connection: close, and refuse only then', async () => {
    server = await ServerProcess.ready({ DATABASE_URL: database.url, WEB_CONCURRENCY: '2', SHUTDOWN_GRACE: '2' });
    const load = new SteadyLoad(`${server.url}/livez`);
    await until(() => load.answered > 20 || undefined, { seconds: 20, what: () => 'answers' });
    server.kill('SIGTERM');
    const { url } = server;
    await until(async () => (await fetch(`${url}/readyz`)).status === 503 || undefined, {
      seconds: 2,
      what: () => '/readyz to be 503',
    });
    const seen = load.answered;
    await until(() => (load.answered > seen + 50 && load.last > 0) || undefined, { seconds: 2, what: () => 'answers' });
    const { statuses, errors } = await load.end();
    expect(errors).to.deep.equal({});
    expect(Object.keys(statuses)).to.deep.equal(['200']);
    expect(await server.exited).to.deep.equal({ code: 0, signal: null });
  });

  /** The processes that a supervisor has now. */
  const children = (pid: number): readonly number[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

  it('are as many as before when one is killed while it is being replaced', async () => {
    server = await ServerProcess.ready({ DATABASE_URL: database.url, WEB_CONCURRENCY: '2', LOG_LEVEL: 'info' });
    const { pid } = server;
    const says = (text: string) => () => server?.log.includes(text) || undefined;
    await until(says('It is served by 2'), { seconds: 60, what: () => 'all processes' });
    const old = children(pid);
    server.kill('SIGHUP');
    await until(() => children(pid).length > 2 || undefined, { seconds: 30, what: () => 'a new process' });
    process.kill(old[0] ?? 0, 'SIGKILL');
    await until(says('the processes are replaced'), { seconds: 90, what: () => 'the processes to be replaced' });
    expect(server.log).to.include('a process ended that was being replaced');
    // Nothing is told of a process that is started in vain: another replacement comes after it, and counts.
    const [before = ''] = /.*the processes are replaced.*/.exec(server.log) ?? [];
    server.kill('SIGHUP');
    await until(() => server?.log.split(before)[1]?.includes('the processes are replaced') || undefined, {
      seconds: 90,
      what: () => 'the processes to be replaced once more',
    });
    expect(children(pid)).to.have.length(2);
  });

  it('that wait for the database are started anew at SIGHUP, and serve when it is there', async () => {
    const port = await freePort();
    const { pathname, username, password, host } = new URL(database.url);
    const away = `postgresql://${username}:${password}@127.0.0.1:${port}${pathname}`;
    server = await ServerProcess.listening({ DATABASE_URL: away, WEB_CONCURRENCY: '2', LOG_LEVEL: 'info' });
    const { pid } = server;
    const [first] = children(pid);
    server.kill('SIGHUP');
    await until(() => server?.log.includes('the processes are replaced') || undefined, {
      seconds: 60,
      what: () => 'the first process to be replaced',
    });
    const proxy = createServer((socket) => {
      const [hostname = '', to] = host.split(':');
      const target = connect(Number(to ?? 5432), hostname);
      for (const each of [socket, target]) each.on('error', () => {});
      socket.pipe(target).pipe(socket);
    });
    await once(proxy.listen(port, '127.0.0.1'), 'listening');
    try {
      await until(() => server?.log.includes('It is served by 2') || server?.ended || undefined, {
        seconds: 60,
        what: () => 'all processes',
      });
      expect(server.ended).to.equal(false);
      expect(children(pid)).to.have.length(2).and.not.include(first);
      server.kill('SIGTERM');
      expect(await server.exited).to.deep.equal({ code: 0, signal: null });
    } finally {
      proxy.close();
    }
  });

  it('do not start where one would not: a port in use ends the command with a sentence', async () => {
    const other = await ServerProcess.ready({ DATABASE_URL: database.url });
    try {
      const PORT = new URL(other.url).port;
      const refused = await ServerProcess.listening({ DATABASE_URL: database.url, WEB_CONCURRENCY: '2', PORT }).then(
        () => 'it listens',
        (error: Error) => error.message,
      );
      expect(refused).to.match(/in use/);
    } finally {
      await other.stop();
    }
  });

  it('are started by koa-django-session serve, too', async () => {
    server = await ServerProcess.ready({ DATABASE_URL: database.url }, 'server/cli/main.ts', 'serve', '--workers', '2');
    await until(() => server?.log.includes('It is served by 2') || undefined, {
      seconds: 60,
      what: () => 'all processes',
    });
    expect(children(server.pid)).to.have.length(2);
    server.kill('SIGTERM');
    expect(await server.exited).to.deep.equal({ code: 0, signal: null });
  });
});
