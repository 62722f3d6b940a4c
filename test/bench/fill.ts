/** Fills django_session and the peers' table with the same sessions, in processes of their own, and indexes them after. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { BenchDatabase } from './database.js';
import { CORES } from './processes.js';
import { PASSWORD, peerJson, session_data, session_key, sessionDocument } from './rows.js';

/** Change it when rows.ts makes other rows: a kept database is filled again then. */
const EDITION = 6;
const BATCH = 2000;
const TWO_MONTHS = 60 * 86_400_000;

const TABLES = [
  'DROP TABLE IF EXISTS django_session, session, bench_fill, auth_user, auth_user_groups, auth_user_user_permissions, auth_group, auth_group_permissions, auth_permission, django_content_type CASCADE',
  'CREATE TABLE django_session (session_key varchar(40) NOT NULL, session_data text NOT NULL, expire_date timestamptz NOT NULL)',
  `CREATE TABLE auth_user (id integer NOT NULL, password varchar(128) NOT NULL, last_login timestamptz,
    is_superuser boolean NOT NULL, username varchar(150) NOT NULL, first_name varchar(150) NOT NULL,
    last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL,
    date_joined timestamptz NOT NULL)`,
  'CREATE TABLE django_content_type (id integer PRIMARY KEY, app_label varchar(100) NOT NULL, model varchar(100) NOT NULL)',
  `CREATE TABLE auth_permission (id integer PRIMARY KEY, name varchar(255) NOT NULL, content_type_id integer NOT NULL
    REFERENCES django_content_type, codename varchar(100) NOT NULL)`,
  'CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL)',
  'CREATE TABLE auth_group_permissions (id bigint PRIMARY KEY, group_id integer NOT NULL, permission_id integer NOT NULL)',
  'CREATE TABLE auth_user_groups (id bigint NOT NULL, user_id integer NOT NULL, group_id integer NOT NULL)',
  'CREATE TABLE auth_user_user_permissions (id bigint NOT NULL, user_id integer NOT NULL, permission_id integer NOT NULL)',
  'CREATE TABLE session (sid varchar NOT NULL, sess json NOT NULL, expire timestamp(6) NOT NULL)',
];
// Django's and connect-pg-simple's own indexes, names included.
const INDEXES = [
  'ALTER TABLE django_session ADD CONSTRAINT django_session_pkey PRIMARY KEY (session_key)',
  'CREATE INDEX django_session_session_key_c0390e0f_like ON django_session (session_key varchar_pattern_ops)',
  'CREATE INDEX django_session_expire_date_a5c62663 ON django_session (expire_date)',
  'ALTER TABLE auth_user ADD CONSTRAINT auth_user_pkey PRIMARY KEY (id)',
  'ALTER TABLE auth_user_groups ADD PRIMARY KEY (id), ADD UNIQUE (user_id, group_id), ADD FOREIGN KEY (user_id) REFERENCES auth_user',
  'CREATE INDEX ON auth_user_groups (user_id)',
  'CREATE INDEX ON auth_user_groups (group_id)',
  'ALTER TABLE auth_user_user_permissions ADD PRIMARY KEY (id), ADD UNIQUE (user_id, permission_id), ADD FOREIGN KEY (user_id) REFERENCES auth_user',
  'CREATE INDEX ON auth_user_user_permissions (user_id)',
  'CREATE INDEX ON auth_user_user_permissions (permission_id)',
  'CREATE INDEX ON auth_group_permissions (group_id)',
  'ALTER TABLE session ADD CONSTRAINT session_pkey PRIMARY KEY (sid)',
  'CREATE INDEX "IDX_session_expire" ON session (expire)',
  'CREATE TABLE bench_fill (rows integer, peers boolean, edition integer)',
];

/**
 * Ten models of one application with four permissions each, and five groups: the first has everybody, and eight
 * permissions, shop.change_good among them; each user is in another one, too, and has a permission of the own.
 */
const PERMISSIONS = [
  "INSERT INTO django_content_type SELECT id, 'shop', CASE id WHEN 1 THEN 'good' ELSE 'model' || id END FROM generate_series(1, 10) id",
  `INSERT INTO auth_permission SELECT row_number() OVER (), 'Can ' || verb || ' ' || model, id, verb || '_' || model
     FROM django_content_type, unnest(ARRAY['add', 'change', 'delete', 'view']) verb`,
  "INSERT INTO auth_group SELECT id, 'Group ' || id FROM generate_series(1, 5) id",
  `INSERT INTO auth_group_permissions SELECT row_number() OVER (), g, 1 + (g * 8 + n) % 40
     FROM generate_series(0, 4) g, generate_series(0, 7) n`,
  'UPDATE auth_group_permissions SET group_id = group_id + 1',
  `INSERT INTO auth_group_permissions SELECT 100, 1, id FROM auth_permission WHERE codename = 'change_good'
     AND id NOT IN (SELECT permission_id FROM auth_group_permissions WHERE group_id = 1)`,
  `INSERT INTO auth_user_groups SELECT row_number() OVER (), id, g FROM auth_user, LATERAL (VALUES (1), (2 + id % 4)) v (g)`,
  'INSERT INTO auth_user_user_permissions SELECT id, id, 1 + id % 40 FROM auth_user',
];

interface Share {
  readonly url: string;
  readonly from: number;
  readonly to: number;
  readonly peers: boolean;
}

/**
 * Make sure that sessions 1 to `rows` are there.
 *
 * @param peers whether the peers' table is filled too
 * @returns whether it had to fill
 */
export async function fill(database: BenchDatabase, rows: number, peers: boolean): Promise<boolean> {
  const there = await database
    .query<{ rows: number; peers: boolean; edition: number }>('SELECT * FROM bench_fill')
    .catch(() => []);
  if (there.some((kept) => kept.rows === rows && kept.edition === EDITION && (kept.peers || !peers))) {
    await database.query(
      "UPDATE django_session SET expire_date = now() + '60 days' WHERE expire_date < now() + '9 days'",
    );
    await database.query("UPDATE session SET expire = now() + '60 days' WHERE expire < now() + '9 days'");
    return false;
  }
  for (const text of TABLES) await database.query(text);
  const size = Math.ceil(rows / CORES);
  const shares = Array.from({ length: CORES }, (_, n) => ({
    url: database.url,
    from: n * size + 1,
    to: Math.min(rows, (n + 1) * size),
    peers,
  }));
  await Promise.all(shares.map(fillInProcess));
  // One user for each session.
  await database.query(
    `INSERT INTO auth_user SELECT id, $2, now(), false, 'visitor' || id, 'Visitor', 'Number ' || id,
       'visitor' || id || '@example.org', false, true, now() FROM generate_series(1, $1) id`,
    [rows, PASSWORD],
  );
  await database.query("SET maintenance_work_mem = '1GB'");
  for (const text of [...PERMISSIONS, ...INDEXES]) await database.query(text);
  await database.query('INSERT INTO bench_fill VALUES ($1, $2, $3)', [rows, peers, EDITION]);
  await settle(database);
  return true;
}

/** All into memory, as it is on a server that has run for a while: who is asked first pays for nobody. */
export async function warm(database: BenchDatabase): Promise<void> {
  try {
    await database.query('CREATE EXTENSION IF NOT EXISTS pg_prewarm');
    await database.query(
      "SELECT pg_prewarm(oid) FROM pg_class WHERE relkind IN ('r', 'i') AND relname ~ '^(django_session|session|IDX_session|auth_)'",
    );
  } catch (error) {
    console.error(`not read into memory first: ${error}`);
  }
}

/** Dead rows away and dirty pages out, so that no contestant pays for the one before. */
export async function settle(database: BenchDatabase): Promise<void> {
  await database.query('VACUUM ANALYZE django_session');
  await database.query('VACUUM ANALYZE session');
  await database.query('ANALYZE');
  await database.query('CHECKPOINT');
}

function fillInProcess(share: Share): Promise<void> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), { execArgv: ['--import', 'tsx'] });
  child.send(share);
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`filling ended with ${code}`))));
  });
}

async function fillShare({ url, from, to, peers }: Share): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('SET synchronous_commit = off');
  const now = Date.now();
  for (let first = from; first <= to; first += BATCH) {
    const ids = Array.from({ length: Math.min(BATCH, to - first + 1) }, (_, n) => first + n);
    const keys = ids.map(session_key);
    const texts = ids.map((id) => JSON.stringify(sessionDocument(id)));
    // Expiry dates spread over a month, as visits are.
    const dates = ids.map((id) => now + TWO_MONTHS + ((id * 7919) % 2_592_000) * 1000);
    const iso = dates.map((date) => new Date(date).toISOString());
    await client.query('INSERT INTO django_session SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])', [
      keys,
      texts.map((json) => session_data(json, '1wXyZ0')),
      iso,
    ]);
    if (!peers) continue;
    await client.query('INSERT INTO session SELECT * FROM unnest($1::text[], $2::json[], $3::timestamp[])', [
      keys,
      texts.map((json, n) => peerJson(json, dates[n] ?? now)),
      iso,
    ]);
  }
  await client.end();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once('message', (share: Share) => {
    fillShare(share).then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}
