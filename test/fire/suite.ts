/** The set-up of the suites under fire: a database, a proxy before it, users and sessions in it, and servers on it. */
import { databaseOfSuite, type SuiteDatabase } from '../support/database.js';
import { FaultProxy } from './fault_proxy.js';
import { Planted } from './planted.js';
import { type Environment, ServerProcess, showLogs } from './processes.js';
import { hangUp } from './visitor.js';

export interface SuiteUnderFire {
  readonly database: SuiteDatabase;
  readonly planted: Planted;
  /** Before the database, from the suite's first `before` on; as good as none again after each test. */
  readonly proxy: FaultProxy;
  /** Start a server behind the proxy, unless the environment says otherwise, and wait until it serves. */
  start(environment?: Environment, ...command: readonly string[]): Promise<ServerProcess>;
}

/** For the suite that calls this. Its end stops the servers; a failed test shows what those wrote that still run. */
export function suiteUnderFire(): SuiteUnderFire {
  let servers: ServerProcess[] = [];
  let proxy: FaultProxy;
  // Mocha calls `after` in the order in which it is told, and servers stop before their database goes.
  after(async () => {
    hangUp();
    await Promise.all(servers.map((server) => server.stop()));
    await proxy?.close();
  });
  const database = databaseOfSuite();
  before(async () => {
    proxy = await FaultProxy.start(database.url);
  });
  afterEach(async function () {
    showLogs(this.currentTest, servers);
    servers = servers.filter((server) => !server.ended);
    hangUp();
    await proxy?.mend();
  });
  return {
    database,
    planted: new Planted(database),
    get proxy() {
      return proxy;
    },
    start: async (environment = {}, ...command) => {
      const server = await ServerProcess.ready({ DATABASE_URL: proxy.url, ...environment }, ...command);
      servers.push(server);
      return server;
    },
  };
}
