/**
 * A primary and its synchronous standby, behind haproxy, behind haproxy and pgbouncer, and by two hosts in DATABASE_URL. Under the
 * steady load of people who are logged in, the primary is killed, switched over, hangs, and its standby hangs. Nothing that
 * was acknowledged is lost, nobody is logged out, the answers in between are 503, and all is well again by itself.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { connectKnex } from '../../server/db/knex.js';
import { ServerProcess, showLogs } from '../fire/processes.js';
import { until } from '../fire/until.js';
import { startPgbouncer } from '../pgbouncer/pgbouncer.js';
import { type Balancer, startBalancer } from './balancer.js';
import { DATABASE, PostgresNode } from './postgres.js';
import { type Account, expectNothingLost, shopDuring } from './shoppers.js';

describe('a PostgreSQL that fails over', () => {
  let folder: string;
  let primary: PostgresNode;
  let standby: PostgresNode;
  let balancer: Balancer;
  let knex: Knex;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-ha-'));
    [primary, standby] = [await PostgresNode.make('one', folder), await PostgresNode.make('two', folder)];
    await primary.initialize();
    await standby.follow(primary);
    await primary.waitFor(standby);
    balancer = await startBalancer([primary, standby]);
    knex = connectKnex(balancer.url, { connect_timeout: 30, statement_timeout: 30 });
  });
  after(async () => {
    await knex?.destroy();
    await balancer?.stop();
    await Promise.all([primary?.stop(), standby?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** What was the primary is down or behind: it follows the other one, and both have changed places. */
  async function changePlaces(): Promise<void> {
    [primary, standby] = [standby, primary];
    await standby.rejoin(primary);
    await primary.waitFor(standby);
  }

  /** After a test that failed in the middle: one of them takes writes, the other follows. */
  async function heal(): Promise<void> {
    for (const node of [primary, standby]) node.thaw();
    const [first, second] = await Promise.all([primary, standby].map((node) => node.isPrimary().catch(() => null)));
    if (first === true && second === false && (await primary.waitsFor(standby))) return;
    // The one that was promoted, or else the one that lives.
    if (second === true || first === null) [primary, standby] = [standby, primary];
    if (first === null && second === null) await primary.start();
    if (!(await primary.isPrimary())) await primary.promote();
    await primary.waitFor(null);
    await standby.kill();
    await standby.follow(primary);
    await primary.waitFor(standby);
    await until(async () => ((await knex.raw('SELECT 1').catch(() => undefined)) === undefined ? undefined : true), {
      seconds: 60,
      what: () => 'the balancer to find the primary',
    });
  }

  const WAYS: Readonly<
    Record<string, () => Promise<{ url: string; env: Record<string, string>; stop: () => Promise<void> }>>
  > = {
    'behind haproxy': async () => ({ url: balancer.url, env: {}, stop: async () => {} }),
    'behind haproxy and pgbouncer': async () => {
      const bouncer = await startPgbouncer(balancer.url);
      return { url: bouncer.url, env: { DATABASE_PREPARED: 'false' }, stop: () => bouncer.stop() };
    },
    'by two hosts in DATABASE_URL': async () => ({
      url: `postgresql://postgres@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/${DATABASE}?target_session_attrs=read-write`,
      env: {},
      stop: async () => {},
    }),
  };

  for (const [way, connect] of Object.entries(WAYS)) {
    describe(way, () => {
      let server: ServerProcess;
      let stop: () => Promise<void>;
      before(async () => {
        const { url, env, stop: end } = await connect();
        stop = end;
        server = await ServerProcess.ready({ DATABASE_URL: url, LAB: 'true', ...env });
      });
      afterEach(async function () {
        showLogs(this.currentTest, [server]);
        if (this.currentTest?.state === 'failed') await heal();
      });
      after(async () => {
        await server?.stop();
        await stop?.();
      });

      const during = (happens: () => Promise<void>): Promise<Account> => shopDuring(server, knex, happens);

      it('kill -9 of the primary: its standby takes over', async () => {
        const account = await during(async () => {
          await primary.kill();
          await standby.promote();
        });
        expectNothingLost(account);
        await changePlaces();
      });

      it('a planned switchover', async () => {
        const account = await during(async () => {
          await primary.shutdown();
          await standby.promote();
        });
        expectNothingLost(account);
        await changePlaces();
      });

      it('a standby that hangs: writes wait for it and are refused, reads are served, and PostgreSQL keeps its connections', async () => {
        let backends = 0;
        const account = await during(async () => {
          standby.freeze();
          try {
            // Everybody has asked for a write and been refused.
            await until(async () => ((await waiting(primary)) > 0 ? true : undefined), {
              seconds: 60,
              what: () => 'a write that waits for the standby',
            });
            for (let n = 0; n < 50; n++) backends = Math.max(backends, await connections(primary));
          } finally {
            standby.thaw();
          }
        });
        expectNothingLost(account);
        // The pool of ten, and as many that were given up and have not ended yet.
        expect(backends).to.be.at.most(20);
      });
    });
  }
});

const OF_SERVER = `backend_type = 'client backend' AND datname = '${DATABASE}' AND pid <> pg_backend_pid()`;

/** Connections that wait for a standby's word. */
async function waiting(node: PostgresNode): Promise<number> {
  const [row] = await node.ask<{ count: string }>(
    `SELECT count(*) FROM pg_stat_activity WHERE ${OF_SERVER} AND wait_event = 'SyncRep'`,
  );
  return Number(row?.count);
}

async function connections(node: PostgresNode): Promise<number> {
  const [row] = await node.ask<{ count: string }>(`SELECT count(*) FROM pg_stat_activity WHERE ${OF_SERVER}`);
  return Number(row?.count);
}
