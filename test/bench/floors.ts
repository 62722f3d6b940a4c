/** What no session library on this machine can be faster than: PostgreSQL's own statements, and the codec alone. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionCodec } from '../../server/session/codec.js';
import { defineSettings } from '../../server/settings.js';
import type { BenchDatabase } from './database.js';
import type { Options } from './options.js';
import type { Table } from './report.js';
import { SECRET_KEY, sessionDocument } from './rows.js';
import { median } from './statistics.js';

// rows.ts's keys, made by PostgreSQL: md5 costs it a microsecond.
const KEY = "md5('session ' || :id)";
const STATEMENTS = {
  'SELECT one session': `SELECT session_data FROM django_session WHERE session_key = ${KEY} AND expire_date > now();`,
  'UPDATE one session': `UPDATE django_session SET session_data = session_data, expire_date = now() + '60 days' WHERE session_key = ${KEY};`,
} as const;

export async function statementFloor(database: BenchDatabase, options: Options): Promise<Table> {
  const title = `pgbench -M prepared, ${options.connections} connections, random keys of all rows, not pinned`;
  const head = ['statement', 'statements/s', 'ms'];
  if (database.pgbench === undefined) return { title, head, rows: [], note: 'pgbench is not installed.' };
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const rows: string[][] = [];
  try {
    for (const [name, text] of Object.entries(STATEMENTS)) {
      const file = join(folder, 'script.sql');
      writeFileSync(file, `\\set id random(1, ${options.rows})\n${text}\n`);
      const args = [
        '-n',
        '-M',
        'prepared',
        '-c',
        String(options.connections),
        '-T',
        String(Math.ceil(options.seconds)),
      ];
      const output = await text_of(join(database.pgbench, 'pgbench'), [...args, '-f', file, database.url]);
      const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1]);
      const tps = Math.round(number(/^tps = ([\d.]+)/m)).toLocaleString('en-US');
      rows.push([name, tps, number(/^latency average = ([\d.]+)/m).toFixed(2)]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { title, head, rows };
}

/** Not execFileSync: this process is the database's keeper and must go on running. */
function text_of(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    child.once('error', reject).once('close', () => resolve(text));
  });
}

const REPEATS = 2000;

/** CPU microseconds of one call: the median of 15 runs. */
function microseconds(work: () => unknown): number {
  const runs = Array.from({ length: 20 }, () => {
    const start = process.cpuUsage();
    for (let n = 0; n < REPEATS; n++) work();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / REPEATS;
  });
  // The first runs are the compiler's.
  return median(runs.slice(5));
}

/** A document of about so many bytes, cut from or added to the usual one. */
function sized(bytes: number): string {
  const document = sessionDocument(77);
  const small = JSON.stringify({
    _auth_user_id: '77',
    _auth_user_hash: document['_auth_user_hash'],
    n: 0,
    city: 'Bergen',
  });
  if (bytes < 1000)
    return JSON.stringify({ ...(JSON.parse(small) as object), trace: 'f'.repeat(bytes - small.length - 11) });
  const members = Object.entries(document);
  const whole = Math.max(1, Math.round(bytes / JSON.stringify(document).length));
  const copies = Array.from({ length: whole }, (_, copy) =>
    members.map(([name, value]) => [copy === 0 ? name : `${name}_${copy}`, value] as const),
  );
  return JSON.stringify(Object.fromEntries(copies.flat()));
}

export function codecFloor(): Table {
  const codec = new SessionCodec(defineSettings({ SECRET_KEY }));
  const rows = [200, 2000, 20_000].map((bytes) => {
    const json = sized(bytes);
    const session_data = codec.encode(json);
    return [
      `${json.length} bytes of JSON, ${session_data.length} stored`,
      microseconds(() => codec.members(session_data)).toFixed(1),
      microseconds(() => codec.encode(json)).toFixed(1),
      microseconds(() => JSON.parse(json)).toFixed(1),
    ];
  });
  const head = ['session', 'verify, inflate, split', 'deflate, sign', 'JSON.parse, to compare'];
  return { title: 'Codec, CPU microseconds a session', head, rows };
}
