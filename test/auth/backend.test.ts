import { expect } from 'chai';
import { ModelBackend } from '../../server/auth/backend.js';
import {
  Argon2PasswordHasher,
  make_password,
  type PasswordHashers,
  PBKDF2PasswordHasher,
} from '../../server/auth/hashers.js';
import { UserTable } from '../../server/auth/users.js';
import { databaseOfSuite } from '../support/database.js';

const ITERATIONS = 60_000;

/** Counts the iterations, which are the time. */
class Counting extends PBKDF2PasswordHasher {
  spent = 0;
  override async encode(password: string, salt: string, iterations = this.iterations): Promise<string> {
    this.spent += iterations;
    return super.encode(password, salt, iterations);
  }
}

describe('ModelBackend', () => {
  const database = databaseOfSuite();
  let users: UserTable;
  const hasher = new Counting({ iterations: ITERATIONS });
  const hashers: PasswordHashers = [
    hasher,
    new Argon2PasswordHasher({ time_cost: 1, memory_cost: 64, parallelism: 1 }),
  ];
  let backend: ModelBackend;

  before(async () => {
    users = new UserTable(database.knex);
    backend = new ModelBackend(users, { hashers });
    const strong = await make_password('secret', { hashers });
    const weak = await make_password('secret', { iterations: 1000 });
    await users.create_user({ username: 'alice', password: strong });
    await users.create_user({ username: 'weak', password: weak });
    await users.create_user({ username: 'inactive', password: strong, is_active: false });
    await users.create_user({ username: 'inactive and weak', password: weak, is_active: false });
    await users.create_user({ username: 'unusable' });
    await users.create_user({ username: 'malformed', password: 'pbkdf2_sha256$9999999999999$a' });
    await users.create_user({
      username: 'quick',
      password: await make_password('secret', { hasher: 'argon2', hashers }),
    });
  });

  it('has the path that Django writes into sessions', () => {
    expect(backend.path).to.equal('django.contrib.auth.backends.ModelBackend');
  });

  it('knows a user by name and password, whatever the hash', async () => {
    for (const username of ['alice', 'weak', 'quick']) {
      expect((await backend.authenticate({ username, password: 'secret' }))?.username).to.equal(username);
    }
  });

  describe('costs the iterations of one new hash', () => {
    for (const [username, password] of [
      ['nobody', 'secret'],
      ['nul\0', 'secret'],
      ['alice', 'wrong'],
      ['alice', '\ud800'],
      ['weak', 'wrong'],
      ['inactive', 'wrong'],
      ['inactive', 'secret'],
      ['inactive and weak', 'wrong'],
      ['unusable', 'secret'],
      ['malformed', 'secret'],
    ] as const) {
      it(`for ${JSON.stringify(username)} with ${JSON.stringify(password)}`, async () => {
        hasher.spent = 0;
        expect(await backend.authenticate({ username, password })).to.equal(null);
        expect(hasher.spent).to.equal(ITERATIONS);
      });
    }

    it('and for an inactive account with a weak hash, though the password is right', async () => {
      hasher.spent = 0;
      expect(await backend.authenticate({ username: 'inactive and weak', password: 'secret' })).to.equal(null);
      expect(hasher.spent).to.equal(ITERATIONS);
    });
  });

  it('knows nobody without a name and a password', async () => {
    for (const credentials of [{}, { username: 'alice' }, { password: 'secret' }, { username: null, password: null }]) {
      expect(await backend.authenticate(credentials)).to.equal(null);
    }
  });

  it('gives the user of a session, unless inactive or gone', async () => {
    const id = async (username: string): Promise<string> => String((await users.get_by_natural_key(username))?.id);
    expect((await backend.get_user(await id('alice')))?.username).to.equal('alice');
    expect(await backend.get_user(await id('inactive'))).to.equal(null);
    expect(await backend.get_user('2000000000')).to.equal(null);
    expect(await backend.get_user('abc')).to.equal(null);
  });

  it('never changes the stored password', async () => {
    const before = (await users.get_by_natural_key('weak'))?.password;
    await backend.authenticate({ username: 'weak', password: 'secret' });
    expect((await users.get_by_natural_key('weak'))?.password).to.equal(before);
  });
});
