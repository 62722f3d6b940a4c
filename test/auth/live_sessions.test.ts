/** Connections that stay open end with their sessions, by one look at the tables for all of them. */
import { expect } from 'chai';
import { ModelBackend } from '../../server/auth/backend.js';
import { LiveSessions, type LiveSessionsOptions } from '../../server/auth/live_sessions.js';
import { get_session_auth_hash } from '../../server/auth/session_hash.js';
import { UserTable } from '../../server/auth/users.js';
import { connectKnex } from '../../server/db/knex.js';
import { ImproperlyConfigured, ValueError } from '../../server/errors.js';
import { openSession } from '../../server/session/open_session.js';
import type { Session } from '../../server/session/session.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import { NOW, settings } from '../http/serve.js';
import { databaseOfSuite } from '../support/database.js';
import { reasonOf } from '../support/reason.js';

const BACKEND = 'django.contrib.auth.backends.ModelBackend';
const INTERVAL = 0.02;

describe('LiveSessions', () => {
  const database = databaseOfSuite();
  let users: UserTable;
  let store: DatabaseStore;
  let now = NOW;
  const clock = (): number => now;
  before(async () => {
    users = new UserTable(database.knex, { now: clock });
    store = new DatabaseStore(database.knex, { now: clock });
  });
  beforeEach(async () => {
    now = NOW;
    await database.knex('django_session').delete();
    await database.knex('auth_user').delete();
    watching = new Watching({ settings: settings(), store, backends: [new ModelBackend(users)], interval: INTERVAL });
  });
  let watching: Watching;

  /** Connections by name, and who has ended. */
  class Watching {
    readonly live: LiveSessions;
    readonly ended: string[] = [];
    readonly #hear = new Map<string, () => void>();
    constructor(options: LiveSessionsOptions) {
      this.live = new LiveSessions(options);
    }
    watch(name: string, session: Session): () => void {
      return this.live.watch(session, () => {
        this.ended.push(name);
        this.#hear.get(name)?.();
      });
    }
    /** Resolves when that connection has been ended. */
    async end(name: string): Promise<void> {
      if (!this.ended.includes(name)) await new Promise<void>((resolve) => this.#hear.set(name, resolve));
    }
  }

  const open = (session_key = ''): Promise<Session> =>
    openSession(session_key, { settings: settings(), store, now: clock });

  async function sessionOf(username: string | null): Promise<Session> {
    const session = await open();
    session['visits'] = 1;
    if (username !== null) {
      const user =
        (await users.get_by_natural_key(username)) ??
        (await users.create_user({ username, password: 'pbkdf2_sha256$1$salt$old' }));
      session.update({
        _auth_user_id: String(user.id),
        _auth_user_backend: BACKEND,
        _auth_user_hash: get_session_auth_hash(user.password, settings().SECRET_KEY),
      });
    }
    await session.save();
    return session;
  }

  const WAYS: Readonly<Record<string, (session: Session) => Promise<unknown>>> = {
    'a logout': (session) => session.flush(),
    'a row that was deleted': ({ session_key }) => database.knex('django_session').where({ session_key }).delete(),
    'its expiry': async ({ session_key }) => {
      const expire_date = new Date((NOW - 1) * 1000);
      await database.knex('django_session').where({ session_key }).update({ expire_date });
    },
    'a new session key': (session) => session.cycle_key(),
    'a changed password': () => database.knex('auth_user').where({ username: 'alice' }).update({ password: 'new' }),
    'an account that is no longer active': () =>
      database.knex('auth_user').where({ username: 'alice' }).update({ is_active: false }),
    'an account that was deleted': () => database.knex('auth_user').where({ username: 'alice' }).delete(),
  };
  for (const [way, change] of Object.entries(WAYS)) {
    it(`ends a connection by ${way}, once, and no other`, async () => {
      const [alice, bob, nobody] = [await sessionOf('alice'), await sessionOf('bob'), await sessionOf(null)];
      watching.watch('alice', alice);
      watching.watch('bob', bob);
      watching.watch('nobody', nobody);
      await change(await open(alice.session_key ?? ''));
      await watching.end('alice');
      // A second look later nothing more has ended.
      const last = await sessionOf(null);
      watching.watch('last', last);
      await last.flush();
      await watching.end('last');
      expect(watching.ended).to.deep.equal(['alice', 'last']);
    });
  }

  it('ends all connections of one session', async () => {
    const session = await sessionOf('alice');
    watching.watch('one', session);
    watching.watch('two', session);
    await (await open(session.session_key ?? '')).flush();
    await Promise.all([watching.end('one'), watching.end('two')]);
  });

  it('ends none that has closed by itself, and asks nothing when none is left', async () => {
    const session = await sessionOf('alice');
    const forget = watching.watch('gone', session);
    forget();
    forget();
    const asked: unknown[] = [];
    database.knex.on('query', (query) => asked.push(query));
    const looks = new Promise((resolve) => setTimeout(resolve, 10 * INTERVAL * 1000));
    await looks;
    expect(asked).to.deep.equal([]);
    database.knex.removeAllListeners('query');
  });

  it('asks for a thousand connections in two statements', async () => {
    let looks = 0;
    const counting = Object.assign(Object.create(store) as DatabaseStore, {
      live: (keys: readonly string[]) => {
        looks += 1;
        return store.live(keys);
      },
    });
    const backends = [new ModelBackend(users)];
    watching = new Watching({ settings: settings(), store: counting, backends, interval: INTERVAL });
    const [alice, bob] = [await sessionOf('alice'), await sessionOf('bob')];
    for (let n = 0; n < 1000; n++) watching.watch(`${n}`, n % 2 === 0 ? alice : bob);
    await alice.flush();
    const asked: string[] = [];
    database.knex.on('query', ({ sql }: { sql: string }) => asked.push(sql));
    looks = 0;
    await watching.end('0');
    database.knex.removeAllListeners('query');
    expect(watching.ended.length).to.equal(500);
    // One look may have begun before the counting.
    expect(asked.length).to.be.within(1, 2 * (looks + 1));
  });

  it('ends nobody while the database is away, says so once, and goes on when it is back', async () => {
    const warnings: string[] = [];
    const logger = { warn: (_details: object, message: string) => warnings.push(message) };
    const away = connectKnex('postgresql://a:b@127.0.0.1:1/c');
    try {
      const unreachable = new DatabaseStore(away, { now: clock });
      let isAway = true;
      const looks = { count: 0, told: () => {} };
      const stored: Pick<DatabaseStore, 'live'> = {
        live: async (keys) => {
          looks.count += 1;
          looks.told();
          return isAway ? unreachable.live(keys) : store.live(keys);
        },
      };
      const sometimes = Object.assign(Object.create(store) as DatabaseStore, stored);
      watching = new Watching({ settings: settings(), store: sometimes, interval: INTERVAL, logger: logger as never });
      const session = await sessionOf('alice');
      await session.flush();
      watching.watch('alice', await sessionOf('alice'));
      const gone = await sessionOf(null);
      watching.watch('gone', gone);
      await gone.flush();
      await new Promise<void>((resolve) => {
        looks.told = () => looks.count >= 3 && resolve();
      });
      expect([watching.ended, warnings.length]).to.deep.equal([[], 1]);
      isAway = false;
      await watching.end('gone');
      expect(watching.ended).to.deep.equal(['gone']);
    } finally {
      await away.destroy();
    }
  });

  it('serves engines without rows in a database', async () => {
    const memory = new MemoryStore({ now: clock });
    watching = new Watching({ settings: settings(), store: memory, interval: INTERVAL });
    const session = await openSession('', { settings: settings(), store: memory, now: clock });
    session['a'] = 1;
    await session.save();
    watching.watch('alice', session);
    await memory.delete(session.session_key ?? '');
    await watching.end('alice');
  });

  it('refuses what can never end', async () => {
    const signed = new SignedCookiesStore(settings(), { now: clock });
    expect(() => new LiveSessions({ settings: settings(), store: signed })).to.throw(ImproperlyConfigured);
    const reason = await reasonOf(open().then((session) => watching.watch('nobody', session)));
    expect(reason).to.be.instanceOf(ValueError);
    const alice = await sessionOf('alice');
    expect(() => watching.live.watch(alice, undefined as never)).to.throw(ValueError, 'function');
  });

  it('refuses an interval that a timer would take for a millisecond, and what is no store', () => {
    const memory = new MemoryStore();
    for (const interval of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e10]) {
      const start = () => new LiveSessions({ settings: settings(), store: memory, interval });
      expect(start, String(interval)).to.throw(ImproperlyConfigured, 'interval');
    }
    for (const given of [undefined, MemoryStore, Promise.resolve(memory)]) {
      const start = () => new LiveSessions({ settings: settings(), store: given as never });
      expect(start).to.throw(ImproperlyConfigured, 'store');
    }
  });

  it('ends connections also where a backend answers, or throws, at once', async () => {
    const memory = new MemoryStore({ now: clock });
    const answers: (() => null)[] = [
      () => null,
      () => {
        throw new Error('at once');
      },
    ];
    const backends = answers.map((get_user, index) => ({
      path: `own.${index}`,
      authenticate: async () => null,
      get_user,
    }));
    const options = { settings: settings(), store: memory, backends, interval: INTERVAL };
    watching = new Watching(options as unknown as LiveSessionsOptions);
    const opened: Session[] = [];
    for (const path of [null, 'own.0', 'own.1']) {
      const session = await openSession('', { settings: settings(), store: memory, now: clock });
      session['visits'] = 1;
      if (path !== null) session.update({ _auth_user_id: '1', _auth_user_backend: path });
      await session.save();
      watching.watch(path ?? 'nobody', session);
      opened.push(session);
    }
    await watching.end('own.0');
    await Promise.all(opened.map((session) => session.flush()));
    await Promise.all(['nobody', 'own.1'].map((name) => watching.end(name)));
  });

  it('refuses options without settings, and a logger that is none', () => {
    const given = { settings: settings(), store };
    for (const options of [{ store }, { ...given, logger: console.log }]) {
      expect(() => new LiveSessions(options as unknown as LiveSessionsOptions)).to.throw(ImproperlyConfigured);
    }
  });

  it('goes on looking after a backend of the application threw', async () => {
    const memory = new MemoryStore({ now: clock });
    const broken = {
      path: BACKEND,
      authenticate: async () => null,
      get_user: (): never => {
        throw new Error('no such backend');
      },
    };
    const warnings: string[] = [];
    let warned = (): void => {};
    const hasWarned = new Promise<void>((resolve) => {
      warned = resolve;
    });
    const logger = {
      warn: (_fields: object, message: string) => {
        warnings.push(message);
        warned();
      },
    };
    const options = { settings: settings(), store: memory, backends: [broken], interval: INTERVAL, logger };
    watching = new Watching(options as unknown as LiveSessionsOptions);
    const inMemory = (): Promise<Session> => openSession('', { settings: settings(), store: memory, now: clock });
    const [known, other] = [await inMemory(), await inMemory()];
    known.update({ _auth_user_id: '1', _auth_user_backend: BACKEND });
    other['visits'] = 1;
    await known.save();
    await other.save();
    const forget = watching.watch('known', known);
    await hasWarned;
    forget();
    watching.watch('other', other);
    await other.flush();
    await watching.end('other');
    expect([watching.ended, warnings.length]).to.deep.equal([['other'], 1]);
  });
});
