/** `sessions stats`: counts sessions, with their size and expiry. */
import type { Knex } from 'knex';
import { quoteTable } from '../../db/session_table.js';
import { rowsOf } from '../../rows.js';
import { b62_decode } from '../../signing/base62.js';
import { type Command, EXIT, print, withDatabase } from '../command.js';
import { minuteOf, settingsWithTable } from './tables.js';

interface Totals {
  readonly live: number;
  readonly expired: number;
  /** Bytes of the table with its indexes, and of a live row's session_data. */
  readonly bytes: number;
  readonly average: number | null;
  readonly largest: number | null;
  /** The time at which the live row with the oldest signature was signed, in base 62. */
  readonly oldest: string | null;
}

interface Bar {
  /** Whole days until it expires. */
  readonly day: number;
  readonly count: number;
}

/** The number of days with a separate line. */
const DAYS = 14;
const WIDEST = 40;

export const command: Command = {
  summary: 'Count sessions: live, expired, their size, when they expire.',
  details: 'Reads the whole session table, without locks that others would wait for.',
  async run() {
    const { SESSION_TABLE } = settingsWithTable();
    return withDatabase(async (knex) => {
      const [totals, bars] = [await totalsOf(knex, SESSION_TABLE), await barsOf(knex, SESSION_TABLE)];
      const line = (name: string, value: string): void => print(`${name.padEnd(10)}${value}`);
      line('live', totals.live.toLocaleString('en'));
      line(
        'expired',
        `${totals.expired.toLocaleString('en')}${totals.expired > 0 ? ' (clearsessions removes them)' : ''}`,
      );
      line('size', `${size(totals.bytes)} with indexes`);
      if (totals.average !== null) {
        line('one has', `${size(totals.average)} on average, ${size(totals.largest ?? 0)} at most`);
      }
      if (totals.oldest !== null) {
        const written = new Date(Number(b62_decode(totals.oldest)) * 1000);
        line('oldest', `last written ${minuteOf(written)}`);
      }
      if (bars.length > 0) printChart(bars);
      return EXIT.ok;
    });
  },
};

/** A signed time has six digits of base 62 until the year 3770, and its digits sort as ASCII does. */
async function totalsOf(knex: Knex, table: string): Promise<Totals> {
  const name = quoteTable(table);
  const [totals] = await rowsOf<Totals>(
    knex,
    `SELECT count(*) FILTER (WHERE is_live)::float8 AS live, count(*) FILTER (WHERE NOT is_live)::float8 AS expired,
            (SELECT coalesce(sum(pg_total_relation_size(relid)), pg_total_relation_size(to_regclass(:name)))::float8
               FROM pg_partition_tree(to_regclass(:name))) AS bytes,
            avg(octet_length(session_data)) FILTER (WHERE is_live)::float8 AS average,
            max(octet_length(session_data)) FILTER (WHERE is_live)::float8 AS largest,
            min(substring(session_data FROM ':([0-9A-Za-z]{6}):[A-Za-z0-9_-]{43}$') COLLATE "C") FILTER (WHERE is_live)
              AS oldest
       FROM (SELECT session_data, expire_date > now() AS is_live FROM ${name}) AS s`,
    { name },
  );
  return totals as Totals;
}

/** Live sessions by days until expiry; those above DAYS are one group. */
async function barsOf(knex: Knex, table: string): Promise<readonly Bar[]> {
  return rowsOf<Bar>(
    knex,
    `SELECT least(?, floor(extract(epoch FROM expire_date - now()) / 86400))::int AS day, count(*)::float8 AS count
       FROM ${quoteTable(table)} WHERE expire_date > now() GROUP BY 1 ORDER BY 1`,
    [DAYS],
  );
}

function printChart(bars: readonly Bar[]): void {
  const most = Math.max(...bars.map(({ count }) => count));
  const counts = new Map(bars.map(({ day, count }) => [day, count]));
  print('\nlive sessions by the day on which they expire');
  for (let day = 0; day <= Math.max(...counts.keys()); day += 1) {
    const count = counts.get(day) ?? 0;
    const bar = '█'.repeat(Math.ceil((count / most) * WIDEST));
    print(`${dayInWords(day).padEnd(14)}${bar}${bar === '' ? '' : ' '}${count.toLocaleString('en')}`);
  }
}

function dayInWords(day: number): string {
  if (day === 0) return 'within 24 h';
  if (day === DAYS) return 'later';
  return `in ${day} ${day === 1 ? 'day' : 'days'}`;
}

function size(bytes: number): string {
  for (const [unit, least] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= least) return `${(bytes / least).toFixed(1)} ${unit}`;
  }
  return `${Math.round(bytes)} bytes`;
}
