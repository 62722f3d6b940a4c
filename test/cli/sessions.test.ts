/** `sessions list`, `revoke` and `stats`, run as a shell would. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { UserSessionsTable } from '../../server/auth/user_sessions/table.js';
import { UserTable } from '../../server/auth/users.js';
import { SessionCodec } from '../../server/session/codec.js';
import { newSessionKey } from '../../server/session/key.js';
import { defineSettings } from '../../server/settings.js';
import { databaseOfSuite } from '../support/database.js';
import { cli, KEY } from './command.js';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';
const DAY = 86_400_000;

describe('sessions', () => {
  const database = databaseOfSuite();
  const settings = defineSettings({ SECRET_KEY: KEY });
  const url = (): NodeJS.ProcessEnv => ({ DATABASE_URL: database.url });
  const keys: string[] = [];

  before(async () => {
    const user = await new UserTable(database.knex).create_user({ username: 'ann' });
    const table = new UserSessionsTable(database.knex, settings, undefined);
    // Two that ann is logged in with, one of a visitor that expires later, and two that have expired.
    for (const days of [0.5, 3.5, 40, -1, -2]) {
      const session_key = newSessionKey();
      keys.push(session_key);
      const session_data = new SessionCodec(settings, { now: () => 1_800_000_000 + days }).encode('{"a":1}');
      await database
        .knex('django_session')
        .insert({ session_key, session_data, expire_date: new Date(Date.now() + days * DAY) });
    }
    const sighting = { user_id: String(user.id), address: '203.0.113.0/24', formerKey: null };
    await table.note([{ ...sighting, session_key: keys[0] ?? '', user_agent: FIREFOX }]);
    await table.note([{ ...sighting, session_key: keys[1] ?? '', user_agent: '\u001b[31mX' }]);
  });

  it('alone, or of nobody, say what there is', async () => {
    const alone = await cli(['sessions'], url());
    expect(alone.code).to.equal(2);
    expect(alone.err).to.include('There are: sessions list, sessions revoke, sessions stats.');
    const nobody = await cli(['sessions', 'list', '--user', 'nobody'], url());
    expect([nobody.code, nobody.err.split('.')[0]]).to.deep.equal([2, 'There is no user with the username "nobody"']);
    const file = await cli(['sessions', 'stats'], { ...url(), SESSION_ENGINE: 'file' });
    expect([file.code, file.err.split('.')[0]]).to.deep.equal([
      2,
      'SESSION_ENGINE is file: only sessions of db and cached_db are rows',
    ]);
  });

  it('list shows where a user is logged in, and keys only when asked for', async () => {
    const { code, out } = await cli(['sessions', 'list', '--user', 'ann'], url());
    expect(code).to.equal(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).to.match(/^id +browser +network +begun +last seen +expires$/);
    expect(lines.slice(1).map((line) => line.split(/ {2,}/).slice(1, 3))).to.deep.equal([
      ['unknown', '203.0.113.0/24'],
      ['Firefox 128 on Linux', '203.0.113.0/24'],
    ]);
    for (const key of keys) expect(out).to.not.include(key);
    expect((await cli(['sessions', 'list', '--user', 'ann', '--keys'], url())).out).to.include(keys[0]);
  });

  it('stats count what is live and expired, and draw when it ends', async () => {
    const { code, out } = await cli(['sessions', 'stats'], url());
    expect(code).to.equal(0);
    const [live, expired, size, one, oldest, , ...chart] = out.trimEnd().split('\n');
    expect([live, expired]).to.deep.equal(['live      3', 'expired   2 (clearsessions removes them)']);
    expect(size).to.match(/^size +[\d.]+ KiB with indexes$/);
    expect(one).to.match(/^one has +\d+ bytes on average, \d+ bytes at most$/);
    expect(oldest).to.equal('oldest    last written 2027-01-15 08:00 UTC');
    const bar = '█'.repeat(40);
    expect(chart.slice(0, 5)).to.deep.equal([
      'live sessions by the day on which they expire',
      `within 24 h   ${bar} 1`,
      'in 1 day      0',
      'in 2 days     0',
      `in 3 days     ${bar} 1`,
    ]);
    expect(chart.at(-1)).to.equal(`later         ${bar} 1`);
  });

  it('revoke ends one by its id, then all, and the rows are gone', async () => {
    const { out } = await cli(['sessions', 'list', '--user', 'ann'], url());
    const [, , second = ''] = out.split('\n').map((line) => line.split(' ')[0]);
    const revoke = (...options: string[]) => cli(['sessions', 'revoke', '--user', 'ann', ...options], url());
    expect(await revoke('--id', second)).to.include({ code: 0, out: 'Ended 1 session.\n' });
    expect(await revoke('--id', second)).to.include({ code: 1, err: 'This user has no such session (any more).\n' });
    expect(await revoke('--all')).to.include({ code: 0, out: 'Ended 1 session.\n' });
    expect((await revoke()).err).to.include('Say which: --id ID, or --all.');
    const left = await database.knex('django_session').pluck('session_key');
    expect(left).to.have.members(keys.slice(2));
  });

  it('and other commands that compare keys say that SECRET_KEY is not set, and make none', async () => {
    const DATA_FOLDER = mkdtempSync(path.join(tmpdir(), 'keyless-'));
    try {
      for (const args of [['sessions', 'list', '--user', 'ann'], ['doctor'], ['inspect', keys[0] ?? '']]) {
        const keyless = await cli(args, { ...url(), DATA_FOLDER, SECRET_KEY: undefined });
        expect(keyless.code, args[0]).to.not.equal(0);
        expect(keyless.err, args[0]).to.include('SECRET_KEY is not set');
      }
      expect(readdirSync(DATA_FOLDER)).to.deep.equal([]);
    } finally {
      rmSync(DATA_FOLDER, { recursive: true });
    }
  });
});
