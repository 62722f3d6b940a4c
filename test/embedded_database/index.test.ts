import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import pg from 'pg';
import { nobody } from '../../server/embedded_database/account.js';
import {
  type EmbeddedPostgres,
  runningEmbeddedUrl,
  startEmbeddedPostgres,
} from '../../server/embedded_database/index.js';
import { processInfo, readPs } from '../../server/embedded_database/processes.js';
import { ImproperlyConfigured } from '../../server/errors.js';
import { compiled } from '../support/programs.js';

const ROOT = process.getuid?.() === 0;
const LINUX = process.platform === 'linux';

async function ask<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Processes end when they end: look until it is so. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(25);
}

async function failure(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => expect.fail('it should have been refused'),
    (error: Error) => error,
  );
}

const postmasterPid = (folder: string): number =>
  Number(readFileSync(path.join(folder, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);

interface Said {
  readonly url?: string;
  readonly log?: string;
  readonly error?: string;
  readonly name?: string;
  readonly signal?: string;
  readonly answer?: number;
}

/** A server in a process of its own, with a process group of its own, as a terminal would give it. */
class Child {
  readonly said: Said[] = [];
  readonly process: ChildProcess;
  readonly exit: Promise<unknown[]>;

  constructor(folder: string, ...more: string[]) {
    this.process = spawn(process.execPath, [compiled('test/support/embedded_child.ts'), folder, ...more], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
      env: { ...process.env, CANARY: 'secret-of-the-server' },
    });
    this.exit = once(this.process, 'exit');
    const { stdout } = this.process;
    if (stdout !== null) createInterface(stdout).on('line', (line) => this.said.push(JSON.parse(line) as Said));
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  async first(key: keyof Said): Promise<Said> {
    await until(() => this.said.some((said) => key in said) || this.process.exitCode !== null);
    return this.said.find((said) => key in said) ?? expect.fail(`it said ${JSON.stringify(this.said)}`);
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.exit;
  }
}

describe('the embedded PostgreSQL', function () {
  this.timeout(180_000);
  let folder: string;
  let log: string[];
  const opened: Promise<EmbeddedPostgres>[] = [];
  const children: Child[] = [];

  // Remembered at once, so that a start whose test was given up is stopped before the next test.
  const start = (where = folder): Promise<EmbeddedPostgres> => {
    const starting = startEmbeddedPostgres({ folder: where, log: (line) => log.push(line) });
    opened.push(starting);
    return starting;
  };
  const child = (...more: string[]): Child => {
    const started = new Child(folder, ...more);
    children.push(started);
    return started;
  };

  const place = (): void => {
    folder = path.join(mkdtempSync(path.join(tmpdir(), 'embedded-')), '.data');
    // mkdtemp makes a folder that others may not enter, which is a case of its own.
    rmSync(path.dirname(folder), { recursive: true });
    mkdirSync(path.dirname(folder), { mode: 0o755 });
    log = [];
  };
  let stopped: string | undefined;
  after(() => {
    if (stopped !== undefined) rmSync(path.dirname(stopped), { recursive: true, force: true });
  });
  /** Fill the place with what a server left that started and stopped: the copy of one that did. */
  const fillPlace = async (): Promise<void> => {
    const filled = folder;
    if (stopped === undefined) {
      place();
      await (await start()).stop();
      stopped = folder;
      folder = filled;
    }
    // Node's own copy would give root what belongs to PostgreSQL's account.
    execFileSync('cp', ['-a', stopped, folder]);
  };
  const placeStopped = (): Promise<void> => {
    place();
    return fillPlace();
  };
  const clear = async (): Promise<void> => {
    for (const result of await Promise.allSettled(opened.splice(0))) {
      if (result.status === 'fulfilled') await result.value.stop();
    }
    for (const { process: running, exit } of children.splice(0)) {
      if (running.exitCode === null && running.signalCode === null) {
        running.kill('SIGTERM');
        await exit;
      }
    }
    rmSync(path.dirname(folder), { recursive: true, force: true });
  };

  describe('while it runs', () => {
    let url: string;

    before(async () => {
      place();
      ({ url } = await start());
    });
    after(clear);

    it('answers at the URL that it keeps in database_url, for the owner only', async () => {
      expect(await ask(url, 'SELECT current_database() AS name')).to.deep.equal([{ name: 'koa_django_session' }]);
      const file = path.join(folder, 'database_url');
      expect(readFileSync(file, 'utf8').trim()).to.equal(url);
      expect(statSync(file).mode & 0o777).to.equal(0o600);
    });

    it('keeps what was committed: fsync is on', async () => {
      expect(await ask(url, 'SHOW fsync')).to.deep.equal([{ fsync: 'on' }]);
      expect(await ask(url, 'SHOW synchronous_commit')).to.deep.equal([{ synchronous_commit: 'on' }]);
    });

    it('listens on the loopback address alone, and on no socket file', async () => {
      expect(await ask(url, 'SHOW listen_addresses')).to.deep.equal([{ listen_addresses: '127.0.0.1' }]);
      expect(await ask(url, 'SHOW unix_socket_directories')).to.deep.equal([{ unix_socket_directories: '' }]);
      for (const { address, internal } of Object.values(networkInterfaces()).flatMap((list) => list ?? [])) {
        if (internal || address.includes(':')) continue;
        const outside = new URL(url);
        outside.hostname = address;
        expect((await failure(ask(outside.href, 'SELECT 1'))).message).to.include('ECONNREFUSED');
      }
    });

    it('lets nobody in without the random password, which is stored as scram', async () => {
      const wrong = new URL(url);
      expect(wrong.password).to.match(/^[\w-]{32}$/);
      wrong.password = 'postgres';
      expect(await failure(ask(wrong.href, 'SELECT 1'))).to.include({ code: '28P01' });
      const [stored] = await ask<{ scram: boolean }>(
        url,
        `SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$%') AS scram FROM pg_authid WHERE rolcanlogin`,
      );
      expect(stored).to.deep.equal({ scram: true });
      const methods = await ask(url, 'SELECT DISTINCT auth_method FROM pg_hba_file_rules');
      expect(methods).to.deep.equal([{ auth_method: 'scram-sha-256' }]);
    });

    it('says nothing about the password', async () => {
      expect(log.join()).not.to.include(new URL(url).password);
    });

    it('runs as nobody when started by root, with the data for that account alone', async function () {
      if (!ROOT || !LINUX) this.skip();
      const status = readFileSync(`/proc/${postmasterPid(folder)}/status`, 'utf8');
      const { uid, gid } = nobody(readFileSync('/etc/passwd', 'utf8'));
      expect(status).to.match(new RegExp(`^Uid:(\\s+${uid}){4}$`, 'm'));
      expect(status).to.match(new RegExp(`^Gid:(\\s+${gid}){4}$`, 'm'));
      expect(status).to.match(/^Groups:\s*$/m);
      const data = statSync(path.join(folder, 'postgres', 'data'));
      expect([data.uid, data.mode & 0o777]).to.deep.equal([uid, 0o700]);
      const password = statSync(path.join(folder, 'postgres', 'password'));
      expect([password.uid, password.mode & 0o777]).to.deep.equal([0, 0o600]);
    });
  });

  describe('at the first start', () => {
    beforeEach(place);
    afterEach(clear);

    it("does not hand the server's environment on, where secrets are", async function () {
      if (!LINUX) this.skip();
      const server = child();
      await server.first('url');
      expect(readFileSync(`/proc/${postmasterPid(folder)}/environ`, 'utf8')).not.to.include('secret-of-the-server');
    });

    it('says so where root has no account to run it as', () => {
      expect(() => nobody('root:x:0:0:root:/root:/bin/sh\n')).to.throw(ImproperlyConfigured, 'no account "nobody"');
      expect(nobody('nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false\n')).to.deep.equal({
        uid: 4_294_967_294,
        gid: 4_294_967_294,
      });
    });

    it('removes what a start left that was killed during initdb', async () => {
      const abandoned = path.join(folder, `postgres.initdb-999999999@1-aB3xyz`);
      mkdirSync(path.join(abandoned, 'data'), { recursive: true });
      await start();
      expect(readdirSync(folder).sort()).to.deep.equal(['database_url', 'postgres']);
    });

    it('bears a strict umask', async () => {
      const umask = process.umask(0o077);
      try {
        await start();
      } finally {
        process.umask(umask);
      }
      expect(log).to.deep.equal([]);
    });

    it('takes an empty folder as one that is not there', async () => {
      mkdirSync(path.join(folder, 'postgres'), { recursive: true });
      expect(await ask((await start()).url, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
    });

    it('refuses a folder that holds something else, and leaves it as it is', async () => {
      const photo = path.join(folder, 'postgres', 'photo.jpg');
      mkdirSync(path.dirname(photo), { recursive: true });
      writeFileSync(photo, 'pixels');
      const error = await failure(start());
      expect(error).to.be.instanceOf(ImproperlyConfigured);
      expect(error.message).to.include('is not the folder of an embedded PostgreSQL').and.include('DATABASE_URL');
      expect(readFileSync(photo, 'utf8')).to.equal('pixels');
      expect(readdirSync(path.dirname(photo))).to.deep.equal(['photo.jpg']);
    });

    it('refuses a file where the folder should be', async () => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, 'postgres'), 'text');
      expect(await failure(start())).to.be.instanceOf(ImproperlyConfigured);
      expect(readFileSync(path.join(folder, 'postgres'), 'utf8')).to.equal('text');
    });
  });

  describe('on a platform without programs', () => {
    beforeEach(place);
    const arch = Object.getOwnPropertyDescriptor(process, 'arch') ?? {};
    afterEach(async () => {
      Object.defineProperty(process, 'arch', arch);
      await clear();
    });

    it('says to set DATABASE_URL', async () => {
      Object.defineProperty(process, 'arch', { ...arch, value: 'riscv64' });
      const error = await failure(start());
      expect(error).to.be.instanceOf(ImproperlyConfigured);
      expect(error.message).to.include('riscv64').and.include('Set DATABASE_URL');
    });
  });

  describe('at a later start', () => {
    beforeEach(placeStopped);
    afterEach(clear);

    it('has the data, at the same URL', async () => {
      const first = await start();
      await ask(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
      await first.stop();
      const second = await start();
      expect(second.url).to.equal(first.url);
      expect(await ask(second.url, 'SELECT answer FROM kept')).to.deep.equal([{ answer: 42 }]);
    });

    it('refuses data of another release', async () => {
      await (await start()).stop();
      writeFileSync(path.join(folder, 'postgres', 'data', 'PG_VERSION'), '12\n');
      expect((await failure(start())).message).to.include('made by PostgreSQL 12; this one is 17');
    });

    it('steps over a postmaster.pid whose process is gone', async () => {
      const { url } = await crash();
      expect(await ask((await start()).url, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
      expect(runningEmbeddedUrl(folder)).to.equal(url);
    });

    it('steps over a postmaster.pid whose number another program has now', async () => {
      await crash();
      claim(process.pid);
      expect(await ask((await start()).url, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
    });

    it('steps over a postmaster.pid whose number a program of /srv/postgres/ has now', async () => {
      await crash();
      const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e9)', '/srv/postgres/app.js']);
      try {
        claim(other.pid ?? 0);
        expect(await ask((await start()).url, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
      } finally {
        other.kill('SIGKILL');
      }
    });

    it('steps over a postmaster.pid whose process is a zombie', async function () {
      if (!LINUX) this.skip();
      await crash();
      // The shell becomes a program that waits for no child, so that its own child, which ends afterwards, stays a zombie.
      const parent = spawn('/bin/sh', ['-c', 'exec 3<&0; cat <&3 >/dev/null & echo $!; exec sleep 600 3<&-'], {
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      try {
        const [pid] = (await once(parent.stdout, 'data')) as [Buffer];
        const zombie = Number(pid.toString());
        await until(() => readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n');
        parent.stdin.end();
        await until(() => readFileSync(`/proc/${zombie}/stat`, 'utf8').includes(') Z '));
        expect(processInfo(zombie)).to.equal(undefined);
        claim(zombie);
        expect(await ask((await start()).url, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
      } finally {
        parent.kill('SIGKILL');
      }
    });

    /** A cluster whose PostgreSQL was killed: postmaster.pid stays. */
    async function crash(): Promise<{ url: string }> {
      const server = child();
      const { url = '' } = await server.first('url');
      const postmaster = postmasterPid(folder);
      server.process.kill('SIGSTOP'); // or it would start PostgreSQL again
      process.kill(postmaster, 'SIGKILL');
      await until(() => processInfo(postmaster) === undefined);
      await server.kill();
      return { url };
    }

    function claim(pid: number): void {
      const file = path.join(folder, 'postgres', 'data', 'postmaster.pid');
      writeFileSync(file, readFileSync(file, 'utf8').replace(/^\d+/, String(pid)));
    }
  });

  describe('below a folder that others may not enter', () => {
    beforeEach(place);
    afterEach(clear);

    it('keeps data where its account can reach them, says where, and finds them again', async function () {
      if (!ROOT) this.skip();
      const home = path.join(path.dirname(folder), 'home');
      mkdirSync(home, { mode: 0o700 });
      const inside = path.join(home, '.data');
      const first = await start(inside);
      const [, elsewhere = ''] = /keeps its data in (\S+),/.exec(log.join('\n')) ?? [];
      try {
        expect(log.join('\n')).to.include(inside);
        expect(existsSync(path.join(elsewhere, 'data', 'PG_VERSION'))).to.equal(true);
        expect(runningEmbeddedUrl(inside)).to.equal(first.url);
        await ask(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
        await first.stop();
        const second = await start(inside);
        expect(await ask(second.url, 'SELECT answer FROM kept')).to.deep.equal([{ answer: 42 }]);
        await second.stop();
      } finally {
        if (elsewhere !== '') rmSync(elsewhere, { recursive: true, force: true });
      }
    });
  });

  describe('when the server is killed', () => {
    beforeEach(place);
    afterEach(clear);

    it('leaves no PostgreSQL behind', async () => {
      await fillPlace();
      const server = child();
      await server.first('url');
      const postmaster = postmasterPid(folder);
      expect(processInfo(postmaster)?.command).to.include('postgres');
      await server.kill();
      await until(() => processInfo(postmaster) === undefined);
      expect(runningEmbeddedUrl(folder)).to.equal(undefined);
      expect(readFileSync(path.join(folder, 'postgres', 'postgresql.log'), 'utf8')).to.include(
        'database system is shut down',
      );
    });

    it('leaves no folder behind either, when it was a throw-away', async () => {
      // As in the system's temporary folder: PostgreSQL's account removes what is its own.
      chmodSync(path.dirname(folder), 0o1777);
      mkdirSync(folder, { mode: 0o700 });
      const server = child('throwaway');
      await server.first('url');
      expect(server.said.filter((said) => 'log' in said)).to.deep.equal([]);
      await server.kill();
      await until(() => !existsSync(folder));
    });

    it('is taken over by the next start, when what would have stopped it was killed too', async () => {
      await fillPlace();
      const server = child();
      const { url = '' } = await server.first('url');
      await ask(url, 'CREATE TABLE kept AS SELECT 42 AS answer');
      const postmaster = postmasterPid(folder);
      const keeper = Number(readFileSync(`/proc/${postmaster}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);
      for (const watcher of childrenOf(keeper)) if (watcher !== postmaster) process.kill(watcher, 'SIGKILL');
      server.process.kill('SIGSTOP');
      process.kill(keeper, 'SIGKILL');
      await server.kill();
      expect(processInfo(postmaster)?.command).to.include('postgres');
      const next = await start();
      expect(log).to.deep.equal([`Stopping PostgreSQL (process ${postmaster}), which an earlier server left behind.`]);
      expect(await ask(next.url, 'SELECT answer FROM kept')).to.deep.equal([{ answer: 42 }]);
      expect(processInfo(postmaster)).to.equal(undefined);
    });
  });

  describe('a second start on the same folder', () => {
    beforeEach(place);
    afterEach(clear);

    it('is refused with a sentence, and the first goes on', async () => {
      await fillPlace();
      const { url } = await start();
      const error = await failure(startEmbeddedPostgres({ folder }));
      expect(error).to.be.instanceOf(ImproperlyConfigured);
      expect(error.message)
        .to.include(`Another server (process ${process.pid}) already runs`)
        .and.include('DATABASE_URL');
      expect(await ask(url, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
    });

    it('at the same moment, on a new folder: one runs, the other is refused', async () => {
      const both = [child(), child()];
      await until(() => both.every(({ said }) => said.some((line) => 'url' in line || 'error' in line)));
      const [refused] = both.filter(({ said }) => said.some((line) => 'error' in line));
      const [running] = both.filter(({ said }) => said.some((line) => 'url' in line));
      expect(both.filter(({ said }) => said.some((line) => 'url' in line))).to.have.length(1);
      expect((await refused?.first('error'))?.error).to.include(
        `Another server (process ${running?.pid}) already runs`,
      );
      const { url = '' } = (await running?.first('url')) ?? {};
      expect(await ask(url, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
      expect(readdirSync(folder).sort()).to.deep.equal(['database_url', 'postgres']);
    });
  });

  describe('on a signal', () => {
    beforeEach(placeStopped);
    afterEach(clear);

    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      it(`${signal} to the whole group reaches the server, which stops PostgreSQL when it is done with it`, async () => {
        const server = child();
        await server.first('url');
        const postmaster = postmasterPid(folder);
        process.kill(-server.pid, signal);
        expect(await server.first('signal')).to.deep.equal({ signal, answer: 1 });
        expect(await server.exit).to.deep.equal([0, null]);
        expect(processInfo(postmaster)).to.equal(undefined);
        expect(existsSync(path.join(folder, 'postgres', 'data', 'postmaster.pid'))).to.equal(false);
      });
    }
  });

  describe('when PostgreSQL is killed', () => {
    beforeEach(placeStopped);
    afterEach(clear);

    it('is started again at the same URL, with what was committed', async () => {
      const { url } = await start();
      await ask(url, 'CREATE TABLE kept AS SELECT 42 AS answer');
      process.kill(postmasterPid(folder), 'SIGKILL');
      await until(() => log.includes('The embedded PostgreSQL runs again.'));
      expect(await ask(url, 'SELECT answer FROM kept')).to.deep.equal([{ answer: 42 }]);
    });
  });
});

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]) === parent;
      } catch {
        return false;
      }
    });
}

describe('a process, as ps prints it where there is no /proc', () => {
  it('is read with when it began and its command', () => {
    expect(readPs(7, 'Ss   Mon Nov  2 10:11:12 2026     /path to/postgres -D /data\n')).to.deep.equal({
      pid: 7,
      began: 'Mon-Nov-2-10-11-12-2026',
      command: '/path to/postgres -D /data',
    });
  });

  it('is none when it is a zombie, or when nothing was printed', () => {
    expect(readPs(7, 'Z    Mon Nov 22 10:11:12 2026     (postgres)\n')).to.equal(undefined);
    expect(readPs(7, '')).to.equal(undefined);
  });
});
