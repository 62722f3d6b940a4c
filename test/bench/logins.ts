/**
 * A real login, and the pages of others meanwhile: the reference server and a Django, each in as many processes as there
 * are cores, with a database of their own.
 *
 * A login is the form (GET, a CSRF token), and its POST: the user's row, the password's PBKDF2, the session under a new
 * key, last_login. Ours also has a captcha, whose answer is planted in the session, and a throttle; Django has neither.
 * The password is hashed with Django's own number of iterations, so that Django does not hash it anew.
 */
import { pbkdf2Sync } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { PBKDF2_ITERATIONS } from '../../server/auth/hashers/pbkdf2.js';
import { get_session_auth_hash } from '../../server/auth/session_hash.js';
import { captchaHash } from '../../server/captcha/answer.js';
import { connectKnex } from '../../server/db/knex.js';
import { migrate } from '../../server/db/migrate.js';
import { base, type Contestant, django as djangoContestant } from './contestants.js';
import type { BenchDatabase } from './database.js';
import type { DjangoSite } from './install.js';
import { Histogram } from './load/histogram.js';
import type { Options } from './options.js';
import { CORES } from './processes.js';
import { SECRET_KEY, session_data } from './rows.js';
import { PAGES, PEOPLE } from './scenarios.js';
import { startServer } from './server_process.js';
import { median } from './statistics.js';

export interface LoginResult {
  readonly server: string;
  /** A second. */
  readonly logins: number;
  /** Milliseconds of a whole login, form and POST. */
  readonly p50: number;
  /** Milliseconds of others' pages: while nobody logs in, and while everybody does. */
  readonly p99_idle: number;
  readonly p99: number;
}

const DATABASE = 'bench_logins';
const USERS = 500;
const ANSWER = 'ACEHLM';
const PASSWORD = 'a garden of cucumbers';

/** Seconds. One login takes most of one, so that nothing shorter tells anything. */
const IDLE = 6;
const BUSY = 12;

interface Ask {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly cookie: string;
  readonly form?: Readonly<Record<string, string>>;
  /** The visitor's address: a throttle counts by it. */
  readonly address?: string;
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly cookies: Readonly<Record<string, string>>;
}

const agent = new Agent({ keepAlive: true });

function ask(port: number, { method = 'GET', path, cookie, form, address = '10.0.0.1' }: Ask): Promise<Reply> {
  const body = form === undefined ? undefined : new URLSearchParams(form).toString();
  const headers = {
    cookie,
    'x-forwarded-for': address,
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length }),
  };
  return new Promise((resolve, reject) => {
    const sent = request({ agent, host: '127.0.0.1', port, method, path, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.once('error', reject).once('end', () => {
        const pairs = (answer.headers['set-cookie'] ?? []).map((line) => (line.split(';')[0] ?? '').split('='));
        resolve({ status: answer.statusCode ?? 0, body: text, cookies: Object.fromEntries(pairs) });
      });
    });
    sent.once('error', reject).end(body);
  });
}

/** The form, and what is sent with it. @throws Error when that is no login */
async function logIn(port: number, id: number): Promise<void> {
  const cookie = `sessionid=${formKey(id)}`;
  const address = `10.1.${Math.floor(id / 250)}.${(id % 250) + 1}`;
  const form = await ask(port, { path: '/login/', cookie, address });
  const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(form.body)?.[1] ?? '';
  const { status, cookies } = await ask(port, {
    method: 'POST',
    path: '/login/',
    cookie: `${cookie}; csrftoken=${form.cookies['csrftoken']}`,
    address,
    form: { csrfmiddlewaretoken: token, username: `visitor${id}`, password: PASSWORD, captcha: ANSWER },
  });
  if (status !== 302 || cookies['sessionid'] === undefined) throw new Error(`not logged in: ${form.status}, ${status}`);
}

const formKey = (id: number): string => `form${String(id).padStart(28, '0')}`;
const userKey = (id: number): string => `user${String(id).padStart(28, '0')}`;

/** Users, a session of each that is logged in, and one of each that is at the login form. */
async function plant(client: pg.Client, iterations: number): Promise<void> {
  const salt = 'benchmarksaltbenchmark';
  const hash = pbkdf2Sync(PASSWORD, salt, iterations, 32, 'sha256').toString('base64');
  const password = `pbkdf2_sha256$${iterations}$${salt}$${hash}`;
  await client.query('TRUNCATE django_session, auth_user CASCADE');
  await client.query(
    `INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
       date_joined)
     SELECT id, $2, false, 'visitor' || id, '', '', '', false, true, now() FROM generate_series(1, $1::int) id`,
    [USERS, password],
  );
  const captcha = { hash: captchaHash(ANSWER, { SECRET_KEY }), expires: 4e9 };
  const login = {
    _auth_user_backend: 'django.contrib.auth.backends.ModelBackend',
    _auth_user_hash: get_session_auth_hash(password, SECRET_KEY),
  };
  const rows = Array.from({ length: USERS }, (_, n) => n + 1).flatMap((id): readonly (readonly [string, object])[] => [
    [formKey(id), { captcha }],
    [userKey(id), { _auth_user_id: String(id), ...login }],
  ]);
  await client.query(
    `INSERT INTO django_session (session_key, session_data, expire_date)
     SELECT key, data, now() + interval '1 day' FROM unnest($1::text[], $2::text[]) AS given (key, data)`,
    [rows.map(([key]) => key), rows.map(([, values]) => session_data(JSON.stringify(values), '1wXyZ0'))],
  );
  await client.query('VACUUM ANALYZE');
}

/** Pages of random users at a steady pace, however long each takes, until it is stopped. */
function pages(port: number): { stop(): Promise<Histogram> } {
  const latencies = new Histogram();
  const asked: Promise<void>[] = [];
  const one = async (id: number): Promise<void> => {
    const start = performance.now();
    const { status, body } = await ask(port, { path: '/api/me/', cookie: `sessionid=${userKey(id)}` });
    latencies.add(performance.now() - start);
    if (status !== 200 || !body.includes(`visitor${id}`))
      throw new Error(`not the page of visitor${id}: ${status} ${body}`);
  };
  const timer = setInterval(() => asked.push(one(1 + Math.floor(Math.random() * USERS))), 1000 / PAGES);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(asked);
      return latencies;
    },
  };
}

async function measureLogins(server: string, port: number): Promise<LoginResult> {
  let next = 0;
  const latencies = new Histogram();
  /** The first logins and pages are the compiler's. */
  const warming = pages(port);
  for (; next < PEOPLE; ) await logIn(port, ++next);
  await warming.stop();

  const idle = pages(port);
  await pause(IDLE * 1000);
  const undisturbed = await idle.stop();

  const start = performance.now();
  const end = start + BUSY * 1000;
  const others = pages(port);
  const person = async (): Promise<void> => {
    while (performance.now() < end && next < USERS) {
      const began = performance.now();
      await logIn(port, ++next);
      latencies.add(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: PEOPLE }, person));
  const seconds = (performance.now() - start) / 1000;
  const disturbed = await others.stop();
  return {
    server,
    logins: latencies.total / seconds,
    p50: latencies.quantile(0.5),
    p99_idle: undisturbed.quantile(0.99),
    p99: disturbed.quantile(0.99),
  };
}

function servers(site: DjangoSite | null): readonly Contestant[] {
  const ours: Contestant = {
    ...base,
    name: `ours ×${CORES}`,
    what: `the reference server in ${CORES} processes`,
    command: [process.execPath, fileURLToPath(new URL('../../dist/server/main.js', import.meta.url))],
    processes: CORES,
    ready: '/readyz',
    env: {
      WEB_CONCURRENCY: String(CORES),
      ALLOWED_HOSTS: '*',
      TRUSTED_PROXIES: '127.0.0.1',
      INSECURE_COOKIES: 'true',
      LOGIN_CAPTCHA: 'always',
      LOG_LEVEL: 'warn',
    },
  };
  return site === null ? [ours] : [ours, { ...djangoContestant(CORES, site), env: { LOGINS: '1' } }];
}

/** @returns medians of the rounds */
export async function compareLogins(
  database: BenchDatabase,
  site: DjangoSite | null,
  options: Options,
): Promise<readonly LoginResult[]> {
  const url = database.urlOf(DATABASE);
  await database.query(`DROP DATABASE IF EXISTS ${DATABASE}`);
  await database.query(`CREATE DATABASE ${DATABASE}`);
  const knex = connectKnex(url, { statement_timeout: 0 });
  await migrate(knex);
  await knex.destroy();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const rounds: LoginResult[] = [];
  try {
    for (let round = 0; round < options.rounds; round++) {
      for (const contestant of servers(site)) {
        await plant(client, site?.iterations ?? PBKDF2_ITERATIONS);
        const server = await startServer(contestant, { database: { url } }, false);
        try {
          rounds.push(await measureLogins(contestant.name, server.port));
        } finally {
          await server.stop();
        }
      }
    }
  } finally {
    agent.destroy();
    await client.end();
    await database.query(`DROP DATABASE ${DATABASE} WITH (FORCE)`);
  }
  return servers(site).map(({ name }) => {
    const mine = rounds.filter(({ server }) => server === name);
    const of = (field: 'logins' | 'p50' | 'p99_idle' | 'p99'): number => median(mine.map((round) => round[field]));
    return { server: name, logins: of('logins'), p50: of('p50'), p99_idle: of('p99_idle'), p99: of('p99') };
  });
}
