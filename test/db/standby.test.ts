/** A primary and its hot standby: what starts on which, and who is asked for what after a failover. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { connectKnex } from '../../server/db/knex.js';
import { whileLocked } from '../../server/db/lock.js';
import { migrate } from '../../server/db/migrate.js';
import { isReadOnly, isRefusal, isUnavailable } from '../../server/db/unavailable.js';
import { StoreUnavailable } from '../../server/errors.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { cli } from '../cli/command.js';
import { until } from '../fire/until.js';
import { startServer } from '../security/server.js';
import { reasonOf } from '../support/reason.js';
import { ask, type Replicated, startReplicated } from '../support/standby.js';

const readyz = async (url: string): Promise<string> => {
  const answer = await fetch(`${url}/readyz`);
  return `${answer.status} ${(await answer.text()).trim()}`;
};

/** Wait until that is so. */
const answers = (isSo: () => boolean | Promise<boolean>): Promise<unknown> =>
  until(async () => (await isSo()) || undefined, { seconds: 60, what: () => String(isSo) });

describe('a primary and its standby', function () {
  this.timeout(120_000);
  let pair: Replicated;
  const knexes: Knex[] = [];
  const connect = (url: string, options: object = { connect_timeout: 30, statement_timeout: 30 }): Knex => {
    const knex = connectKnex(url, options);
    knexes.push(knex);
    return knex;
  };
  /** Both, in this order, as libpq writes them. */
  const both = (...urls: readonly string[]): string => {
    const [first = new URL('http:'), ...rest] = urls.map((url) => new URL(url));
    const hosts = [first, ...rest].map(({ host }) => host).join(',');
    return `postgresql://${first.username}:${first.password}@${hosts}${first.pathname}?target_session_attrs=read-write`;
  };
  const portOf = async (knex: Knex): Promise<string> => {
    const { rows } = await knex.raw('SELECT inet_server_port()::text AS port');
    return rows[0].port;
  };

  before(async () => {
    pair = await startReplicated();
    await migrate(connect(pair.primary.url));
    await pair.caughtUp();
  });
  afterEach(() => Promise.all(knexes.splice(0).map((knex) => knex.destroy())));
  after(() => pair.stop());

  describe('on the standby', () => {
    it('migrate has nothing to do, and takes no lock for it', async () => {
      const knex = connect(pair.standby.url);
      const done = await whileLocked(knex, { lock: 'migrate', wait: 0 }, () => migrate(knex));
      expect(done).to.deep.equal([]);
    });

    it('commands that write say so in a sentence, and the others work', async () => {
      const environment = { DATABASE_URL: pair.standby.url };
      const [clear, doctor, status] = await Promise.all(
        ['clearsessions', 'doctor', 'migrate:status'].map((command) => cli([command], environment)),
      );
      expect([clear?.code, clear?.err]).to.deep.equal([
        1,
        'The database is read-only. Use the primary server in DATABASE_URL.\n',
      ]);
      expect([doctor?.code, status?.code]).to.deep.equal([0, 0]);
    });

    it('a server waits, and says why', async () => {
      const server = await startServer({ DATABASE_URL: pair.standby.url }, { ready: false });
      try {
        await answers(() => server.lines.some((line) => line.includes('the database is a standby')));
        expect(await readyz(server.url)).to.equal('503 starting');
        expect((await fetch(`${server.url}/livez`)).status).to.equal(200);
        expect((await fetch(`${server.url}/index1/`)).status).to.equal(503);
      } finally {
        await server.stop();
      }
    });

    it('a connection is refused by target_session_attrs, also where it is the only host', async () => {
      const knex = connect(both(pair.standby.url));
      const error = await reasonOf(Promise.resolve(knex.raw('SELECT 1')));
      expect(error).to.be.instanceOf(StoreUnavailable);
      expect((error as Error).message).to.equal('No host of DATABASE_URL takes writes now. Try again in a moment.');
    });
  });

  describe('of several hosts', () => {
    it('the one that takes writes is found, wherever it stands', async () => {
      const { port } = new URL(pair.primary.url);
      for (const url of [both(pair.standby.url, pair.primary.url), both(pair.primary.url, pair.standby.url)]) {
        const knex = connect(url);
        const ports = await Promise.all(Array.from({ length: 8 }, () => portOf(knex)));
        expect(new Set(ports)).to.deep.equal(new Set([port]));
        expect(await migrate(knex)).to.deep.equal([]);
      }
    });

    it('one that is gone, or takes connections and says nothing, does not keep from the others', async () => {
      const silent = createServer(() => {}).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const gone = createServer().listen(0, '127.0.0.1');
      await once(gone, 'listening');
      const at = (server: typeof silent): string => {
        const url = new URL(pair.primary.url);
        url.port = String((server.address() as AddressInfo).port);
        return url.href;
      };
      const url = both(at(gone), at(silent), pair.primary.url);
      gone.close();
      const knex = connect(url);
      expect(await portOf(knex)).to.equal(new URL(pair.primary.url).port);
      await knex.destroy();
      silent.close();
    });

    it('a wrong password is told as that where no host takes it', async () => {
      const wrong = both(pair.primary.url, pair.standby.url).replace(/:[^:@]+@/, ':wrong@');
      const error = await reasonOf(Promise.resolve(connect(wrong).raw('SELECT 1')));
      expect(isRefusal(error)).to.equal(true);
    });

    it('that are all standbys are told as that, not as a database that does not answer', async () => {
      const standbys = both(pair.standby.url, pair.standby.url);
      const error = await reasonOf(Promise.resolve(connect(standbys).raw('SELECT 1')));
      expect(error).to.be.instanceOf(StoreUnavailable);
      expect(isReadOnly(error)).to.equal(true);
    });

    it('a command runs on the one that takes writes', async () => {
      const environment = { DATABASE_URL: both(pair.standby.url, pair.primary.url) };
      expect((await cli(['clearsessions'], environment)).out).to.equal('Removed 0 expired sessions.\n');
    });
  });

  describe('when one becomes the other', () => {
    it('a database that is set to read only makes /readyz 503 until it is set back', async () => {
      const server = await startServer({ DATABASE_URL: pair.primary.url });
      const set = (value: string): Promise<unknown> =>
        ask(pair.primary.url, `ALTER DATABASE koa_django_session SET default_transaction_read_only = ${value}`);
      try {
        expect(await readyz(server.url)).to.equal('200 ready');
        // For new connections.
        await set('on');
        await ask(
          pair.primary.url,
          "SELECT count(pg_terminate_backend(pid)) AS answer FROM pg_stat_activity WHERE application_name = 'koa-django-session'",
        );
        await answers(
          async () => (await readyz(server.url)) === '503 The database is a standby, which takes no writes.',
        );
      } finally {
        const url = new URL(pair.primary.url);
        url.searchParams.set('options', '-cdefault_transaction_read_only=off');
        await ask(url.href, 'ALTER DATABASE koa_django_session RESET default_transaction_read_only');
      }
      try {
        // No request came meanwhile: the check itself has given the connections up.
        await answers(async () => (await readyz(server.url)) === '200 ready');
      } finally {
        await server.stop();
      }
    });

    it('after a failover the same process goes on with the other, and what was saved is there', async () => {
      const knex = connect(both(pair.primary.url, pair.standby.url), { connect_timeout: 2, statement_timeout: 2 });
      const server = await startServer({ DATABASE_URL: both(pair.primary.url, pair.standby.url) });
      const waiting = await startServer({ DATABASE_URL: pair.standby.url }, { ready: false });
      try {
        const store = new DatabaseStore(knex, { timeout: 2 });
        const record = { session_key: 'k'.repeat(32), session_data: 'kept', expire_date: new Date('2100-01-01') };
        await store.create(record);
        await pair.caughtUp();
        await pair.primary.stop();
        const error = await reasonOf(store.load(record.session_key));
        expect(isUnavailable(error), String(error)).to.equal(true);
        await pair.promote();
        const others: unknown[] = [];
        const load = async (): Promise<string | undefined> => {
          try {
            return (await store.load(record.session_key)) ?? 'logged out';
          } catch (reason) {
            if (!isUnavailable(reason)) others.push(reason);
            return undefined;
          }
        };
        const text = await until(load, { seconds: 60, what: () => 'the session' });
        expect(others).to.deep.equal([]);
        expect(text).to.equal('kept');
        expect(await store.replace('kept', { ...record, session_data: 'changed' })).to.equal(true);
        expect(await portOf(knex)).to.equal(new URL(pair.standby.url).port);
        for (const { url } of [server, waiting]) {
          await answers(async () => (await readyz(url)) === '200 ready');
        }
      } finally {
        await Promise.all([server.stop(), waiting.stop()]);
      }
    });
  });
});
