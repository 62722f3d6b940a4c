/** `doctor` on rows that a real Django wrote. */
import { expect } from 'chai';
import type { Diagnosis, Finding } from '../../../server/cli/doctor/finding.js';
import { Browser } from '../browser.js';
import { eachDjango, login, makeUser, newDatabase, type Pair, pairOf, SECRET_KEY, SIDES } from '../pairs.js';
import { koaCommand, manage, startDjango, type Values } from '../servers.js';

/** What doctor says, and whether its exit code was 0. */
async function doctor(values: Values): Promise<Diagnosis & { readonly exitedWell: boolean }> {
  try {
    return { ...(JSON.parse(await koaCommand(values, 'doctor', '--json')) as Diagnosis), exitedWell: true };
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    if (stdout === '') throw error;
    return { ...(JSON.parse(stdout) as Diagnosis), exitedWell: false };
  }
}

const found = ({ findings }: Diagnosis, check: string): Finding | undefined =>
  findings.find((finding) => finding.check === check);

await eachDjango((django) => {
  describe('on a database that both use', () => {
    let both: Pair;

    before(async () => {
      both = await pairOf(django, { DATABASE_URL: await newDatabase().then(migrated) });
      for (const side of SIDES) {
        const user = await makeUser(both);
        await login(both, side, new Browser(), user.username, user.password);
      }
    });

    const migrated = async (DATABASE_URL: string): Promise<string> => {
      await manage(django, { DATABASE_URL, SECRET_KEY }, 'migrate', '--verbosity', '0');
      return DATABASE_URL;
    };

    it('finds that logins are shared', async () => {
      const diagnosis = await doctor(both.values);
      expect(diagnosis.findings.filter(({ level }) => level !== 'ok')).to.deep.equal([]);
      expect(diagnosis).to.include({ healthy: true, exitedWell: true });
      expect(found(diagnosis, 'signatures')?.text).to.match(/^Of the newest 2 rows, 2 verify with SECRET_KEY/);
      expect(found(diagnosis, 'logins')?.text).to.equal('2 of 2 logged-in rows are a valid login here.');
    });

    it('finds that they are not with another SECRET_KEY', async () => {
      const diagnosis = await doctor({ ...both.values, SECRET_KEY: 'another key' });
      expect(diagnosis).to.include({ healthy: false, exitedWell: false });
      expect(found(diagnosis, 'signatures')?.level).to.equal('problem');
    });
  });

  for (const engine of ['db', 'cached_db']) {
    it(`${engine === 'db' ? 'finds nothing' : 'notices it'} where Django's engine is ${engine}`, async () => {
      const values: Values = {
        DATABASE_URL: await newDatabase(),
        SECRET_KEY,
        SESSION_ENGINE: `django.contrib.sessions.backends.${engine}`,
      };
      await manage(django, values, 'migrate', '--verbosity', '0');
      const server = await startDjango(django, values);
      const browser = new Browser();
      for (let count = 0; count < 110; count += 1) {
        await browser.post(`${server.url}/django/ops/`, { json: `{"ops":[["set","count",${count}]]}` });
      }
      // PostgreSQL counts what a connection did at the latest when it ends.
      await server.stop();
      const finding = found(await doctor({ ...values, SESSION_ENGINE: 'db' }), 'cached_db');
      if (engine === 'db') expect(finding).to.equal(undefined);
      else expect(finding?.level).to.equal('warning');
    });
  }
});
