/** TLS with certificates of the tests' own, and users of an ACL file with no more rights than the documents name. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { StoreUnavailable } from '../../server/errors.js';
import { RedisConnection } from '../../server/redis/connection.js';
import { newSessionKey } from '../../server/session/key.js';
import type { SessionStore } from '../../server/session/store.js';
import { CacheStore } from '../../server/session/stores/cache.js';
import { freePort } from '../support/ports.js';
import { reasonOf } from '../support/reason.js';
import { openPatiently, type RedisServer, startRedis, temporaryFolder, until } from './redis_server.js';
import { type RedisCluster, startCluster, startWatching } from './topologies.js';

const SETTINGS = { CACHE_KEY_PREFIX: '', CACHE_VERSION: 1 };
const PASSWORD = 'p@ss/w:rd';
const encoded = encodeURIComponent(PASSWORD);

/** The rights that ENGINES.md names. */
const RIGHTS = '~:1:* resetchannels -@all +get +mget +set +del +exists +eval +scan';

const folder = temporaryFolder();
const file = (name: string): string => path.join(folder, name);

function makeCertificates(): void {
  const openssl = (...args: readonly string[]): unknown =>
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=authority', '-days', '2');
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost');
  writeFileSync(file('server.ext'), 'subjectAltName=DNS:localhost\n');
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'server.ext'];
  openssl('x509', '-req', '-in', 'server.csr', ...signing, '-out', 'server.pem');
}

const tls = (port: number): string[] => [
  ...['--tls-port', String(port), '--tls-cert-file', file('server.pem')],
  ...['--tls-key-file', file('server.key'), '--tls-ca-cert-file', file('ca.pem')],
];

/** All that a store does, and nothing else may be done. */
async function worksWithItsRights(connection: RedisConnection): Promise<void> {
  const store: SessionStore = new CacheStore(connection, SETTINGS);
  const row = { session_key: newSessionKey(), session_data: 'a', expire_date: new Date(Date.now() + 60_000) };
  const next = { ...row, session_key: newSessionKey() };
  await store.check?.();
  await store.create(row);
  expect(await store.exists(row.session_key)).to.equal(true);
  expect(await store.replace('a', { ...row, session_data: 'b' })).to.equal(true);
  await store.modify(row.session_key, async () => ({ ...row, session_data: 'c' }));
  await store.cycle(row.session_key, async (session_data) => ({ ...next, session_data }));
  expect(await store.load(next.session_key)).to.equal('c');
  expect(await store.clear_expired()).to.equal(0);
  await store.delete(next.session_key);
  const refused = (await reasonOf(connection.command('GET', 'of others'))) as StoreUnavailable;
  expect(String(refused.cause)).to.include('NOPERM');
}

const use = async <T>(url: string, work: (connection: RedisConnection) => Promise<T>): Promise<T> => {
  const connection = await openPatiently(url);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
};

describe('Redis with TLS and users', function () {
  this.timeout(60_000);
  before(() => {
    makeCertificates();
    writeFileSync(
      file('users.acl'),
      [
        'user default on nopass ~* &* +@all',
        `user site on >${PASSWORD} ${RIGHTS}`,
        `user node on >${PASSWORD} ${RIGHTS} +cluster|slots +asking`,
        `user cached on >${PASSWORD} ~:1:* resetchannels -@all +del`,
        `user open on nopass ${RIGHTS}`,
        '',
      ].join('\n'),
    );
  });

  describe('one server', () => {
    let server: RedisServer;
    let port: number;
    before(async () => {
      port = await freePort();
      const acl = ['--aclfile', file('users.acl')];
      server = await startRedis(undefined, ...tls(port), '--tls-auth-clients', 'optional', ...acl);
    });
    after(() => server.stop());
    const causeOf = async (url: string): Promise<string> => {
      const reason = await use(url, (connection) => reasonOf(connection.command('EXISTS', ':1:a')));
      expect(reason).to.be.instanceOf(StoreUnavailable);
      return String((reason as Error).cause);
    };

    it('lets a user in with the rights of ENGINES.md, over TLS', async () => {
      const url = `rediss://site:${encoded}@localhost:${port}/0?ssl_ca_certs=${file('ca.pem')}`;
      await use(url, worksWithItsRights);
    });

    it('lets engine cached_db in with one right', async () => {
      const url = `redis://cached:${encoded}@127.0.0.1:${server.port}/0`;
      await use(url, async (connection) => {
        await connection.check(':1:django.contrib.sessions.cached_db');
        expect(await connection.command('DEL', ':1:django.contrib.sessions.cached_dbkey')).to.equal(0);
      });
    });

    it('lets a user without a password in', async () => {
      await use(`redis://open:@127.0.0.1:${server.port}/0`, worksWithItsRights);
    });

    it('shows a certificate', async () => {
      await server.stop();
      server = await startRedis(server.port, ...tls(port), '--tls-auth-clients', 'yes');
      const ca = `rediss://localhost:${port}/0?ssl_ca_certs=${file('ca.pem')}`;
      const own = `${ca}&ssl_certfile=${file('server.pem')}&ssl_keyfile=${file('server.key')}`;
      await causeOf(ca);
      expect(await use(own, (connection) => connection.command('PING'))).to.equal('PONG');
      await server.stop();
      server = await startRedis(server.port, ...tls(port), '--tls-auth-clients', 'no');
    });

    it('is refused with an authority that is not known, under another name, and by its plain port', async () => {
      const ca = `ssl_ca_certs=${file('ca.pem')}`;
      expect(await causeOf(`rediss://localhost:${port}/0`)).to.match(/self.signed|unable to (get|verify)/);
      expect(await causeOf(`rediss://127.0.0.1:${port}/0?${ca}`)).to.include("IP: 127.0.0.1 is not in the cert's list");
      // A plain port waits for the end of what looks like a line.
      const plain = await RedisConnection.open(`rediss://localhost:${server.port}/0?${ca}`, { timeout: 1 });
      expect(await reasonOf(plain.command('EXISTS', ':1:a'))).to.be.instanceOf(StoreUnavailable);
      await plain.close();
    });

    it('is taken as it is where the URL says so', async () => {
      for (const url of [
        `rediss://localhost:${port}/0?ssl_cert_reqs=none`,
        `rediss://127.0.0.1:${port}/0?ssl_check_hostname=false&ssl_ca_certs=${file('ca.pem')}`,
      ]) {
        expect(await use(url, (connection) => connection.command('PING'))).to.equal('PONG');
      }
    });

    it('is refused with a wrong password, which no error repeats', async () => {
      const said = await causeOf(`redis://site:wrong-canary@127.0.0.1:${server.port}/0`);
      expect(said)
        .to.match(/WRONGPASS/)
        .and.not.include('canary');
    });
  });

  describe('a cluster', () => {
    let cluster: RedisCluster;
    const ports: number[] = [];
    before(async () => {
      cluster = await startCluster(0, async () => {
        const port = await freePort();
        ports.push(port);
        return [...tls(port), '--tls-auth-clients', 'no', '--tls-cluster', 'yes', '--aclfile', file('users.acl')];
      });
    });
    after(() => cluster?.stop());

    it('lets a user in with the rights of ENGINES.md, over TLS', async () => {
      const parameters = `ssl_ca_certs=${file('ca.pem')}&ssl_check_hostname=false`;
      const hosts = ports.map((port) => `127.0.0.1:${port}`).join();
      await use(`rediss+cluster://node:${encoded}@${hosts}?${parameters}`, async (connection) => {
        for (let turn = 0; turn < 5; turn += 1) await worksWithItsRights(connection);
      });
    });
  });

  describe('a master that a sentinel watches', () => {
    it('is reached over TLS, with an account there and another at the sentinel', async () => {
      const [port, sentinelPort] = [await freePort(), await freePort()];
      const secure = [...tls(port), '--tls-auth-clients', 'no'];
      const master = await startRedis(undefined, ...secure, '--aclfile', file('users.acl'));
      const ofSentinel = tls(sentinelPort).map((part, place) => (place % 2 === 0 ? part.slice(2) : part));
      const pairs = ofSentinel.flatMap((part, place) => (place % 2 === 0 ? [`${part} ${ofSentinel[place + 1]}`] : []));
      const sentinel = await startWatching(
        port,
        ...[...pairs, 'tls-auth-clients no', 'tls-replication yes', 'requirepass of-the-sentinel'],
      );
      const parameters = `ssl_ca_certs=${file('ca.pem')}&ssl_check_hostname=false&sentinel_password=of-the-sentinel`;
      const url = `rediss+sentinel://site:${encoded}@127.0.0.1:${sentinelPort}/mymaster?${parameters}`;
      try {
        await use(url, async (connection) => {
          await until('the sentinel knows its master', async () => (await connection.command('EXISTS', ':1:a')) === 0);
          await worksWithItsRights(connection);
        });
      } finally {
        await Promise.all([master.stop(), sentinel.stop()]);
      }
    });
  });
});
