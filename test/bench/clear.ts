/** clearsessions while others read: half of the rows have expired, and the live ones are asked for all the time. */
import pg from 'pg';
import { clear_expired } from '../../server/db/clear_expired.js';
import { connectKnex } from '../../server/db/knex.js';
import type { Contestant } from './contestants.js';
import type { BenchDatabase } from './database.js';
import { settle } from './fill.js';
import { type Generators, measure, type Sample } from './measure.js';
import type { Options } from './options.js';
import type { Table } from './report.js';
import { plan, SCENARIOS } from './scenarios.js';
import { startServer } from './server_process.js';

type Way = (url: string) => Promise<number>;

const WAYS: readonly (readonly [string, Way])[] = [
  [
    'clearsessions of this library',
    async (url) => {
      const knex = connectKnex(url);
      try {
        return await clear_expired(knex);
      } finally {
        await knex.destroy();
      }
    },
  ],
  [
    "one DELETE, as Django's clearsessions",
    async (url) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      const { rowCount } = await client.query('DELETE FROM django_session WHERE expire_date < now()');
      await client.end();
      return rowCount ?? 0;
    },
  ],
];

/** The odd half of the keys, as fill.ts numbers them, kept aside so that it can be put back. */
const KEEP = `CREATE TABLE bench_expired AS
  SELECT session_key, session_data, expire_date FROM django_session
  WHERE session_key IN (SELECT md5('session ' || id) FROM generate_series(1, $ROWS, 2) AS id)`;
const EXPIRE = `INSERT INTO django_session
  SELECT session_key, session_data, now() - '1 day'::interval * (1 + abs(hashtext(session_key)) % 60) FROM bench_expired
  ON CONFLICT (session_key) DO UPDATE SET expire_date = EXCLUDED.expire_date`;
const RESTORE = `INSERT INTO django_session SELECT * FROM bench_expired
  ON CONFLICT (session_key) DO UPDATE SET expire_date = EXCLUDED.expire_date`;

/** The longest that a way may take. */
const LONGEST = 120;

export async function clearTable(
  ours: Contestant,
  database: BenchDatabase,
  generators: Generators,
  options: Options,
): Promise<Table> {
  const [scenario] = SCENARIOS;
  const rows: string[][] = [];
  if (scenario === undefined) throw new Error('unreachable');
  await database.query('DROP TABLE IF EXISTS bench_expired');
  await database.query(KEEP.replace('$ROWS', String(options.rows)));
  const server = await startServer(ours, { database }, options.pin);
  const read = async (seconds: number, whileMeasuring?: () => void): Promise<Sample> => {
    const usual = plan(scenario, ours, options, { port: server.port, seed: 3 });
    const asked = { ...usual, step: 2, seconds };
    return measure(generators, asked, { server: server.pid, database: [database.pid] }, whileMeasuring);
  };
  try {
    for (const [name, way] of WAYS) {
      await database.query(EXPIRE);
      await settle(database);
      // Long enough to be as warm as what it is compared with.
      const idle = await read(Math.max(5, options.seconds));
      let removed = 0;
      let took = 0;
      let failed: unknown;
      const busy = await read(LONGEST, () => {
        const start = performance.now();
        way(database.url)
          .then(
            (count) => {
              removed = count;
            },
            (error: unknown) => {
              failed = error;
            },
          )
          .finally(() => {
            took = (performance.now() - start) / 1000;
            generators.end();
          });
      });
      if (failed !== undefined) throw failed;
      const ratio = `${(busy.p99 / idle.p99).toFixed(1)} ×`;
      rows.push([name, String(removed), took.toFixed(1), idle.p99.toFixed(1), busy.p99.toFixed(1), ratio]);
    }
  } finally {
    await server.stop();
    await database.query(RESTORE);
    await database.query('DROP TABLE bench_expired');
    await settle(database);
  }
  const head = ['way', 'rows removed', 'seconds', 'p99 ms before', 'p99 ms meanwhile', 'ratio'];
  return { title: `clearsessions while ${options.connections} connections read live sessions`, head, rows };
}
