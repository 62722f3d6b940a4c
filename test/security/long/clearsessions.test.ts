/** `clearsessions` under fire: killed in the middle, beside writers, and done by the server itself. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'chai';
import { Planted } from '../../fire/planted.js';
import { ServerProcess } from '../../fire/processes.js';
import { until } from '../../fire/until.js';
import { hangUp, Visitor } from '../../fire/visitor.js';
import { type TestDatabase, testDatabase } from '../../support/database.js';
import { compiled } from '../../support/programs.js';

const ROOT = join(import.meta.dirname, '../../..');

describe('security: clearsessions', function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let planted: Planted;

  before(async () => {
    database = await testDatabase();
    planted = new Planted(database);
  });
  afterEach(async () => {
    await database.knex.raw('DROP FUNCTION IF EXISTS slowly CASCADE');
    await database.knex('django_session').delete();
  });
  after(async () => {
    hangUp();
    await database?.drop();
  });

  /** Rows that expired up to an hour ago, and rows that live. */
  async function fill(expired: number, live: number): Promise<void> {
    await database.knex.raw(
      `INSERT INTO django_session SELECT 'expired' || i, '', now() - make_interval(secs => 1 + random() * 3600) FROM generate_series(1, ?) i
       UNION ALL SELECT 'live' || i, '', now() + make_interval(secs => 60 + random() * 3600) FROM generate_series(1, ?) i`,
      [expired, live],
    );
  }
  async function left(): Promise<{ expired: number; live: number }> {
    const keys: string[] = await database.knex('django_session').pluck('session_key');
    const expired = keys.filter((key) => key.startsWith('expired')).length;
    return { expired, live: keys.length - expired };
  }
  const command = (...args: string[]): ReturnType<typeof spawn> =>
    spawn(process.execPath, [compiled('server/cli/main.ts'), 'clearsessions', ...args], {
      cwd: ROOT,
      env: { ...process.env, DATABASE_URL: database.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  async function outcome(child: ReturnType<typeof spawn>): Promise<{ code: number | null; text: string }> {
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, text };
  }

  it('killed with SIGKILL has done what it did, and the next run goes on', async () => {
    await fill(1000, 100);
    await database.knex.raw(
      `CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
       CREATE TRIGGER slowly AFTER DELETE ON django_session FOR EACH STATEMENT EXECUTE FUNCTION slowly()`,
    );
    const child = command('--batch', '50');
    const ended = once(child, 'close');
    await until(async () => (await left()).expired <= 850 || undefined, { seconds: 30, what: () => 'three batches' });
    child.kill('SIGKILL');
    await ended;
    const after = await left();
    expect(after.expired).to.be.within(1, 850);
    expect(after.live).to.equal(100);
    await database.knex.raw('DROP FUNCTION slowly CASCADE');
    // The lock goes with the connection, once PostgreSQL has seen that it is gone.
    const { text } = await until(
      async () => {
        const again = await outcome(command());
        return again.code === 0 ? again : undefined;
      },
      { seconds: 30, what: () => 'the next run to have the lock' },
    );
    expect(text).to.match(/Removed \d+ expired sessions\./);
    expect(await left()).to.deep.equal({ expired: 0, live: 100 });
  });

  it('says how far it is when it takes long', async () => {
    await fill(300, 0);
    await database.knex.raw(
      `CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
       CREATE TRIGGER slowly AFTER DELETE ON django_session FOR EACH STATEMENT EXECUTE FUNCTION slowly()`,
    );
    const { code, text } = await outcome(command('--batch', '50'));
    expect(code).to.equal(0);
    expect(text)
      .to.match(/\d+ of about 300 …/)
      .and.include('Removed 300 expired sessions.');
  });

  it('leaves sessions that are used meanwhile as they are', async () => {
    const server = await ServerProcess.ready({ DATABASE_URL: database.url });
    try {
      await fill(3000, 0);
      const keys = await Promise.all(Array.from({ length: 20 }, () => planted.session({ n: 0 })));
      const child = outcome(command('--batch', '20'));
      for (let round = 1; round <= 10; round += 1) {
        const answers = await Promise.all(keys.map((key) => new Visitor(key).ops(server.url, ['set', 'n', round])));
        expect(answers.map(({ status }) => status)).to.deep.equal(keys.map(() => 200));
      }
      expect((await child).code).to.equal(0);
      for (const key of keys) expect(await planted.read(key)).to.deep.equal({ n: 10 });
      expect((await left()).expired).to.equal(0);
    } finally {
      await server.stop();
    }
  });

  it('is done by the server itself where CLEARSESSIONS_INTERVAL asks for it, and not otherwise', async () => {
    await fill(10, 5);
    const idle = await ServerProcess.ready({ DATABASE_URL: database.url });
    const busy = await ServerProcess.ready({
      DATABASE_URL: database.url,
      CLEARSESSIONS_INTERVAL: '2',
      LOG_LEVEL: 'info',
    });
    try {
      expect(idle.log).to.not.include('"msg":"clearsessions"');
      await until(() => busy.log.includes('"removed":10') || undefined, {
        seconds: 20,
        what: () => busy.log.slice(-2000),
      });
      expect(await left()).to.deep.equal({ expired: 0, live: 5 });
      await fill(3, 0);
      await until(() => busy.log.includes('"removed":3') || undefined, {
        seconds: 20,
        what: () => busy.log.slice(-2000),
      });
    } finally {
      await Promise.all([idle.stop(), busy.stop()]);
    }
  });
});
