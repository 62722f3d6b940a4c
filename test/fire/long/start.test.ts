/** The database is away when the server starts: it waits, says so, can be asked how it is, and serves when it can. */
import { expect } from 'chai';
import { emptyDatabase, type TestDatabase } from '../../support/database.js';
import { FaultProxy } from '../fault_proxy.js';
import { type Environment, ServerProcess, showLogs } from '../processes.js';
import { until } from '../until.js';
import { hangUp, Visitor } from '../visitor.js';

const SAID = /does not answer yet; trying again in ([\d.]+) s/g;

describe('under fire: the database is away at the start', function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let admin: TestDatabase;
  let proxy: FaultProxy;
  let server: ServerProcess | undefined;

  beforeEach(async () => {
    [database, admin] = [await emptyDatabase(), await emptyDatabase()];
    proxy = await FaultProxy.start(database.url);
  });
  afterEach(async function () {
    showLogs(this.currentTest, [server]);
    hangUp();
    await server?.stop();
    await proxy.close();
    await database.drop();
    await admin.drop();
  });

  const pauses = (log: string): number[] => [...log.matchAll(SAID)].map(([, seconds]) => Number(seconds));

  /** Waits for three pauses, looks around meanwhile, lets `mend` happen, and waits for the server to serve. */
  async function comesUp(environment: Environment, mend: () => Promise<unknown>): Promise<void> {
    const starting = await ServerProcess.listening({ DATABASE_URL: proxy.url, ...environment });
    server = starting;
    const visitor = new Visitor('kept0123456789kept0123456789kept');
    await until(() => pauses(starting.log).length >= 3 || undefined, {
      seconds: 15,
      what: () => `three pauses in:\n${starting.log}`,
    });
    const said = pauses(starting.log);
    expect(said, 'growing pauses').to.deep.equal([...said].sort((one, other) => one - other));
    expect(new Set(said).size).to.equal(said.length);

    expect((await visitor.get(`${starting.url}/livez`)).status).to.equal(200);
    expect((await visitor.get(`${starting.url}/static/style.css`)).status).to.equal(200);
    for (const path of ['/readyz', '/', '/index1/', '/api/me/', '/login/', '/goods/']) {
      const answer = await visitor.get(`${starting.url}${path}`);
      expect(answer.status, path).to.equal(503);
      expect(answer.headers, path).to.have.property('retry-after');
      expect(answer.headers['set-cookie'], path).to.equal(undefined);
      expect(answer.seconds, path).to.be.below(3);
    }
    expect(visitor.session_key).to.equal('kept0123456789kept0123456789kept');
    await mend();
    await until(async () => (await visitor.get(`${starting.url}/readyz`)).status === 200 || undefined, {
      seconds: 10,
      what: () => 'the server to be ready',
    });
    expect((await visitor.get(`${starting.url}/goods/`)).status).to.equal(200);
  }

  for (const mode of ['refuse', 'reset', 'silent'] as const) {
    it(`waits with growing pauses and serves afterwards (${mode})`, async () => {
      await proxy.become(mode);
      await comesUp({}, () => proxy.mend());
    });
  }

  it('waits while connections are forbidden', async () => {
    const name = new URL(database.url).pathname.slice(1);
    await database.knex.destroy();
    await admin.knex.raw('ALTER DATABASE ?? WITH ALLOW_CONNECTIONS false', [name]);
    await comesUp({}, () => admin.knex.raw('ALTER DATABASE ?? WITH ALLOW_CONNECTIONS true', [name]));
  });

  it('does not wait for what waiting will not mend: a wrong password, a database that there is not', async () => {
    const [unknown, stranger] = [new URL(database.url), new URL(database.url)];
    unknown.pathname = '/there_is_no_such_database';
    stranger.username = 'there_is_no_such_role';
    for (const [url, said] of [
      [unknown, /^There is no database of the name that DATABASE_URL gives\. Make it first: createdb NAME\.$/m],
      [stranger, /^The database refuses the user or the password of DATABASE_URL\.$/m],
    ] as const) {
      server = await ServerProcess.listening({ DATABASE_URL: url.href });
      expect(await server.exited).to.deep.equal({ code: 1, signal: null });
      expect(server.log).to.match(said);
      expect(pauses(server.log)).to.be.empty;
      if (url.password !== '') expect(server.log).to.not.contain(url.password);
    }
  });

  it('two first starts at once on an empty database both come up', async () => {
    const both = await Promise.all([1, 2].map(() => ServerProcess.ready({ DATABASE_URL: database.url })));
    for (const each of both) {
      expect((await new Visitor().get(`${each.url}/goods/`)).status).to.equal(200);
      await each.stop();
    }
  });
});
