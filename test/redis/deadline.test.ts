/** One deadline for all waits of a request on Redis and PostgreSQL: with a slow Redis, a frozen one, and busy sessions. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { Deadline } from '../../server/db/deadline.js';
import { connectKnex } from '../../server/db/knex.js';
import { databaseBounds } from '../../server/db/wait_bounds.js';
import { StoreUnavailable } from '../../server/errors.js';
import { RedisConnection } from '../../server/redis/connection.js';
import { SessionCodec } from '../../server/session/codec.js';
import { newSessionKey } from '../../server/session/key.js';
import { openSession } from '../../server/session/open_session.js';
import { Session } from '../../server/session/session.js';
import type { SessionRecord, SessionStore } from '../../server/session/store.js';
import { CacheStore } from '../../server/session/stores/cache.js';
import { CachedDatabaseStore } from '../../server/session/stores/cached_db.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { defineSettings } from '../../server/settings.js';
import { printJson } from '../../server/signing/python_json.js';
import { FaultProxy } from '../fire/fault_proxy.js';
import { SECRET_KEY } from '../fire/processes.js';
import { rejects } from '../session/stores/contract.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { reasonOf } from '../support/reason.js';
import { openPatiently, type RedisServer, startRedis, until } from './redis_server.js';
import { Relay } from './relay.js';

/** DATABASE_TIMEOUT, seconds. */
const TIMEOUT = 1;
const BOUND = databaseBounds(TIMEOUT).request * 1000;
/** Milliseconds by which each command is late: nearly its timeout. */
const SLOW = 800;
/** Milliseconds that a busy machine may take besides. */
const SLACK = 500;

const settings = defineSettings({ SECRET_KEY });
const codec = new SessionCodec(settings);
const text = (members: Readonly<Record<string, unknown>>): string => codec.encode(printJson(members));

describe('the deadline of a request, with Redis', () => {
  let server: RedisServer;
  let database: TestDatabase;
  /** To the server itself, without a deadline that matters. */
  let direct: RedisConnection;
  let relay: Relay;
  let redis: RedisConnection;
  let record: SessionRecord;
  before(async () => {
    [server, database] = await Promise.all([startRedis(), testDatabase()]);
    direct = await openPatiently(server.url);
  });
  after(async () => {
    await direct.close();
    await Promise.all([server.stop(), database.drop()]);
  });
  beforeEach(async () => {
    relay = await Relay.start(server.port);
    redis = await RedisConnection.open(relay.url, { timeout: TIMEOUT });
    await redis.command('PING');
    record = newRecord();
  });
  afterEach(async () => {
    await redis.close();
    relay.close();
  });

  const newRecord = (): SessionRecord => ({
    session_key: newSessionKey(),
    session_data: text({ number: 0 }),
    expire_date: new Date(Date.now() + 60_000),
  });
  const entry = (session_key: string): string => `:1:django.contrib.sessions.cached_db${session_key}`;
  const djangoCaches = (session_key: string): Promise<unknown> =>
    direct.command('SET', entry(session_key), 'a pickle', 'EX', '1209600');
  const isCached = async (session_key: string): Promise<boolean> =>
    (await direct.command('EXISTS', entry(session_key))) === 1;
  const isForgotten = (session_key: string): Promise<void> =>
    until("Django's entry is gone", async () => !(await isCached(session_key)));

  const stores: Readonly<Record<string, (redis: RedisConnection) => SessionStore>> = {
    cache: (connection) => new CacheStore(connection, settings),
    cached_db: (connection) =>
      new CachedDatabaseStore(new DatabaseStore(database.knex, { timeout: TIMEOUT }), connection, settings),
  };

  /** What a request does after it has read its session. */
  interface Request {
    readonly name: string;
    readonly write: (session: Session) => Promise<unknown>;
    /** What it changes; null when it ends the session. */
    readonly changes: Readonly<Record<string, unknown>> | null;
    /** Whether another request writes the session between its read and its write. */
    readonly isContended?: boolean;
  }
  const save = {
    write: (session: Session): Promise<unknown> => {
      session.set('number', 1);
      return session.save();
    },
    changes: { number: 1 },
  };
  const login = {
    write: (session: Session) => session.cycle_key({ values: [['user', 7]] }),
    changes: { user: 7 },
  };
  const requests: readonly Request[] = [
    { name: 'save', ...save },
    { name: 'contended save', ...save, isContended: true },
    { name: 'login', ...login },
    { name: 'contended login', ...login, isContended: true },
    { name: 'logout', write: (session) => session.flush(), changes: null },
  ];

  /** The members of a stored session; null when there is none. */
  async function stored(store: SessionStore, session_key: string): Promise<object | null> {
    const session = await openSession(session_key, { settings, store });
    return session.session_key === null ? null : Object.fromEntries(session.items());
  }

  interface Visit {
    readonly outcome: 'done' | '503';
    /** Of the request's waits for the store. */
    readonly milliseconds: number;
    /** What is stored afterwards, under the old key and under that of the session. */
    readonly found: () => Promise<{ readonly former: object | null; readonly present: object | null }>;
    readonly former: string;
    readonly before: object;
    readonly after: object | null;
  }

  /** @param then what happens between the read and the write of all requests */
  async function visits(engine: string, then: () => void): Promise<readonly Visit[]> {
    const open = stores[engine] as (redis: RedisConnection) => SessionStore;
    const store = open(redis);
    const patient = open(direct);
    const readers = await Promise.all(
      requests.map(async (request) => {
        const row = newRecord();
        await patient.create(row);
        await djangoCaches(row.session_key);
        return {
          request,
          row,
          session: new Session({ store, codec, settings, deadline: store.deadline?.() }, row.session_key),
        };
      }),
    );
    const reads = await Promise.all(readers.map(({ session }) => timed(() => session.load())));
    for (const { request, row } of readers) {
      const theirs = text({ number: 0, theirs: true });
      if (request.isContended) await patient.replace(row.session_data, { ...row, session_data: theirs });
      await djangoCaches(row.session_key);
    }
    then();
    return Promise.all(
      readers.map(async ({ request, row, session }, place): Promise<Visit> => {
        const written = await timed(() => request.write(session));
        if (written.error !== undefined) expect(written.error).to.be.instanceOf(StoreUnavailable);
        const before = { number: 0, ...(request.isContended ? { theirs: true } : {}) };
        return {
          outcome: written.error === undefined ? 'done' : '503',
          milliseconds: (reads[place]?.milliseconds ?? 0) + written.milliseconds,
          found: async () => ({
            former: await stored(patient, row.session_key),
            present: session.session_key === null ? null : await stored(patient, session.session_key),
          }),
          former: row.session_key,
          before,
          after: request.changes === null ? null : { ...before, ...request.changes },
        };
      }),
    );
  }

  for (const engine of Object.keys(stores)) {
    describe(`with engine ${engine}`, () => {
      it('holds while each command takes nearly its timeout: what is not done in time was not done', async () => {
        relay.delay = SLOW;
        for (const { outcome, milliseconds, found, former, before, after } of await visits(engine, () => {})) {
          expect(milliseconds).to.be.below(BOUND + SLACK);
          const { former: old, present } = await found();
          expect(present).to.deep.equal(outcome === 'done' ? after : before);
          expect([null, present]).to.deep.include(old);
          if (engine === 'cached_db' && outcome === 'done') await isForgotten(former);
        }
      });

      it('holds when Redis freezes between read and write, and nothing is lost', async () => {
        const done = await visits(engine, () => server.signal('SIGSTOP')).finally(() => server.signal('SIGCONT'));
        for (const { outcome, milliseconds, found, before, after } of done) {
          expect(milliseconds).to.be.below(BOUND + SLACK);
          expect(outcome).to.equal('503');
          const { former, present } = await found();
          // The frozen Redis may have got the command, and execute it now: the session is at its old key, or moved.
          if (engine === 'cached_db') expect(present).to.deep.equal(before);
          else if (former !== null) expect([before, after]).to.deep.include(former);
        }
      });
    });
  }

  const cachedStore = (url = database.url, through = redis) => {
    const knex = connectKnex(url, { statement_timeout: TIMEOUT, connect_timeout: TIMEOUT });
    const store = new CachedDatabaseStore(new DatabaseStore(knex, { timeout: TIMEOUT }), through, settings);
    return { store, knex };
  };
  const present = (session_key: string): Promise<string | null> => new DatabaseStore(database.knex).load(session_key);

  it('comes after the commit of cached_db: the entry that Django made meanwhile is deleted nevertheless', async () => {
    const { store, knex } = cachedStore();
    await store.create(record);
    const deadline = store.deadline();
    const changed = { ...record, session_data: text({ number: 1 }) };
    const modified = store.modify(
      record.session_key,
      async () => {
        await djangoCaches(record.session_key);
        relay.delay = 950;
        // As if PostgreSQL had been slow: less is left than Redis will take.
        deadline.begin();
        await pause(deadline.left() - 750);
        deadline.end();
        return changed;
      },
      deadline,
    );
    await rejects(modified, StoreUnavailable);
    expect(deadline.left()).to.be.above(-SLACK);
    expect(await present(record.session_key)).to.equal(changed.session_data);
    await isForgotten(record.session_key);
    await knex.destroy();
  });

  it('comes while PostgreSQL is at it: what Django cached before the commit is deleted after it', async () => {
    const proxy = await FaultProxy.start(database.url);
    const { store, knex } = cachedStore(proxy.url);
    await store.create(record);
    const trap = proxy.set({ statement: /update/i, when: 'after', action: 'hold' });
    const replaced = store.replace(record.session_data, { ...record, session_data: text({ number: 1 }) });
    await rejects(replaced, StoreUnavailable);
    expect(trap.caught).to.equal(1);
    // A Django that had read the row before.
    await djangoCaches(record.session_key);
    await isForgotten(record.session_key);
    await proxy.mend();
    await knex.destroy();
    await proxy.close();
  });

  it('comes when Redis went away after the commit: the entry is deleted as soon as Redis is back', async () => {
    const { store, knex } = cachedStore();
    await store.create(record);
    const modified = store.modify(record.session_key, async () => {
      await djangoCaches(record.session_key);
      relay.silence();
      relay.lead(null);
      return { ...record, session_data: text({ number: 1 }) };
    });
    const { milliseconds, error } = await timed(() => modified);
    expect(error).to.be.instanceOf(StoreUnavailable);
    expect(milliseconds).to.be.below(BOUND + SLACK);
    relay.lead(server.port);
    await isForgotten(record.session_key);
    await knex.destroy();
  });

  it('ends the retries of a change that others outrun each time, also if the application takes its time', async () => {
    const hasty = await RedisConnection.open(server.url, { timeout: 0.2 });
    const [store, others] = [new CacheStore(hasty, settings), new CacheStore(direct, settings)];
    await store.create(record);
    let round = 0;
    const changing = store.modify(record.session_key, async (session_data) => {
      round += 1;
      await pause(100);
      await others.replace(session_data, { ...record, session_data: text({ number: round }) });
      return record;
    });
    await rejects(changing, StoreUnavailable);
    expect(round).to.be.within(2, 10);
    await hasty.close();
  });

  it('that comes before the timeout of a command leaves the connection as it is', async () => {
    const id = await redis.command('CLIENT', 'ID');
    relay.delay = 100;
    await rejects(redis.commandBy(new Deadline(0.02), 'PING'), StoreUnavailable);
    expect(await redis.command('CLIENT', 'ID')).to.equal(id);
  });

  it('is near: no write is sent whose result could not be told', async () => {
    const store = new CacheStore(redis, settings);
    await store.create(record);
    const near = (): Deadline => new Deadline(databaseBounds(TIMEOUT).commit - 0.01);
    const other = newRecord();
    for (const write of [
      () => store.create(other, undefined, near()),
      () => store.replace(record.session_data, { ...record, session_data: text({ number: 1 }) }, near()),
      () => store.modify(record.session_key, async () => ({ ...record, session_data: text({ number: 1 }) }), near()),
      () => store.cycle(record.session_key, async () => other, undefined, near()),
      () => store.delete(record.session_key, near()),
    ]) {
      await rejects(write(), StoreUnavailable);
    }
    expect(await store.load(record.session_key, near())).to.equal(record.session_data);
    expect(await store.exists(other.session_key, near())).to.equal(false);
  });
});

async function timed(
  work: () => Promise<unknown>,
): Promise<{ readonly milliseconds: number; readonly error: unknown }> {
  const began = performance.now();
  const error = await reasonOf(work());
  return { milliseconds: performance.now() - began, error };
}
