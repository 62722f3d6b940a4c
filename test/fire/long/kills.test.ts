/**
 * Servers, backends and PostgreSQL are killed while many write: what was answered 2xx is there afterwards, nothing is
 * torn, and writing goes on. A set checker as Jepsen's: each write is `ok`, or it is not known what became of it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { connectKnex } from '../../../server/db/knex.js';
import { migrate } from '../../../server/db/migrate.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../server/embedded_database/index.js';
import { UNHURRIED } from '../../support/database.js';
import { Planted } from '../planted.js';
import { ServerProcess, showLogs } from '../processes.js';
import { until } from '../until.js';
import { hangUp, Visitor } from '../visitor.js';

const WRITERS = 8;
/** Seconds after which writing goes on, whatever was killed; PostgreSQL's own recovery is part of it. */
const RECOVERY = 15;
/** Each write sets these together. */
const PARTS = ['a', 'b', 'c'];

describe('under fire: kill -9 while many write', function () {
  this.timeout(180_000);
  let folder: string;
  let postgres: EmbeddedPostgres;
  let knex: Knex;
  let planted: Planted;
  const servers: ServerProcess[] = [];

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-kills-'));
    postgres = await startEmbeddedPostgres({ folder });
    knex = connectKnex(postgres.url, { ...UNHURRIED, poolSize: 2 });
    await migrate(knex);
    planted = new Planted({ knex });
    servers.push(await start(), await start());
  });
  afterEach(function () {
    showLogs(this.currentTest, servers);
  });
  after(async () => {
    hangUp();
    await Promise.all(servers.map((server) => server.stop()));
    await knex?.destroy();
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const start = (PORT = '0'): Promise<ServerProcess> => ServerProcess.ready({ DATABASE_URL: postgres.url, PORT });

  async function killServer(i: number): Promise<void> {
    const server = servers[i];
    if (server === undefined) throw new Error(`There is no server ${i}.`);
    server.kill('SIGKILL');
    expect(await server.exited).to.deep.equal({ code: null, signal: 'SIGKILL' });
    servers[i] = await start(new URL(server.url).port);
  }

  async function killPostgres(): Promise<void> {
    const { rows } = await knex.raw<{ rows: { file: string }[] }>("SELECT pg_read_file('postmaster.pid') AS file");
    process.kill(Number.parseInt(rows[0]?.file ?? '', 10), 'SIGKILL');
  }

  const backends = 'FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';

  async function killBackend(): Promise<void> {
    const { rows } = await knex.raw<{ rows: { pid: number }[] }>(`SELECT pid ${backends} ORDER BY random() LIMIT 1`);
    for (const { pid } of rows) process.kill(pid, 'SIGKILL');
  }

  it('loses no write that was answered, tears none, and goes on', async () => {
    const sessionKeys = await Promise.all([1, 2, 3].map((i) => planted.session({ session: i })));
    /** Session and value of each write that was answered with 200. */
    const ok: { readonly session_key: string; readonly name: string }[] = [];
    const others = new Map<string, number>();
    let writing = true;

    const write = async (writer: number): Promise<void> => {
      const session_key = sessionKeys[writer % sessionKeys.length] ?? '';
      for (let i = 0; writing; i += 1) {
        const name = `${writer}-${i}`;
        const visitor = new Visitor(session_key);
        const url = servers[(writer + i) % servers.length]?.url ?? '';
        const outcome = await visitor.ops(url, ...PARTS.map((part) => ['set', `${name}-${part}`, i])).then(
          ({ status }) => String(status),
          (error: NodeJS.ErrnoException) => error.code ?? error.message,
        );
        expect(visitor.session_key, 'the session cookie').to.equal(session_key);
        if (outcome === '200') ok.push({ session_key, name });
        else others.set(outcome, (others.get(outcome) ?? 0) + 1);
        // A server that is down answers at once; nobody is to spin.
        if (outcome.startsWith('E')) await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const writers = Promise.all(Array.from({ length: WRITERS }, (_, i) => write(i)));
    const goesOn = async (after: string): Promise<void> => {
      const before = ok.length;
      await until(() => ok.length >= before + 25 || undefined, {
        seconds: RECOVERY,
        what: () => `25 more writes after ${after}; ${JSON.stringify([...others])}`,
      });
    };
    try {
      await goesOn('the start');
      const faults: Readonly<Record<string, () => Promise<unknown>>> = {
        'all connections were ended': () => knex.raw(`SELECT pg_terminate_backend(pid) ${backends}`),
        'a server was killed': () => killServer(0),
        'a backend was killed': killBackend,
        'PostgreSQL was killed': killPostgres,
        'the other server was killed': () => killServer(1),
        'a backend was killed again': killBackend,
        'a server and PostgreSQL were killed': async () => {
          const server = killServer(0);
          await killPostgres();
          await server;
        },
      };
      for (const [fault, befall] of Object.entries(faults)) {
        await befall();
        await goesOn(fault);
      }
    } finally {
      writing = false;
      await writers;
    }

    const rows = await planted.all();
    const missing = ok.filter(({ session_key, name }) =>
      PARTS.some((part) => rows.get(session_key)?.[`${name}-${part}`] !== Number(name.split('-')[1])),
    );
    expect(missing, 'writes that were answered and are not there').to.be.empty;
    for (const [session_key, values] of rows) {
      expect(sessionKeys).to.include(session_key);
      const { session: _, ...written } = values;
      const names = new Map<string, number>();
      for (const key of Object.keys(written)) {
        const name = key.slice(0, -2);
        names.set(name, (names.get(name) ?? 0) + 1);
      }
      const torn = [...names].filter(([, parts]) => parts !== PARTS.length);
      expect(torn, 'writes of which only a part is there').to.be.empty;
    }
    for (const outcome of others.keys()) expect(outcome).to.match(/^(503|E[A-Z]+|socket hang up)$/);
    expect(others.size, 'kinds of failure that writers saw').to.be.greaterThan(0);
  });
});
