/** SIGTERM: readiness goes off, what is in flight finishes, idle connections close, the process ends in time. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { connectKnex } from '../../../server/db/knex.js';
import { emptyDatabase, UNHURRIED } from '../../support/database.js';
import { FaultProxy } from '../fault_proxy.js';
import { type Environment, ServerProcess } from '../processes.js';
import { suiteUnderFire } from '../suite.js';
import { until } from '../until.js';
import { Visitor } from '../visitor.js';

describe('under fire: stopping', function () {
  this.timeout(60_000);
  const fire = suiteUnderFire();
  const { planted } = fire;
  let server: ServerProcess | undefined;
  let folder: string | undefined;

  afterEach(async () => {
    await server?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  async function started(environment: Environment = {}): Promise<ServerProcess> {
    server = await fire.start({ LOG_LEVEL: 'info', ...environment });
    return server;
  }

  async function socketTo({ url }: ServerProcess): Promise<Socket> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.setEncoding('latin1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  /** All that the server sends until it closes the connection. */
  async function rest(socket: Socket): Promise<string> {
    let text = '';
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    if (!socket.closed) await once(socket, 'close');
    return text;
  }

  const isStopping = ({ log }: ServerProcess): true | undefined => log.includes('"stopping"') || undefined;

  it('SIGHUP, of a terminal that closes, lets what is in flight finish, too', async () => {
    const running = await started();
    const stuck = fire.proxy.set({ statement: /UPDATE django_session/, when: 'before', action: 'hold' });
    const inFlight = new Visitor(await planted.session({ visits: 1 })).ops(running.url, ['set', 'visits', 2]);
    await stuck.sprung;
    running.kill('SIGHUP');
    await until(() => isStopping(running), { seconds: 5, what: () => 'the server to stop' });
    stuck.release();
    expect((await inFlight).status).to.equal(200);
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
  });

  it('SIGTERM: what is in flight finishes, what is idle is closed, then the process ends with 0', async () => {
    const running = await started();
    const session_key = await planted.session({ visits: 1 });
    const idle = await socketTo(running);
    idle.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(idle, 'data');
    const late = await socketTo(running);
    late.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n');

    const stuck = fire.proxy.set({ statement: /UPDATE django_session/, when: 'before', action: 'hold' });
    const inFlight = new Visitor(session_key).ops(running.url, ['set', 'visits', 2]);
    await stuck.sprung;
    const since = performance.now();
    running.kill('SIGTERM');
    await until(() => isStopping(running), { seconds: 2, what: () => 'the server to stop' });

    expect(await rest(idle), 'to an idle connection').to.equal('');
    late.write('\r\n');
    expect(await rest(late), 'readiness of a server that stops').to.match(/^HTTP\/1\.1 503 [\s\S]*stopping\n/);
    await until(
      () =>
        new Promise<true | undefined>((resolve) => {
          const socket = connect(Number(new URL(running.url).port), '127.0.0.1');
          socket.once('connect', () => resolve(undefined)).once('error', () => resolve(true));
          socket.once('connect', () => socket.destroy());
        }),
      { seconds: 2, what: () => 'new connections to be refused' },
    );
    stuck.release();
    expect((await inFlight).status).to.equal(200);
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
    expect((performance.now() - since) / 1000).to.be.below(4);
    expect(await planted.read(session_key)).to.deep.equal({ visits: 2 });
  });

  it('SIGINT does the same', async () => {
    const running = await started();
    running.kill('SIGINT');
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
  });

  it('kept-alive connections of clients that ask on and on do not keep the process', async () => {
    const running = await started();
    const agent = new Agent({ keepAlive: true });
    const { request } = await import('node:http');
    let asking = true;
    const askOn = async (): Promise<void> => {
      while (asking) {
        await new Promise<void>((resolve) => {
          const outgoing = request(`${running.url}/livez`, { agent }, (incoming) => {
            incoming.resume();
            incoming.once('end', resolve);
          });
          outgoing.once('error', () => {
            asking = false;
            resolve();
          });
          outgoing.end();
        });
      }
    };
    const clients = [askOn(), askOn(), askOn()];
    const since = performance.now();
    running.kill('SIGTERM');
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
    expect((performance.now() - since) / 1000).to.be.below(3);
    asking = false;
    await Promise.all(clients);
    agent.destroy();
  });

  it('what does not finish within SHUTDOWN_TIMEOUT is cut off', async () => {
    const running = await started({ SHUTDOWN_TIMEOUT: '1', DATABASE_TIMEOUT: '20' });
    const stuck = fire.proxy.set({ statement: /UPDATE django_session/, when: 'before', action: 'hold' });
    const inFlight = new Visitor(await planted.session({ visits: 1 })).ops(running.url, ['set', 'visits', 2]).then(
      ({ status }) => status,
      () => 'cut off',
    );
    await stuck.sprung;
    const since = performance.now();
    running.kill('SIGTERM');
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
    const seconds = (performance.now() - since) / 1000;
    expect(seconds).to.be.within(0.9, 4);
    expect(await inFlight).to.equal('cut off');
  });

  it('a client that sends its request for ever does not keep the process either', async () => {
    const running = await started({ SHUTDOWN_TIMEOUT: '1' });
    const slow = await socketTo(running);
    slow.write('POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\na');
    const since = performance.now();
    running.kill('SIGTERM');
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
    expect((performance.now() - since) / 1000).to.be.below(4);
  });

  it('a second signal ends it at once', async () => {
    const running = await started({ SHUTDOWN_TIMEOUT: '30', DATABASE_TIMEOUT: '20' });
    const stuck = fire.proxy.set({ statement: /UPDATE django_session/, when: 'before', action: 'hold' });
    const inFlight = new Visitor(await planted.session({ visits: 1 })).ops(running.url, ['set', 'visits', 2]).then(
      ({ status }) => status,
      () => 'cut off',
    );
    await stuck.sprung;
    running.kill('SIGTERM');
    await until(() => isStopping(running), { seconds: 2, what: () => 'the server to stop' });
    const since = performance.now();
    running.kill('SIGTERM');
    expect(await running.exited).to.deep.equal({ code: 1, signal: null });
    expect((performance.now() - since) / 1000).to.be.below(1);
    expect(await inFlight).to.equal('cut off');
  });

  for (const mode of ['refuse', 'silent'] as const) {
    it(`SIGTERM ends it in time while the database is away (${mode})`, async () => {
      const running = await started({ SHUTDOWN_TIMEOUT: '3' });
      await new Visitor(await planted.session({})).get(`${running.url}/api/me/`);
      await fire.proxy.become(mode);
      const since = performance.now();
      running.kill('SIGTERM');
      expect(await running.exited).to.deep.equal({ code: 0, signal: null });
      expect((performance.now() - since) / 1000).to.be.below(5);
    });

    it(`SIGTERM ends it in time when it still waits for the database (${mode})`, async () => {
      await fire.proxy.become(mode);
      server = await ServerProcess.listening({ DATABASE_URL: fire.proxy.url, SHUTDOWN_TIMEOUT: '2' });
      const { log } = server;
      expect(log).to.contain('Listening');
      const since = performance.now();
      server.kill('SIGTERM');
      expect(await server.exited).to.deep.equal({ code: 0, signal: null });
      expect((performance.now() - since) / 1000).to.be.below(5);
    });
  }

  it('SIGTERM ends it in time when the database fell silent in the midst of the migrations', async () => {
    // One that is up to date is not locked.
    const empty = await emptyDatabase();
    const between = await FaultProxy.start(empty.url);
    try {
      const stuck = between.set({ statement: /pg_advisory_xact_lock/, when: 'after', action: 'hold' });
      server = await ServerProcess.listening({ DATABASE_URL: between.url, SHUTDOWN_TIMEOUT: '2' });
      await stuck.sprung;
      const since = performance.now();
      server.kill('SIGTERM');
      expect(await server.exited).to.deep.equal({ code: 0, signal: null });
      expect((performance.now() - since) / 1000).to.be.below(5);
    } finally {
      await between.close();
      await empty.drop();
    }
  });

  it('stops the embedded PostgreSQL last, and cleanly', async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-fire-'));
    const running = await ServerProcess.ready({ DATA_FOLDER: folder, LOG_LEVEL: 'info', DATABASE_TIMEOUT: '10' });
    server = running;
    const pidFile = path.join(folder, 'postgres', 'data', 'postmaster.pid');
    expect(existsSync(pidFile)).to.equal(true);
    const visitor = new Visitor();
    expect((await visitor.ops(running.url, ['set', 'visits', 1])).status).to.equal(200);

    const knex = connectKnex(readFileSync(path.join(folder, 'database_url'), 'utf8').trim(), UNHURRIED);
    const lock = await knex.transaction();
    await lock('django_session').forUpdate();
    const inFlight = visitor.ops(running.url, ['set', 'visits', 2]);
    await until(async () => (await knex('pg_locks').where({ granted: false })).length > 0 || undefined, {
      seconds: 5,
      what: () => 'the request to wait for the lock',
    });
    running.kill('SIGTERM');
    await until(() => isStopping(running), { seconds: 2, what: () => 'the server to stop' });
    await lock.rollback();
    expect((await inFlight).status).to.equal(200);
    await knex.destroy();
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
    expect(existsSync(pidFile), 'a postmaster.pid, which only a clean stop removes').to.equal(false);
  });
});
