/** The command line where sessions are not in the table. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { SessionCodec } from '../../server/session/codec.js';
import { newSessionKey } from '../../server/session/key.js';
import { FileStore } from '../../server/session/stores/file.js';
import { defineSettings } from '../../server/settings.js';
import { compiled } from '../support/programs.js';

describe('clearsessions with SESSION_ENGINE file', function () {
  this.timeout(180_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'sessions-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const SECRET_KEY = 'a key that only the tests of the command line use';

  async function clearsessions(...args: readonly string[]): Promise<{ code: unknown; out: string; err: string }> {
    const child = spawn(process.execPath, [compiled('server/cli/main.ts'), 'clearsessions', ...args], {
      env: { PATH: process.env['PATH'], SECRET_KEY, SESSION_ENGINE: 'file', SESSION_FILE_PATH: folder },
    });
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    return { code, out, err };
  }

  it('removes the files that have expired, without a database', async () => {
    const settings = defineSettings({ SECRET_KEY, SESSION_FILE_PATH: folder });
    const store = new FileStore(settings);
    const session_data = new SessionCodec(settings).encode('{}');
    for (const lifetime of [-60_000, -1000, 60_000]) {
      const expire_date = new Date(Date.now() + lifetime);
      await store.create({ session_key: newSessionKey(), session_data, expire_date });
    }
    expect(await clearsessions()).to.deep.equal({ code: 0, out: 'Removed 2 expired sessions.\n', err: '' });
    expect(readdirSync(folder)).to.have.length(1);
  });

  it('refuses --dry-run, which counts rows', async () => {
    const { code, err } = await clearsessions('--dry-run');
    expect(code).to.equal(2);
    expect(err).to.contain('SESSION_ENGINE is file');
  });
});
