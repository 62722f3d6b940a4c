/** A Django and one of our servers on the same database and key, and what a visitor does at either. */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';
import type { Settings } from '../../server/settings.js';
import { printJson } from '../../server/signing/python_json.js';
import { emptyDatabase, type TestDatabase } from '../support/database.js';
import { type Answer, Browser, hangUp } from './browser.js';
import { type Environment, environments, since } from './environments.js';
import { manage, type RunningServer, startDjango, startKoa, stopServers, type Values } from './servers.js';

export type Side = 'django' | 'koa';
export const SIDES: readonly Side[] = ['django', 'koa'];
export const other = (side: Side): Side => (side === 'django' ? 'koa' : 'django');

export const SECRET_KEY = 'one-key-for-both-servers-0123456789-abcdefghijklmnop';

export interface Pair {
  readonly django: Environment;
  readonly values: Values;
  readonly urls: Readonly<Record<Side, string>>;
  readonly servers: Readonly<Record<Side, RunningServer>>;
  readonly db: pg.Pool;
  readonly site: Site;
}

/** Since which release Django signs cookies with the salt of version 2 (CVE-2026-6873). */
export function signedCookieSaltVersion(django: Environment): Settings['SIGNED_COOKIE_SALT_VERSION'] {
  const [major = 0, minor = 0, patch = 0] = django.release;
  if (major === 5 && minor === 2) return patch >= 15 ? 2 : 1;
  if (major === 6 && minor === 0) return patch >= 6 ? 2 : 1;
  return since(django, 6, 1) ? 2 : 1;
}

/** One Django site: which models of its own it has, and what that is in settings. */
export interface Site {
  readonly name: string;
  readonly values: Readonly<Record<string, string>>;
  /** The tables of users and of sessions as a statement has them. */
  readonly users: string;
  readonly sessions: string;
  /** What its users log in with, from a name of the test's own. */
  readonly username: (name: string) => string;
}

const DJANGOS_OWN: Site = {
  name: '',
  values: {},
  users: 'auth_user',
  sessions: 'django_session',
  username: (name) => name,
};

/** Those with models of their own. */
export const SITES: readonly Site[] = [
  {
    ...DJANGOS_OWN,
    name: 'emails and UUID keys',
    values: { SITE_APPS: 'accounts', AUTH_USER_MODEL: 'accounts.User', USERNAME_FIELD: 'email' },
    users: 'accounts_user',
    username: (name) => `${name}@example.com`,
  },
  {
    ...DJANGOS_OWN,
    name: 'keys above 2^53',
    values: { SITE_APPS: 'members', AUTH_USER_MODEL: 'members.Member', AUTH_USER_TABLE: 'People' },
    users: '"People"',
  },
  {
    ...DJANGOS_OWN,
    name: 'a session model of its own',
    values: {
      SITE_APPS: 'tracked',
      DJANGO_SESSION_ENGINE: 'tracked.sessions',
      SESSION_TABLE: 'tracked_trackedsession',
    },
    sessions: 'tracked_trackedsession',
  },
];

/** The site that has these values. */
const siteOf = (values: Readonly<Record<string, string>>): Site =>
  SITES.find(({ values: { SITE_APPS } }) => SITE_APPS === values['SITE_APPS']) ?? DJANGOS_OWN;

const pairs = new Map<string, Promise<Pair>>();
const databases: TestDatabase[] = [];

/** The address of a database without a table; dropped after the run. */
export async function newDatabase(): Promise<string> {
  const database = await emptyDatabase();
  databases.push(database);
  return database.url;
}

/** Both servers, started once for each version and set of values: Django migrates first, ours finds its tables. */
export function pairOf(django: Environment, values: Readonly<Record<string, string>> = {}): Promise<Pair> {
  const key = JSON.stringify([django.version, values]);
  const pair = pairs.get(key) ?? startPair(django, values);
  pairs.set(key, pair);
  return pair;
}

async function startPair(django: Environment, extra: Readonly<Record<string, string>>): Promise<Pair> {
  const values: Values = {
    DATABASE_URL: extra['DATABASE_URL'] ?? (await newDatabase()),
    SECRET_KEY,
    SIGNED_COOKIE_SALT_VERSION: String(signedCookieSaltVersion(django)),
    // Django's own models are tested with its real hash; the other sites are about their models.
    ...(siteOf(extra) === DJANGOS_OWN ? {} : { FEW_ITERATIONS: '1' }),
    ...extra,
  };
  if (extra['DATABASE_URL'] === undefined) await manage(django, values, 'migrate', '--verbosity', '0');
  const [djangoServer, koaServer] = await Promise.all([startDjango(django, values), startKoa(values)]);
  const db = new pg.Pool({ connectionString: values.DATABASE_URL, max: 2 });
  // A connection that is idle while the database is dropped says so; without a listener that ends the process.
  db.on('error', () => {});
  return {
    django,
    values,
    urls: { django: djangoServer.url, koa: koaServer.url },
    servers: { django: djangoServer, koa: koaServer },
    db,
    site: siteOf(extra),
  };
}

/** Stop every pair and drop the databases. */
async function stopPairs(): Promise<void> {
  for (const pair of pairs.values()) {
    const started = await pair.catch(() => null);
    if (started === null) continue;
    await started.db.end();
    await Promise.all(SIDES.map((side) => started.servers[side].stop()));
  }
  pairs.clear();
  for (const database of databases.splice(0)) await database.drop();
}

// A root hook of the files that use this very module: one that mocha loads by itself may get another copy of it, which
// knows of no server.
after('stop every server', async () => {
  hangUp();
  await stopPairs();
  await stopServers();
});

/** One `describe` for each Django that can be had here. */
export async function eachDjango(suite: (django: Environment, pair: () => Promise<Pair>) => void): Promise<void> {
  for (const django of await environments()) {
    describe(`Django ${django.version}`, () => {
      suite(django, () => pairOf(django));
    });
  }
}

/** One `describe` for each Django and each kind of site: Django's own users and sessions first, then those of its own. */
export async function eachSite(
  suite: (django: Environment, pair: () => Promise<Pair>, site: Site) => void,
): Promise<void> {
  for (const django of await environments()) {
    for (const site of [DJANGOS_OWN, ...SITES]) {
      describe(`Django ${django.version}${site.name === '' ? '' : ` with ${site.name}`}`, () => {
        suite(django, () => pairOf(django, site.values), site);
      });
    }
  }
}

/** A user of this test alone, made by Django. */
export async function makeUser(
  { urls, site }: Pair,
  wanted: Readonly<Record<string, unknown>> = {},
): Promise<{ username: string; password: string; id: string; encoded: string }> {
  const username = site.username(`user_${randomBytes(5).toString('hex')}`);
  const password = 'correct horse battery staple';
  const answer = await new Browser().post(`${urls.django}/django/users/`, {
    json: JSON.stringify({ username, password, ...wanted }),
  });
  const { id, password: encoded } = answer.json as { id: number | bigint | string; password: string };
  return { username, password, id: String(id), encoded };
}

/** Change a user as Django's administrator would: `{"password"}`, `{"is_active": false}`. */
export async function changeUser(
  { urls }: Pair,
  username: string,
  wanted: Readonly<Record<string, unknown>>,
): Promise<void> {
  const json = JSON.stringify({ username, ...wanted });
  expect((await new Browser().post(`${urls.django}/django/users/`, { json })).status).to.equal(200);
}

const LOGIN: Readonly<Record<Side, string>> = { django: '/django/login/', koa: '/login/' };
const LOGOUT: Readonly<Record<Side, string>> = { django: '/django/logout/', koa: '/logout/' };
const ME: Readonly<Record<Side, string>> = { django: '/django/me/', koa: '/api/me/' };
const OPS: Readonly<Record<Side, string>> = { django: '/django/ops/', koa: '/lab/api/' };

/** The token that this side puts into its login form; its cookie is in the jar afterwards. */
export async function formToken({ urls }: Pair, side: Side, browser: Browser): Promise<string> {
  const page = await browser.get(urls[side] + LOGIN[side], { accept: 'text/html' });
  const token = /name="csrfmiddlewaretoken"\s+value="(\w+)"/.exec(page.text)?.[1];
  if (token === undefined) throw new Error(`no token in ${side}'s login form:\n${page.text}`);
  return token;
}

/** Fill in the side's own login form and send it. */
export async function login(
  pair: Pair,
  side: Side,
  browser: Browser,
  username: string,
  password: string,
): Promise<Answer> {
  const csrfmiddlewaretoken = await formToken(pair, side, browser);
  return browser.post(pair.urls[side] + LOGIN[side], { form: { username, password, csrfmiddlewaretoken } });
}

export function logout({ urls }: Pair, side: Side, browser: Browser): Promise<Answer> {
  return browser.post(urls[side] + LOGOUT[side], { form: { csrfmiddlewaretoken: csrfCookie(browser) } });
}

/** Who this side thinks the visitor is. */
export async function me(pair: Pair, side: Side, browser: Browser): Promise<string | null> {
  return (await account(pair, side, browser))?.username ?? null;
}

/** The same with the user's id, as this side's JSON has it. */
export async function account(
  { urls }: Pair,
  side: Side,
  browser: Browser,
): Promise<{ readonly id: number | bigint | string; readonly username: string } | null> {
  const { user } = (await browser.get(urls[side] + ME[side])).json as {
    user: { id: number | bigint | string; username: string } | null;
  };
  return user;
}

export type Op = readonly [name: string, ...args: unknown[]];

/** JSON text to be sent as it is. */
class Raw {
  constructor(readonly text: string) {}
}
export const raw = (text: string): Raw => new Raw(text);

const printOps = (list: readonly Op[]): string =>
  `{"ops":[${list.map((op) => `[${op.map((part) => (part instanceof Raw ? part.text : printJson(part))).join(',')}]`)}]}`;

export interface Outcome {
  readonly results: readonly unknown[];
  readonly state: {
    readonly session_key: string | null;
    readonly accessed: boolean;
    readonly modified: boolean;
    readonly expiry_age: number;
  };
  readonly answer: Answer;
}

/** Run operations on the visitor's session at one side, in one request. */
export async function ops(pair: Pair, side: Side, browser: Browser, ...list: Op[]): Promise<Outcome> {
  const outcome = await tryOps(pair, side, browser, ...list);
  const { status, text } = outcome.answer;
  if (status === 200) return outcome;
  throw new Error(`${side} answers ${status}: ${text.slice(0, 300)}\n${pair.servers[side].log().slice(-1500)}`);
}

/** The same where another status may be right: then there are no results. */
export async function tryOps({ urls }: Pair, side: Side, browser: Browser, ...list: Op[]): Promise<Outcome> {
  const headers: Record<string, string> = side === 'koa' ? { 'x-csrftoken': csrfCookie(browser) } : {};
  const answer = await browser.post(urls[side] + OPS[side], { json: printOps(list), headers });
  const { results, state } = answer.status === 200 ? (answer.json as Omit<Outcome, 'answer'>) : NOTHING;
  return { results, state, answer };
}

const NOTHING: Omit<Outcome, 'answer'> = {
  results: [],
  state: { session_key: null, accessed: false, modified: false, expiry_age: 0 },
};

/** The CSRF cookie, or one that the visitor brought along: double submit asks only that cookie and token agree. */
function csrfCookie(browser: Browser): string {
  const token = browser.jar.get('csrftoken') ?? randomBytes(16).toString('hex');
  browser.jar.set('csrftoken', token);
  return token;
}

export interface Row {
  readonly session_key: string;
  readonly session_data: string;
  readonly expire_date: Date;
}

/** The session key in the browser's cookie. */
export function keyOf(browser: Browser): string {
  const key = browser.jar.get('sessionid');
  if (key === undefined) throw new Error('the browser has no session cookie');
  return key;
}

/** The row behind a session key, or the browser's own. */
export async function row({ db, site }: Pair, key: string | Browser): Promise<Row | undefined> {
  const session_key = key instanceof Browser ? keyOf(key) : key;
  const { rows } = await db.query<Row>(`SELECT * FROM ${site.sessions} WHERE session_key = $1`, [session_key]);
  return rows[0];
}
