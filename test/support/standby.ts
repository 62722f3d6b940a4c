/** A throw-away PostgreSQL and its hot standby, made with the embedded programs alone: there is no pg_basebackup among them. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { type EmbeddedPostgres, makeDataFolder, startEmbeddedPostgres } from '../../server/embedded_database/index.js';

export interface Replicated {
  readonly primary: EmbeddedPostgres;
  readonly standby: EmbeddedPostgres;
  /** Resolves when the standby has applied all that the primary has written so far. */
  caughtUp(): Promise<void>;
  /** Make the standby a primary. */
  promote(): Promise<void>;
  stop(): Promise<void>;
}

export async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ answer: unknown }>(sql);
    return rows[0]?.answer;
  } finally {
    await client.end();
  }
}

/** @param settings of both, `name=value` */
export async function startReplicated(settings: readonly string[] = []): Promise<Replicated> {
  const parent = mkdtempSync(path.join(tmpdir(), 'koa-django-session-standby-'));
  makeDataFolder(parent);
  // Whoever PostgreSQL runs as has to reach it.
  execFileSync('chmod', ['711', parent]);
  const folders = [path.join(parent, 'primary'), path.join(parent, 'standby')] as const;
  const options = { throwaway: true, settings };
  const primary = await startEmbeddedPostgres({ folder: folders[0], ...options });
  try {
    await copyWhole(primary.url, folders);
    const standby = await startEmbeddedPostgres({ folder: folders[1], ...options });
    return {
      primary,
      standby,
      caughtUp: async () => {
        const written = String(await ask(primary.url, 'SELECT pg_current_wal_insert_lsn() AS answer'));
        while ((await ask(standby.url, `SELECT pg_last_wal_replay_lsn() >= '${written}' AS answer`)) !== true);
      },
      promote: async () => {
        await ask(standby.url, 'SELECT pg_promote() AS answer');
      },
      stop: async () => {
        await Promise.all([standby.stop(), primary.stop()]);
        rmSync(parent, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await primary.stop();
    throw error;
  }
}

/** A base backup (PostgreSQL manual, 26.3.3), which as a standby goes on with what the primary writes. */
async function copyWhole(url: string, [from, to]: readonly [string, string]): Promise<void> {
  const source = realpathSync(path.join(from, 'postgres'));
  const target = path.join(to, 'postgres');
  makeDataFolder(to);
  mkdirSync(target, { mode: 0o711 });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("SELECT pg_backup_start('standby', true)");
    // With owners, as PostgreSQL may run as another account.
    execFileSync('cp', ['-a', `${source}/.`, target]);
    const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
    const data = path.join(target, 'data');
    cpSync(path.join(source, 'data', 'PG_VERSION'), path.join(data, 'standby.signal'));
    writeFileSync(path.join(data, 'backup_label'), rows[0]?.labelfile ?? '');
    for (const name of ['postmaster.pid', 'postmaster.opts']) rmSync(path.join(data, name), { force: true });
    const { hostname, port, username, password } = new URL(url);
    const parts = { host: hostname, port, user: username, password: decodeURIComponent(password) };
    const text = Object.entries(parts)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ');
    appendFileSync(path.join(data, 'postgresql.auto.conf'), `primary_conninfo = '${text}'\n`);
    execFileSync('chown', ['-R', `--reference=${path.join(data, 'PG_VERSION')}`, data]);
  } finally {
    await client.end();
  }
}
