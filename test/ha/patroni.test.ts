/** Patroni chooses the primary; haproxy asks it, and two hosts in DATABASE_URL ask PostgreSQL itself. */
import { expect } from 'chai';
import type { Knex } from 'knex';
import { connectKnex } from '../../server/db/knex.js';
import { ServerProcess, showLogs } from '../fire/processes.js';
import { until } from '../fire/until.js';
import { type Balancer, startBalancer } from './balancer.js';
import { PatroniCluster } from './patroni.js';
import { DATABASE } from './postgres.js';
import { expectNothingLost, shopDuring } from './shoppers.js';

describe('a PostgreSQL that Patroni runs', function () {
  this.timeout(400_000);
  let cluster: PatroniCluster;
  let balancer: Balancer;
  let knex: Knex;

  before(async () => {
    cluster = await PatroniCluster.start();
    balancer = await startBalancer(cluster.nodes);
    knex = connectKnex(balancer.url, { connect_timeout: 30, statement_timeout: 30 });
  });
  after(async () => {
    await knex?.destroy();
    await balancer?.stop();
    await cluster?.stop();
  });

  const WAYS: Readonly<Record<string, () => string>> = {
    'behind haproxy': () => balancer.url,
    'by two hosts in DATABASE_URL': () => {
      const hosts = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
      return `postgresql://postgres@${hosts}/${DATABASE}?target_session_attrs=read-write`;
    },
  };

  for (const [way, url] of Object.entries(WAYS)) {
    describe(way, () => {
      let server: ServerProcess;
      before(async () => {
        server = await ServerProcess.ready({ DATABASE_URL: url(), LAB: 'true' });
      });
      // One that died or was stepped down comes back as the standby.
      beforeEach(() => cluster.inOrder());
      afterEach(function () {
        showLogs(this.currentTest, [server]);
        for (const node of cluster.nodes) node.start();
      });
      after(() => server?.stop());

      it('a switchover by Patroni loses nothing and logs nobody out', async () => {
        const { primary, standby } = await cluster.inOrder();
        const account = await shopDuring(server, knex, async () => {
          await primary.switchover(standby);
          await cluster.inOrder();
        });
        expect((await cluster.inOrder()).primary).to.equal(standby);
        expectNothingLost(account);
      });

      it('kill -9 of the primary and its Patroni: the standby is promoted by its own, and nothing is lost', async () => {
        const { primary, standby } = await cluster.inOrder();
        const account = await shopDuring(server, knex, async () => {
          await primary.kill();
          await until(async () => ((await standby.isPrimary()) ? true : undefined), {
            seconds: 120,
            what: () => 'the standby to be promoted',
          });
        });
        expectNothingLost(account);
      });
    });
  }
});
