import { inspect } from 'node:util';
import { expect } from 'chai';
import { make_password } from '../../server/auth/hashers.js';
import { AnonymousUser } from '../../server/auth/user.js';
import { normalize_username } from '../../server/auth/username.js';
import { normalize_email, UserTable } from '../../server/auth/users.js';
import type { Deadline } from '../../server/db/deadline.js';
import { connectKnex } from '../../server/db/knex.js';
import { StoreUnavailable, ValueError } from '../../server/errors.js';
import { NOW } from '../http/serve.js';
import { databaseOfSuite } from '../support/database.js';
import { expectLinear } from '../support/growth.js';
import { reasonOf, rejection } from '../support/reason.js';

describe('UserTable', () => {
  const database = databaseOfSuite();
  let users: UserTable;

  before(async () => {
    users = new UserTable(database.knex, { now: () => NOW });
  });

  it('creates a user as Django does: defaults, an id that counts, last_login empty', async () => {
    const password = await make_password('secret', { iterations: 10 });
    const user = await users.create_user({ username: 'alice', password, email: 'Alice@EXAMPLE.com' });
    expect({ ...user }).to.deep.equal({
      id: user.id,
      username: 'alice',
      first_name: '',
      last_name: '',
      email: 'Alice@example.com',
      is_active: true,
      is_staff: false,
      is_superuser: false,
      last_login: null,
      date_joined: new Date(NOW * 1000),
      is_authenticated: true,
      is_anonymous: false,
    });
    expect([user.password, user.backend]).to.deep.equal([password, null]);
    expect(user.id).to.be.a('number');
    expect((await users.get_by_id(String(user.id)))?.username).to.equal('alice');
    expect((await users.get_by_natural_key('alice'))?.id).to.equal(user.id);
  });

  it('shows no password in a log, in JSON, or to a template that lists fields', async () => {
    const user = await users.create_user({ username: 'quiet', password: 'pbkdf2_sha256$1$canary$canary' });
    for (const text of [
      JSON.stringify(user),
      inspect(user, { showHidden: true, depth: 9 }),
      Object.keys(user).join(),
    ]) {
      expect(text).to.not.include('canary');
    }
  });

  it('gives an account without a password one that nothing matches', async () => {
    expect((await users.create_user({ username: 'nologin' })).password).to.match(/^![A-Za-z0-9]{40}$/);
  });

  it('stores no password in plain: Django’s methods of these names hash what they are given, ours do not', async () => {
    const { id } = await users.create_user({ username: 'hashed' });
    const plain = [
      'a garden of cucumbers',
      'pa$$word',
      'correct$horse$battery$staple',
      'Money$1000$salary$2024',
      '!secret',
      '',
      undefined,
      make_password('secret', { iterations: 1 }),
    ];
    for (const given of plain as string[]) {
      const error = await rejection(users.set_password(id, given));
      expect(error, String(given)).to.be.instanceOf(ValueError);
      expect(error.message).to.equal(
        'set_password() stores what it is given: not the password, but `await make_password(password)`.',
      );
      if (given === undefined) continue;
      const refused = await rejection(users.create_user({ username: 'plain', password: given }));
      expect(refused.message, String(given)).to.include('await make_password(password)');
    }
    expect(await users.get_by_natural_key('plain')).to.equal(null);
    expect((await users.get_by_natural_key('hashed'))?.password).to.match(/^![A-Za-z0-9]{40}$/);
    for (const encoded of [
      '!',
      await make_password(null),
      'bcrypt$$2b$12$abcdefghijklm',
      await make_password('x', { iterations: 1 }),
    ]) {
      expect((await users.set_password(id, encoded))?.password).to.equal(encoded);
    }
  });

  it('says what is wrong with names, deadlines and times that are none', async () => {
    const none = undefined as unknown as string;
    expect(await users.get_by_natural_key(none)).to.equal(null);
    expect((await rejection(users.create_user({ username: none }))).message).to.include('`username`');
    const ctx = {} as Deadline;
    expect((await rejection(users.get_by_id(1, ctx))).message).to.include('requestDeadline(ctx)');
    const at = '2026-01-01' as unknown as Date;
    expect((await rejection(users.update_last_login(1, at))).message).to.include('Date');
  });

  it('normalises a new name (NFKC) and finds by the exact one', async () => {
    const user = await users.create_user({ username: 'ａｄａ' });
    expect(user.username).to.equal('ada');
    expect(await users.get_by_natural_key('ａｄａ')).to.equal(null);
    expect(await users.get_by_natural_key('Ada')).to.equal(null);
  });

  it('refuses a name that is empty, taken, too long, or that no row can have', async () => {
    await users.create_user({ username: 'taken' });
    for (const username of ['', 'taken', 'ｔａｋｅｎ', 'x'.repeat(151), 'nul\0', '\ud800']) {
      const error = await users.create_user({ username }).catch((reason: unknown) => reason);
      expect(error, JSON.stringify(username)).to.be.instanceOf(ValueError);
    }
  });

  it('finds nobody under a name that no row can have', async () => {
    for (const username of ['', 'nul\0', 'taken\0', '\ud800', "' OR 1=1 --", 'x'.repeat(100_000), '__proto__']) {
      expect(await users.get_by_natural_key(username), JSON.stringify(username.slice(0, 20))).to.equal(null);
    }
  });

  it('does no more work for a name that is longer than any: it is not normalised', async () => {
    const marks = (size: number): string => `a${'\u0300\u0316'.repeat(size)}`;
    await expectLinear(marks, (username) => normalize_username(username), 4096);
    await expectLinear(marks, (username) => users.get_by_natural_key(username), 4096);
    await expectLinear(marks, (username) => reasonOf(users.create_user({ username })), 4096);
    expect(await reasonOf(users.create_user({ username: marks(4096) }))).to.be.instanceOf(ValueError);
    expect(normalize_username(marks(4096))).to.equal(marks(4096));
    expect(normalize_username('é'.repeat(254).normalize('NFD'))).to.equal('é'.repeat(254));
  });

  it('finds nobody under an id that is none', async () => {
    for (const id of ['abc', '', '1.5', '2147483648', '-1', '99999999999999999999', '1e3', '0x1', '\0', '1\0', 'NaN']) {
      expect(await users.get_by_id(id), JSON.stringify(id)).to.equal(null);
    }
  });

  it('returns the user with the new password, and null where there is none', async () => {
    const user = await users.create_user({ username: 'changes' });
    expect((await users.set_password(user.id, 'pbkdf2_sha256$1$a$b'))?.password).to.equal('pbkdf2_sha256$1$a$b');
    expect(await users.set_password(2_000_000_000, 'pbkdf2_sha256$1$salt$x')).to.equal(null);
  });

  it('notes a login', async () => {
    const user = await users.create_user({ username: 'logs in' });
    const at = new Date('2026-02-03T04:05:06.789Z');
    expect((await users.update_last_login(user.id, at))?.last_login).to.deep.equal(at);
    expect((await users.get_by_id(user.id))?.last_login).to.deep.equal(at);
  });

  describe('looked up by id', () => {
    const statementsOf = async (work: () => Promise<void>): Promise<readonly string[]> => {
      const statements: string[] = [];
      const note = ({ sql }: { readonly sql: string }): void => {
        statements.push(sql);
      };
      database.knex.on('query', note);
      await work();
      database.knex.off('query', note);
      return statements;
    };

    it('those of one tick share a statement, and each request has a user of its own', async () => {
      const made = await Promise.all(
        Array.from({ length: 20 }, (_, n) => users.create_user({ username: `tick ${n}` })),
      );
      const asked = [...made, ...made];
      const statements = await statementsOf(async () => {
        const found = await Promise.all(asked.map(({ id }) => users.get_by_id(id)));
        expect(found.map((user) => user?.username)).to.deep.equal(asked.map(({ username }) => username));
        expect(found[0]).to.not.equal(found[20]);
        expect(found[0]?.date_joined).to.not.equal(found[20]?.date_joined);
      });
      expect(statements).to.have.length(1);
    });

    it('has the values that pg gives', async () => {
      const user = await users.create_user({ username: 'valued', is_staff: true, email: 'v@x.org' });
      const { rows } = await database.knex.raw<{ rows: object[] }>('SELECT * FROM auth_user WHERE id = ?', [user.id]);
      for (let plan = 0; plan < 3; plan += 1) {
        expect({ ...rows[0], ...(await users.get_by_id(user.id)) }).to.deep.equal({
          ...(await users.get_by_id(user.id)),
          ...rows[0],
        });
      }
    });

    it('is the same after a migration of Django’s, on every connection', async () => {
      const user = await users.create_user({ username: 'migrated', last_name: 'Kept' });
      const everywhere = async (): Promise<void> => {
        const found = await Promise.all(Array.from({ length: 8 }, () => users.get_by_id(user.id)));
        for (const each of found) expect(each?.last_name).to.equal('Kept');
      };
      await everywhere();
      await database.knex.raw(
        'ALTER TABLE auth_user ALTER COLUMN last_name TYPE text, ALTER COLUMN username TYPE varchar(200)',
      );
      try {
        await everywhere();
        await everywhere();
      } finally {
        await database.knex.raw(
          'ALTER TABLE auth_user ALTER COLUMN last_name TYPE varchar(150), ALTER COLUMN username TYPE varchar(150)',
        );
      }
    });
  });

  it('is unavailable, not empty, while nothing listens at the address of the database', async () => {
    const knex = connectKnex('postgres://nobody@127.0.0.1:1/nothing', { connect_timeout: 1 });
    const away = new UserTable(knex);
    for (const ask of [away.get_by_id('1'), away.get_by_natural_key('alice'), away.create_user({ username: 'x' })]) {
      const error = await ask.catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(StoreUnavailable);
    }
    await knex.destroy();
  });
});

describe('normalize_email', () => {
  it('lowers the domain only', () => {
    expect(normalize_email('A.B@C.ORG')).to.equal('A.B@c.org');
    expect(normalize_email(' a@b@C.org ')).to.equal('a@b@c.org');
    expect(normalize_email('nobody')).to.equal('nobody');
    expect(normalize_email('')).to.equal('');
  });
});

describe('AnonymousUser', () => {
  it('is nobody', () => {
    expect({ ...new AnonymousUser() }).to.deep.equal({
      is_authenticated: false,
      is_anonymous: true,
      id: null,
      username: '',
      is_active: false,
      is_staff: false,
      is_superuser: false,
    });
  });
});
