/**
 * `npm run measure:tables`: what SESSION_EXPIRE_DATE_STEP, fillfactor and partitions do to a table of sessions, on a
 * PostgreSQL of its own with fsync on. Arguments: sessions (100,000) and updates (200,000).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Knex } from 'knex';
import { storedExpireDate } from '../../server/db/expire_date_step.js';
import { connectKnex } from '../../server/db/knex.js';
import { migrate, rollback } from '../../server/db/migrate.js';
import { startEmbeddedPostgres } from '../../server/embedded_database/index.js';
import { SessionCodec } from '../../server/session/codec.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { defineSettings } from '../../server/settings.js';

const [sessions = 100_000, updates = 200_000] = process.argv.slice(2).map(Number);
const AGE = 1_209_600;
const DAY = 86_400;
/** How often each session is saved. */
const SAVES_A_DAY = 20;
const CLIENTS = 32;
const ROUND = 2000;
const codec = new SessionCodec(defineSettings({ SECRET_KEY: 'k' }));
const keyOf = (index: number): string => `session${String(index).padStart(25, '0')}`;

interface Way {
  readonly name: string;
  readonly step: number;
  readonly fillfactor: number;
  readonly partitions?: number;
}

const WAYS: readonly Way[] = [
  { name: 'as Django', step: 0, fillfactor: 100 },
  { name: 'as Django', step: 0, fillfactor: 70 },
  { name: 'step 0.1', step: 0.1, fillfactor: 100 },
  { name: 'step 0.1', step: 0.1, fillfactor: 85 },
  { name: 'step 0.1', step: 0.1, fillfactor: 70 },
  { name: '16 partitions', step: 0, fillfactor: 100, partitions: 16 },
  { name: '16 partitions, step 0.1', step: 0.1, fillfactor: 70, partitions: 16 },
];

/** About a kilobyte as stored: it does not compress. */
function text(): string {
  const noise = Array.from({ length: 12 }, () => Math.random().toString(36).slice(2))
    .join('')
    .repeat(5);
  return codec.encode(
    JSON.stringify({ _auth_user_id: '1', noise: [...noise].sort(() => Math.random() - 0.5).join('') }),
  );
}

async function one<T>(knex: Knex, sql: string): Promise<T> {
  const { rows } = await knex.raw(sql);
  return rows[0].value;
}

async function measure(knex: Knex, { name, step, fillfactor, partitions }: Way): Promise<string> {
  await migrate(knex, { only: ['0001_django_session'], partitions });
  const leaves = partitions === undefined ? ['django_session'] : await leavesOf(knex);
  for (const leaf of leaves) await knex.raw(`ALTER TABLE ${leaf} SET (fillfactor = ${fillfactor})`);
  const samples = Array.from({ length: 64 }, text);
  const loaded = samples[0] ?? '';
  let time = Date.now() / 1000;
  for (let first = 0; first < sessions; first += ROUND) {
    const keys = Array.from({ length: Math.min(ROUND, sessions - first) }, (_, index) => keyOf(first + index));
    const dates = keys.map((session_key) => {
      const expire_date = new Date((time + AGE - Math.random() * DAY) * 1000);
      return storedExpireDate({ session_key, expire_date, lifetime: AGE }, step);
    });
    await knex.raw(
      'INSERT INTO django_session SELECT key, ?, date FROM unnest(?::text[], ?::timestamptz[]) AS given (key, date)',
      [loaded, keys, dates],
    );
  }
  await knex.raw('VACUUM ANALYZE django_session');
  await knex.raw('CHECKPOINT');
  const store = new DatabaseStore(knex, { now: () => time, expireDateStep: step, timeout: 60 });
  const held = new Array<string>(sessions).fill(loaded);
  const wal = await one<string>(knex, 'SELECT pg_current_wal_lsn()::text AS value');
  let seconds = 0;
  for (let done = 0; done < updates; done += ROUND) {
    const order = Array.from({ length: ROUND }, () => Math.floor(Math.random() * sessions));
    const begin = performance.now();
    let next = 0;
    const client = async (): Promise<void> => {
      while (next < order.length) {
        const index = order[next++] as number;
        const session_data = samples[Math.floor(Math.random() * samples.length)] as string;
        const record = {
          session_key: keyOf(index),
          session_data,
          expire_date: new Date((time + AGE) * 1000),
          lifetime: AGE,
        };
        if (await store.replace(held[index] as string, record)) held[index] = session_data;
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    seconds += (performance.now() - begin) / 1000;
    time += ((DAY / SAVES_A_DAY) * ROUND) / sessions;
  }
  const bytes = Number(await one<string>(knex, `SELECT pg_current_wal_lsn() - '${wal}' AS value`));
  await knex.raw('SELECT pg_stat_force_next_flush()');
  const list = leaves.map((leaf) => `'${leaf}'`).join();
  const size = await one<string>(
    knex,
    `SELECT sum(pg_table_size(relid))/1048576 AS value FROM pg_stat_user_tables WHERE relname IN (${list})`,
  );
  const indexes = await one<string>(
    knex,
    `SELECT sum(pg_indexes_size(relid))/1048576 AS value FROM pg_stat_user_tables WHERE relname IN (${list})`,
  );
  const hot = await one<string>(
    knex,
    `SELECT 100 * sum(n_tup_hot_upd) / sum(n_tup_upd) AS value FROM pg_stat_user_tables WHERE relname IN (${list})`,
  );
  const begin = performance.now();
  await knex.raw('VACUUM django_session');
  const vacuum = (performance.now() - begin) / 1000;
  await rollback(knex, { all: true, dropRows: true });
  return `| ${name} | ${fillfactor} | ${Math.round(Number(size))} | ${Math.round(Number(indexes))} | ${Number(hot).toFixed(1)} % | ${Math.round(bytes / updates)} | ${Math.round(updates / seconds)} | ${vacuum.toFixed(1)} |`;
}

async function leavesOf(knex: Knex): Promise<string[]> {
  const { rows } = await knex.raw(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'django_session'::regclass",
  );
  return rows.map(({ name }: { name: string }) => name);
}

const folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-measure-'));
const postgres = await startEmbeddedPostgres({
  folder,
  settings: ['shared_buffers=512MB', 'max_wal_size=8GB', 'autovacuum_naptime=10s'],
});
const knex = connectKnex(postgres.url, { poolSize: 10, connect_timeout: 60, statement_timeout: 0 });
try {
  console.log(
    `${sessions.toLocaleString('en')} sessions, each saved ${SAVES_A_DAY} times a day; ${updates.toLocaleString('en')} updates by ${CLIENTS} clients\n`,
  );
  console.log('| way | fillfactor | table MB | indexes MB | heap-only | WAL bytes a save | saves/s | VACUUM s |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (const way of WAYS) console.log(await measure(knex, way));
} finally {
  await knex.destroy();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}
