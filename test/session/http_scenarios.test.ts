/** What real Django did with whole requests, done again by our middleware on real PostgreSQL with the clock stopped. */
import { expect } from 'chai';
import Koa from 'koa';
import {
  authentication,
  get_session_auth_hash,
  login,
  logout,
  ModelBackend,
  make_password,
  UserTable,
  update_session_auth_hash,
} from '../../server/auth/index.js';
import { csrf } from '../../server/csrf/index.js';
import { exceptions } from '../../server/http/index.js';
import { SessionCodec } from '../../server/session/codec.js';
import { sessions } from '../../server/session/middleware.js';
import type { Session } from '../../server/session/session.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { defineSettings } from '../../server/settings.js';
import { parseJson, printJson } from '../../server/signing/python_json.js';
import { portless } from '../http/serve.js';
import { databaseOfSuite, type SuiteDatabase } from '../support/database.js';
import { type VectorEntry, vectorEntries, vectorSuite } from '../support/vectors.js';

type Operation = readonly [name: string, ...values: unknown[]];

interface Row {
  readonly session_key: string;
  readonly session_data: string;
  readonly expire_date_utc: string;
  readonly decoded_json: string;
}

interface Scenario extends VectorEntry {
  readonly now: string;
  readonly secret_key: string;
  readonly settings: Record<string, unknown>;
  readonly cookie_header: string;
  readonly rows_before: readonly Row[];
  readonly ops: readonly Operation[];
  readonly view_status: number;
  readonly op_results: readonly unknown[] | null;
  readonly status: number;
  readonly set_cookie: readonly string[];
  readonly vary: string | null;
  readonly rows_after: readonly Row[];
  readonly log: readonly (readonly [logger: string, level: string, message: string])[];
}

const SUSPICIOUS = 'django.security.SuspiciousSession';

const DELETED = 'sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax';

/** The users of the recording. Their passwords were not recorded, only what the sessions hold: a hash over each. */
const USERS: readonly { username: string; is_active: boolean; recordedHash: string }[] = [
  {
    username: 'alice',
    is_active: true,
    recordedHash: 'f8275ba8837165b7b356eb5fb865185a7f11ca916db232984ed582259ce2e0cd',
  },
  {
    username: 'bob',
    is_active: true,
    recordedHash: 'ac0a2c7701412f3601f276b2f3fa8a66de36eaaa6e3d39d7fe88313208d4b441',
  },
  {
    username: 'carol',
    is_active: false,
    recordedHash: '7e5bfeb40192734fc8610d0e29475b94f734855f8e46f2ecc8125be90fee0304',
  },
];
let database: SuiteDatabase;

describe('request and response', () => {
  database = databaseOfSuite();
  let password: string;

  before(async () => {
    password = await make_password('secret');
  });

  /** Text in which the recorded users' hashes are those of ours. */
  function ours(text: string, secret: string): string {
    return USERS.reduce(
      (result, { username, recordedHash }) =>
        result.replaceAll(recordedHash, get_session_auth_hash(`${password}${username}`, secret)),
      text,
    );
  }

  async function play(scenario: Scenario): Promise<void> {
    const seconds = Date.parse(scenario.now) / 1000;
    const now = (): number => seconds;
    const settings = defineSettings({ SECRET_KEY: scenario.secret_key, ...scenario.settings });
    const codec = new SessionCodec(settings, { now });
    const log: [string, string, string][] = [];
    const { knex } = database;

    await knex('django_session').delete();
    await knex('auth_user').delete();
    await knex.raw('ALTER SEQUENCE auth_user_id_seq RESTART');
    const users = new UserTable(knex);
    for (const { username, is_active } of USERS) {
      await users.create_user({ username, is_active, password: `${password}${username}` });
    }
    for (const row of scenario.rows_before) {
      const { session_key, session_data, decoded_json, expire_date_utc } = row;
      const decoded = ours(decoded_json, scenario.secret_key);
      const data = decoded === decoded_json ? session_data : codec.encode(printJson(parseJson(decoded)));
      await knex('django_session').insert({ session_key, session_data: data, expire_date: `${expire_date_utc}Z` });
    }

    let keys = 0;
    let secrets = 0;
    const app = new Koa();
    const suspicious = { warn: (_: object, message: string) => log.push([SUSPICIOUS, 'WARNING', message]) };
    const quiet = { warn: () => {}, error: () => {} };
    app.use(exceptions({ logger: quiet }));
    app.use(
      sessions(app, {
        settings,
        store: new DatabaseStore(knex, { now }),
        now,
        logger: suspicious,
        // Django tells nobody.
        warnUnsaved: false,
        newSessionKey: () => {
          keys += 1;
          return `newkey${String(keys).padStart(26, '0')}`;
        },
      }),
    );
    app.use(exceptions({ logger: quiet }));
    app.use(
      csrf(app, {
        settings,
        now,
        newCsrfSecret: () => {
          secrets += 1;
          return `csrf${String(secrets).padStart(28, '0')}`;
        },
      }),
    );
    // Not mounted: Django's request.user is looked up when a view asks for it.
    authentication(app, { settings, backends: [new ModelBackend(users)], now });

    const results: unknown[] = [];
    app.use(async (ctx) => {
      for (const operation of scenario.ops) results.push(await operate(ctx, operation, users));
      ctx.status = scenario.view_status;
      ctx.body = 'ok';
    });

    const answer = await get(app, scenario.cookie_header);
    expect(answer.status).to.equal(scenario.status);
    expect(answer.cookies).to.deep.equal(scenario.set_cookie);
    expect(answer.vary).to.equal(scenario.vary);
    // null: the view did not come to its end.
    if (scenario.op_results !== null) {
      const expected = parseJson(ours(JSON.stringify(scenario.op_results), scenario.secret_key));
      expect(results.map(plain)).to.deep.equal(expected);
    }

    const rows = await knex('django_session').orderBy('session_key');
    expect(rows.map(({ session_key }) => session_key)).to.deep.equal(
      scenario.rows_after.map(({ session_key }) => session_key),
    );
    for (const [index, expected] of scenario.rows_after.entries()) {
      const { session_data, expire_date } = rows[index];
      expect(expire_date.toISOString()).to.equal(new Date(`${expected.expire_date_utc}Z`).toISOString());
      const decoded = ours(expected.decoded_json, scenario.secret_key);
      if (decoded === expected.decoded_json && expected.session_data !== '<random salt>') {
        expect(session_data, 'the very bytes that Django wrote').to.equal(expected.session_data);
      } else if (expected.decoded_json !== '<random salt>') {
        expect(codec.decode(session_data)).to.equal(printJson(parseJson(decoded)));
      }
    }
    // Django's own request log is another matter; what it says about sessions must be said here too.
    expect(log).to.deep.equal(scenario.log.filter(([logger]) => logger === SUSPICIOUS));
  }

  vectorSuite<Scenario>('http_scenarios', play, {
    name: ({ id = '', django = [] }) => `${id} [${[django].flat().at(-1)}]`,
    // Where only an older Django did so we follow the newest, whose own entry says what that does.
    older: async (scenario) => {
      const same = await play(scenario).then(
        () => true,
        () => false,
      );
      expect(same, 'we follow the newest Django, which does otherwise').to.equal(false);
    },
    cannot: {
      'nul_cookie_read [main]': {
        reason: 'Django fails on a key with a NUL inside PostgreSQL and answers 500; here it counts as no key.',
        instead: async (scenario) => {
          const instead = [...scenario.set_cookie, DELETED];
          await play({ ...scenario, op_results: [null], set_cookie: instead });
        },
      },
      'login_then_500 [main]': {
        reason: 'A login is one commit here; its row is whole, so that its key is told with the error, too.',
        instead: async (scenario) => {
          const whole = vectorEntries<Scenario>('http_scenarios').find(
            ({ id, django }) => id === 'login_no_cookie' && django?.includes('main'),
          );
          if (whole === undefined) throw new Error('The recording has no login_no_cookie.');
          await play({ ...scenario, set_cookie: whole.set_cookie, rows_after: whole.rows_after });
        },
      },
      'user_read_garbage_id [main]': {
        reason: 'Django raises ValidationError, a 500, for a user id that is no number; here the visitor is nobody.',
        instead: (scenario) => play({ ...scenario, op_results: [null] }),
      },
    },
  });
});

/** JSON's view of a result; bigint and undefined have none. */
function plain(value: unknown): unknown {
  return value === undefined ? null : parseJson(printJson(value));
}

async function operate(ctx: Koa.Context, operation: Operation, users: UserTable): Promise<unknown> {
  try {
    return await perform(ctx, operation, users);
  } catch (error) {
    if (operation[0] === 'raise') throw error;
    return { raises: (error as Error).name };
  }
}

async function perform(ctx: Koa.Context, [name, ...values]: Operation, users: UserTable): Promise<unknown> {
  const { session } = ctx.request;
  const [key, value] = values as [string, unknown];
  switch (name) {
    case 'setitem':
      session[key] = value;
      return null;
    case 'getitem':
      return 'getitem' in session || !(key in session) ? { raises: 'KeyError' } : session[key];
    case 'delitem':
      delete session[key];
      return null;
    case 'contains':
      return key in session;
    case 'attr':
      return session[key];
    case 'append_nested':
      (session.get(key) as unknown[]).push(value);
      return null;
    case 'set_expiry':
      session.set_expiry(expiry(key));
      return null;
    case 'login':
      await login(ctx, await named(users, key));
      return null;
    case 'logout':
      await logout(ctx);
      return null;
    case 'user': {
      const user = await ctx.request.auser();
      return user.is_authenticated ? user.username : null;
    }
    case 'set_password':
      await users.set_password((await named(users, key)).id, await make_password(String(value)));
      return null;
    case 'change_password_keep': {
      const user = await ctx.request.auser();
      if (!user.is_authenticated) throw new Error('nobody is logged in');
      await users.set_password(user.id, await make_password(key));
      await update_session_auth_hash(ctx, await named(users, user.username));
      return null;
    }
    case 'csrf_token':
      return ctx.csrf_token.length;
    case 'db_delete_row':
      // Past the session, as another process would.
      return database.knex('django_session').delete();
    case 'raise':
      throw new Error('the view failed');
    case 'create':
    case 'save':
    case 'cycle_key':
    case 'flush':
    case 'delete':
    case 'clear_expired':
      await session[name]();
      return null;
    default:
      return (session[name] as (...values: unknown[]) => unknown)(...values) ?? null;
  }
}

type ExpiryInput = Parameters<Session['set_expiry']>[0];

function expiry(value: unknown): ExpiryInput {
  if (typeof value !== 'object' || value === null) return value as ExpiryInput;
  const { $dt, $td } = value as { $dt?: string; $td?: number };
  return $dt === undefined ? { seconds: $td ?? 0 } : new Date($dt);
}

async function named(users: UserTable, username: string) {
  const user = await users.get_by_natural_key(username);
  if (user === null) throw new Error(`no user ${username}`);
  return user;
}

interface Answer {
  readonly status: number;
  readonly cookies: readonly string[];
  readonly vary: string | null;
}

/** One GET. The recording has the Cookie header as latin-1 text. */
async function get(app: Koa, cookie: string): Promise<Answer> {
  const { status, set_cookie, headers } = await portless(app).ask({ headers: cookie === '' ? {} : { cookie } });
  return { status, cookies: set_cookie, vary: headers.vary ?? null };
}
