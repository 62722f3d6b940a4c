/** The site behind a real socket on a real database, and a visitor: an HTTP client with a cookie jar. */
import type { Knex } from 'knex';
import Koa from 'koa';
import {
  authentication,
  ModelBackend,
  make_password,
  PBKDF2PasswordHasher,
  type User,
  UserTable,
} from '../../server/auth/index.js';
import { captchaHash } from '../../server/captcha/index.js';
import { csrf } from '../../server/csrf/index.js';
import { exceptions, formBody, security_headers } from '../../server/http/index.js';
import { messages } from '../../server/messages/index.js';
import { SessionCodec } from '../../server/session/codec.js';
import { sessions } from '../../server/session/middleware.js';
import type { SessionStore } from '../../server/session/store.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { defineSettings, type GivenSettings, type Settings } from '../../server/settings.js';
import { type CaptchaThrottles, createSite, type SiteThrottle } from '../../server/site/index.js';
import { type Answer, type Ask, type Server, serve } from '../http/serve.js';

export const SECRET_KEY = 'a key for the tests of the site';
export const ALICE = { username: 'alice', password: 'white-rabbit-7' };
export const BOB = { username: 'bob', password: 'yes-we-can-42' };

/** The captcha that `solved` plants. */
const ANSWER = 'R3WDAX';

export interface TestSite extends Server {
  readonly knex: Knex;
  readonly settings: Settings;
  readonly codec: SessionCodec;
  readonly store: SessionStore;
  /** Seconds; tests may set it. */
  readonly clock: { now: number };
}

export interface SiteChoices {
  readonly settings?: GivenSettings<Settings>;
  readonly throttle?: SiteThrottle;
  readonly captchas?: CaptchaThrottles;
  readonly lab?: boolean;
}

/** Listen until closeServers(). Real time unless the test sets `clock.now`. */
export async function startSite(
  knex: Knex,
  { settings: given = {}, throttle, captchas, lab = false }: SiteChoices = {},
): Promise<TestSite> {
  // As in development.
  const settings = defineSettings({ SECRET_KEY, LOGIN_CAPTCHA: 'always', ...given });
  const clock = { now: Math.floor(Date.now() / 1000) };
  const now = (): number => clock.now;
  const app = new Koa();
  const store = new DatabaseStore(knex, { now });
  const site = createSite({ settings, knex, store, throttle: throttle ?? null, captchas: captchas ?? null, lab, now });
  const users = new UserTable(knex);
  app.use(security_headers());
  app.use(site.staticFiles);
  app.use(site.views);
  app.use(sessions(app, { settings, store, now }));
  app.use(exceptions({ render: site.renderError }));
  app.use(csrf(app, { settings, now }));
  app.use(formBody({ settings }));
  app.use(authentication(app, { settings, backends: [new ModelBackend(users)], now }));
  app.use(messages(app, { settings, now }));
  for (const middleware of site.routes) app.use(middleware);
  return { ...(await serve(app)), knex, settings, store, codec: new SessionCodec(settings, { now }), clock };
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

export class Visitor {
  readonly cookies = new Map<string, string>();
  readonly #site: TestSite;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(site: TestSite, headers: Readonly<Record<string, string>> = {}) {
    this.#site = site;
    this.#headers = headers;
  }

  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#ask({ path, headers });
  }

  /** Post a form with the CSRF token of the login page. */
  async post(
    path: string,
    fields: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const csrfmiddlewaretoken = await this.token();
    return this.postRaw(path, { csrfmiddlewaretoken, ...fields }, headers);
  }

  async postRaw(
    path: string,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' };
    return this.#ask({
      method: 'POST',
      path,
      headers: { ...type, ...headers },
      body: new URLSearchParams(fields).toString(),
    });
  }

  async postJson(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const token = await this.token();
    const type = { 'Content-Type': 'application/json', 'X-CSRFToken': token };
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.#ask({ method: 'POST', path, headers: { ...type, ...headers }, body: text });
  }

  async token(): Promise<string> {
    const page = await this.get('/login/');
    return /name="csrfmiddlewaretoken" value="(\w+)"/.exec(page.text)?.[1] ?? '';
  }

  /** What the row of this visitor's session holds; null without a row. */
  async session(): Promise<Map<string, unknown> | null> {
    const session_key = this.cookies.get('sessionid') ?? '';
    const row = await this.#site.knex('django_session').where({ session_key }).first();
    const json = row === undefined ? null : this.#site.codec.decode(row.session_data);
    return json === null ? null : new Map(Object.entries(JSON.parse(json) as object));
  }

  /** Look at the picture, and know what it shows: as the documentation says, with SECRET_KEY an answer can be planted. */
  async solved(): Promise<string> {
    await this.get('/captcha/');
    await this.change((data) =>
      data.set('captcha', { hash: captchaHash(ANSWER, this.#site.settings), expires: this.#site.clock.now + 600 }),
    );
    return ANSWER;
  }

  /** Change the row behind the site's back, as Django might. */
  async change(edit: (data: Map<string, unknown>) => unknown): Promise<void> {
    const data = await this.session();
    if (data === null) throw new Error('This visitor has no session row.');
    edit(data);
    const session_data = this.#site.codec.encode(JSON.stringify(Object.fromEntries(data)));
    await this.#site
      .knex('django_session')
      .where({ session_key: this.cookies.get('sessionid') })
      .update({ session_data });
  }

  async logIn(user: { readonly username: string; readonly password: string }, next = ''): Promise<Answer> {
    return this.post('/login/', { ...user, captcha: await this.solved(), next });
  }

  async me(): Promise<{ user: { id: number; username: string } | null; session_key: string | null }> {
    return JSON.parse((await this.get('/api/me/')).text) as Awaited<ReturnType<Visitor['me']>>;
  }

  async #ask({ headers = {}, ...ask }: Ask): Promise<Answer> {
    const Cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await this.#site.ask({
      ...ask,
      headers: { ...(Cookie === '' ? {} : { Cookie }), ...this.#headers, ...headers },
    });
    for (const line of answer.set_cookie) this.#keep(line);
    return answer;
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (/; Max-Age=0(;|$)/i.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

/** How many rows django_session has. */
export async function countSessions(knex: Knex): Promise<number> {
  const [row] = await knex('django_session').count<{ count: string }[]>('* as count');
  return Number(row?.count);
}
