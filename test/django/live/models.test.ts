/** Users and sessions of Django's own making, beyond what the suites of logins and operations ask of every site. */
import { expect } from 'chai';
import fc from 'fast-check';
import { AnonymousUser, type User } from '../../../server/auth/user.js';
import { UserTable } from '../../../server/auth/users.js';
import type { Diagnosis } from '../../../server/cli/doctor/finding.js';
import { connectKnex } from '../../../server/db/knex.js';
import { defineSettings, SETTINGS } from '../../../server/settings.js';
import { UNHURRIED } from '../../support/database.js';
import { Browser } from '../browser.js';
import {
  eachSite,
  keyOf,
  login,
  logout,
  makeUser,
  newDatabase,
  ops,
  type Pair,
  row,
  SECRET_KEY,
  SIDES,
} from '../pairs.js';
import { historyOf, schemaOf } from '../schema.js';
import { koaCommand, koaCommandWith, manage, type Values } from '../servers.js';

const PERMS = ['shop.add_good', 'shop.change_good', 'stock.view_good'];
const MODULES = ['shop', 'stock', 'sho', ''];

interface Person {
  readonly is_active: boolean;
  readonly is_superuser: boolean;
  readonly groups: readonly string[];
  readonly permissions: readonly string[];
}

const some = <T>(...items: readonly T[]): fc.Arbitrary<T[]> => fc.subarray([...items]);
const person: fc.Arbitrary<Person> = fc.record({
  is_active: fc.integer({ min: 0, max: 4 }).map((drawn) => drawn > 0),
  is_superuser: fc.integer({ min: 0, max: 4 }).map((drawn) => drawn === 0),
  groups: some('clerks', 'buyers', 'nobody'),
  permissions: some(...PERMS),
});
const grants = fc.record({ clerks: some(...PERMS), buyers: some(...PERMS), nobody: fc.constant([]) });

/** What the user may do, in the form of Django's view. */
async function may(user: User | AnonymousUser): Promise<unknown> {
  const sorted = async (names: Promise<Iterable<string>>): Promise<string[]> => [...(await names)].sort();
  return {
    perms: await Promise.all(PERMS.map((name) => user.has_perm(name))),
    all: await user.has_perms(PERMS),
    modules: await Promise.all(MODULES.map((name) => user.has_module_perms(name))),
    get_user_permissions: await sorted(user.get_user_permissions()),
    get_group_permissions: await sorted(user.get_group_permissions()),
    get_all_permissions: await sorted(user.get_all_permissions()),
    groups: await sorted(user.groups()),
  };
}

/** Those of the values that are settings of the library. */
function settingsOf(values: Values): ReturnType<typeof defineSettings> {
  return defineSettings(Object.fromEntries(Object.entries(values).filter(([name]) => Object.hasOwn(SETTINGS, name))));
}

async function postJson(url: string, value: unknown): Promise<unknown> {
  const answer = await new Browser().post(url, { json: JSON.stringify(value) });
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${answer.text.slice(0, 300)}`);
  return answer.json;
}

async function doctor(values: Values): Promise<Diagnosis> {
  try {
    return JSON.parse(await koaCommand(values, 'doctor', '--json')) as Diagnosis;
  } catch (error) {
    return JSON.parse((error as { stdout: string }).stdout) as Diagnosis;
  }
}

await eachSite((django, pair, site) => {
  if (site.sessions === 'django_session') {
    it('users may do the same at both sides, whatever groups and permissions they have', async function () {
      this.timeout(180_000);
      const both = await pair();
      const knex = connectKnex(both.values.DATABASE_URL, UNHURRIED);
      const users = new UserTable(knex, { settings: settingsOf(both.values) });
      try {
        await fc.assert(
          fc.asyncProperty(grants, fc.array(person, { minLength: 1, maxLength: 3 }), async (granted, people) => {
            await postJson(`${both.urls.django}/django/groups/`, granted);
            for (const wanted of people) {
              const { username, id } = await makeUser(both, { hasher: 'argon2', ...wanted });
              const theirs = await postJson(`${both.urls.django}/django/may/`, {
                username,
                perms: PERMS,
                modules: MODULES,
              });
              const ours = await users.get_by_id(id);
              expect(ours?.get_username()).to.equal(username);
              expect(await may(ours ?? new AnonymousUser()), JSON.stringify(wanted)).to.deep.equal(theirs);
            }
          }),
          { numRuns: 10 },
        );
      } finally {
        await knex.destroy();
      }
    });
  } else {
    const accountOf = async (both: Pair, browser: Browser): Promise<number | null | undefined> =>
      ((await row(both, browser)) as { account_id?: number | null } | undefined)?.account_id;

    it('a column that Django filled stays as it is when our server saves', async () => {
      const both = await pair();
      const user = await makeUser(both);
      const browser = new Browser();
      await login(both, 'django', browser, user.username, user.password);
      expect(await accountOf(both, browser)).to.equal(Number(user.id));
      await ops(both, 'koa', browser, ['set', 'a', 1]);
      expect(await accountOf(both, browser)).to.equal(Number(user.id));
      await ops(both, 'koa', browser, ['cycle_key']);
      expect(await accountOf(both, browser)).to.equal(Number(user.id));
      const key = keyOf(browser);
      await logout(both, 'koa', browser);
      expect(await row(both, key)).to.equal(undefined);
    });

    it('a row that our server added is filled by Django when Django saves it', async () => {
      const both = await pair();
      const user = await makeUser(both);
      const browser = new Browser();
      await login(both, 'koa', browser, user.username, user.password);
      expect(await accountOf(both, browser)).to.equal(null);
      await ops(both, 'django', browser, ['set', 'a', 1]);
      expect(await accountOf(both, browser)).to.equal(Number(user.id));
    });
  }

  if (site.name !== '') {
    it('doctor is content with the settings, and finds them by itself where they are missing', async () => {
      const both = await pair();
      const user = await makeUser(both);
      for (const side of SIDES) await login(both, side, new Browser(), user.username, user.password);
      const right = await doctor(both.values);
      expect(right.environment).to.deep.equal({});
      expect(right.findings.filter(({ level }) => level === 'problem')).to.deep.equal([]);
      const { DATABASE_URL } = both.values;
      const wrong = await doctor({ DATABASE_URL, SECRET_KEY });
      const { SITE_APPS, DJANGO_SESSION_ENGINE, ...settings } = site.values;
      const lower = (values: Readonly<Record<string, string>>): unknown =>
        'AUTH_USER_MODEL' in values ? { ...values, AUTH_USER_MODEL: values['AUTH_USER_MODEL']?.toLowerCase() } : values;
      expect(lower(wrong.environment)).to.deep.equal(lower(settings));
      expect(wrong.healthy).to.equal(false);
    });
  }

  if (site.users !== 'auth_user') {
    it('Django first: our migrate leaves users alone and goes on', async () => {
      const values: Values = { DATABASE_URL: await newDatabase(), SECRET_KEY, ...site.values };
      await manage(django, values, 'migrate', '--verbosity', '0');
      const [schema, history] = [await schemaOf(values.DATABASE_URL), await historyOf(values.DATABASE_URL)];
      await koaCommand(values, 'migrate');
      expect(await schemaOf(values.DATABASE_URL)).to.deep.equal(schema);
      expect(await historyOf(values.DATABASE_URL)).to.deep.equal(history);
      const made = await createUser(values, site.username('ann'));
      // A default of the model alone is Django's.
      if (site.values['SITE_APPS'] === 'members') expect(made).to.match(/members\.Member requires a value for company/);
      else expect(made).to.match(/^Added user ann@example\.com \(id [0-9a-f-]{36}\)\.\n$/);
    });

    it('ours first: our migrate says that Django has to begin, and Django can', async () => {
      const values: Values = { DATABASE_URL: await newDatabase(), SECRET_KEY, ...site.values };
      const refused = await koaCommand(values, 'migrate').then(
        () => '',
        (error: { stderr: string }) => error.stderr,
      );
      expect(refused).to.match(/AUTH_USER_MODEL is \S+, whose tables only Django can make\. Run Django's "migrate"/);
      await manage(django, values, 'migrate', '--verbosity', '0');
      expect(await koaCommand(values, 'migrate')).to.match(/^Applied /);
    });
  }
});

/** What `createuser` says, well or not. */
function createUser(values: Values, username: string): Promise<string> {
  return koaCommandWith('long enough\n', values, 'createuser', '--username', username).catch(
    (error: { stderr: string }) => error.stderr,
  );
}
