/** The site on a real database, and its visitors: test clients, as any application has them. */
import type { Knex } from 'knex';
import Koa from 'koa';
import {
  authentication,
  ModelBackend,
  make_password,
  PBKDF2PasswordHasher,
  type User,
  UserSessions,
  UserTable,
} from '../../server/auth/index.js';
import type { Clock } from '../../server/clock.js';
import { csrf } from '../../server/csrf/index.js';
import { exceptions, formBody, securityHeaders } from '../../server/http/index.js';
import { messages } from '../../server/messages/index.js';
import { sessions } from '../../server/session/middleware.js';
import type { Session } from '../../server/session/session.js';
import type { SessionStore } from '../../server/session/store.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { defineSettings, type GivenSettings, type Settings } from '../../server/settings.js';
import { type CaptchaThrottles, createSite, type SiteThrottle } from '../../server/site/index.js';
import {
  Client,
  type ClientBodyRequest,
  type ClientHeaders,
  type ClientResponse,
  type TestClock,
  testClock,
} from '../../server/testing/index.js';
import { databaseOfSuite } from '../support/database.js';

export const SECRET_KEY = 'a key for the tests of the site';
export const ALICE = { username: 'alice', password: 'white-rabbit-7' };
export const BOB = { username: 'bob', password: 'yes-we-can-42' };

export interface TestSite {
  readonly app: Koa;
  readonly knex: Knex;
  readonly settings: Settings;
  readonly store: SessionStore;
  /** Tests may set it. */
  readonly clock: TestClock;
}

export interface SiteChoices {
  readonly settings?: GivenSettings<Settings>;
  readonly throttle?: SiteThrottle;
  readonly captchas?: CaptchaThrottles;
  readonly lab?: boolean;
  /** DATABASE_TIMEOUT in seconds; 1 when absent. */
  readonly timeout?: number;
  /** Engine db unless given. */
  readonly store?: (settings: Settings, now: Clock) => SessionStore;
}

/** A database with the two users and a site on it, for the suite that calls this; there from its first `before` on. */
export function siteOfSuite(choices: SiteChoices = {}): TestSite {
  const database = databaseOfSuite();
  const site = {} as TestSite;
  before(async () => {
    await addUsers(database.knex);
    Object.assign(site, makeSite(database.knex, choices));
  });
  return site;
}

/** Real time unless the test sets its clock. */
export function makeSite(
  knex: Knex,
  { settings: given = {}, throttle, captchas, lab = false, timeout = 1, store: open }: SiteChoices = {},
): TestSite {
  // As in development.
  const settings = defineSettings({ SECRET_KEY, LOGIN_CAPTCHA: 'always', ...given });
  const now = testClock();
  const app = new Koa();
  const users = new UserTable(knex, { timeout });
  // What a test makes fail on purpose is not printed.
  app.on('error', () => {});
  const store = open?.(settings, now) ?? new DatabaseStore(knex, { now, timeout });
  const userSessions = open === undefined ? new UserSessions(knex, { settings, store, now, timeout }) : null;
  const counted = { throttle: throttle ?? null, captchas: captchas ?? null };
  const site = createSite({ settings, knex, store, timeout, users, userSessions, ...counted, lab, now });
  app.use(securityHeaders());
  app.use(site.staticFiles);
  app.use(site.views);
  app.use(sessions(app, { settings, store, now }));
  app.use(exceptions({ render: site.renderError }));
  app.use(csrf(app, { settings, now }));
  app.use(formBody({ settings }));
  app.use(authentication(app, { settings, backends: [new ModelBackend(users)], now }));
  if (userSessions !== null) app.use(userSessions.middleware);
  app.use(messages(app, { settings, now }));
  for (const middleware of site.routes) app.use(middleware);
  return { app, knex, settings, store, clock: now };
}

/** The two users, with a hash that is quick to check. */
export async function addUsers(knex: Knex): Promise<User[]> {
  const users = new UserTable(knex);
  const quick = [new PBKDF2PasswordHasher({ iterations: 1000 })] as const;
  return Promise.all(
    [ALICE, BOB].map(async ({ username, password }) =>
      users.create_user({ username, password: await make_password(password, { hashers: quick }) }),
    ),
  );
}

/** A browser at the site, which posts its forms with the token of the login page. */
export class Visitor extends Client {
  constructor({ app, settings, store, clock }: TestSite, headers: ClientHeaders = {}) {
    super(app, { settings, store, now: clock, headers, enforce_csrf_checks: true });
  }

  override async post(path: string, fields: object = {}, request: ClientBodyRequest = {}): Promise<ClientResponse> {
    return super.post(path, { csrfmiddlewaretoken: await this.token(), ...fields }, request);
  }

  /** Without the token. */
  async postRaw(path: string, fields: object, headers: ClientHeaders = {}): Promise<ClientResponse> {
    return super.post(path, fields, { headers });
  }

  async postJson(path: string, body: object | string, headers: ClientHeaders = {}): Promise<ClientResponse> {
    const token = await this.token();
    return super.post(path, body, {
      content_type: 'application/json',
      headers: { 'X-CSRFToken': token, ...headers },
    });
  }

  async token(): Promise<string> {
    const page = await this.get('/login/');
    return /name="csrfmiddlewaretoken" value="(\w+)"/.exec(page.text)?.[1] ?? '';
  }

  /** The session that its row holds; null without a row. */
  async row(): Promise<Session | null> {
    const session = await this.session();
    return session.session_key === null || session.isMissing() ? null : session;
  }

  /** Look at the picture, and know what it shows. */
  async solved(): Promise<string> {
    await this.get('/captcha/');
    return this.plantCaptcha('R3WDAX');
  }

  /** Change the row behind the site's back, as Django might. */
  async change(edit: (session: Session) => unknown): Promise<void> {
    const session = await this.row();
    if (session === null) throw new Error('This visitor has no session row.');
    edit(session);
    await session.save();
  }

  async logIn(user: { readonly username: string; readonly password: string }, next = ''): Promise<ClientResponse> {
    return this.post('/login/', { ...user, captcha: await this.solved(), next });
  }

  async me(): Promise<{ user: { id: number; username: string } | null; session_key: string | null }> {
    return (await this.get('/api/me/')).json() as Awaited<ReturnType<Visitor['me']>>;
  }
}

/** How many rows django_session has. */
export async function countSessions(knex: Knex): Promise<number> {
  const [row] = await knex('django_session').count<{ count: string }[]>('* as count');
  return Number(row?.count);
}
