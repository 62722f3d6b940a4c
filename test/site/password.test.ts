/** `/password/`: a new password, by Django's rules. */
import { expect } from 'chai';
import { make_password, ScryptPasswordHasher } from '../../server/auth/hashers.js';
import { LoginThrottle } from '../../server/auth/index.js';
import { UserTable } from '../../server/auth/users.js';
import { databaseOfSuite } from '../support/database.js';
import { ALICE, countSessions, makeSite, SECRET_KEY, type TestSite, Visitor } from './visitor.js';

const NEW = 'correct horse battery staple';

describe('the password', () => {
  const database = databaseOfSuite();
  let site: TestSite;
  let visitor: Visitor;

  before(() => {
    site = makeSite(database.knex, {
      throttle: new LoginThrottle(database.knex, { settings: { SECRET_KEY } }),
    });
  });
  beforeEach(async () => {
    for (const table of ['django_session', 'auth_user', 'koa_login_attempts']) await database.knex(table).delete();
    // Of little work, so that a test does not wait for it; and not the first of the hashers.
    const password = await make_password(ALICE.password, {
      hasher: new ScryptPasswordHasher({ work_factor: 2 ** 10 }),
    });
    const names = { first_name: 'Alice', last_name: 'Liddell', email: 'alice@wonderland.example' };
    await new UserTable(database.knex).create_user({ username: ALICE.username, password, ...names });
    visitor = new Visitor(site);
    await visitor.logIn(ALICE);
  });

  const change = (old_password: string, new_password1: string, new_password2 = new_password1) =>
    visitor.post('/password/', { old_password, new_password1, new_password2 });
  const stored = async (): Promise<string> => (await database.knex('auth_user').first('password'))?.password;

  it('is changed: this session stays, the others end with their rows, and the algorithm is the same', async () => {
    const other = new Visitor(site);
    await other.logIn(ALICE);
    const { cookies } = visitor;
    const before = cookies.get('sessionid');
    const answer = await change(ALICE.password, NEW);
    expect([answer.status, answer.headers.location]).to.deep.equal([302, '/sessions/']);
    expect((await visitor.get('/sessions/')).text).to.include('The password is changed.');
    expect([cookies.get('sessionid') === before, await countSessions(database.knex)]).to.deep.equal([false, 1]);
    expect([(await visitor.me()).user?.username, (await other.me()).user]).to.deep.equal(['alice', null]);
    expect(await stored()).to.match(/^scrypt\$/);
    const again = new Visitor(site);
    await again.logIn({ ...ALICE, password: NEW });
    expect((await again.me()).user?.username).to.equal('alice');
  });

  const refusals: readonly (readonly [string, Parameters<typeof change>, string])[] = [
    ['the old one is wrong', ['wrong', NEW, NEW], 'This is not your password.'],
    ['the old one is empty', ['', NEW, NEW], 'This is not your password.'],
    ['the new ones differ', [ALICE.password, NEW, `${NEW}r`], 'The two new passwords are not the same.'],
    ['it is empty', [ALICE.password, '', ''], 'Please type a password of 1 to 4096 characters.'],
    ['it is very long', [ALICE.password, 'x1'.repeat(2049), 'x1'.repeat(2049)], 'Please type a password of 1 to 4096'],
    ['it holds a NUL', [ALICE.password, `${NEW}\0`, `${NEW}\0`], 'Please type a password of 1 to 4096 characters.'],
    ['it is short', [ALICE.password, 'k3#', 'k3#'], 'It is too short: it needs 8 characters or more.'],
    ['it is common', [ALICE.password, 'Password1', 'Password1'], 'Too many people use this one'],
    ['it is a number', [ALICE.password, '7391046825', '7391046825'], 'It has nothing but digits.'],
    ['it is like the name', [ALICE.password, 'liddell1', 'liddell1'], 'It is too much like your last name.'],
    ['it is like the email', [ALICE.password, 'Wonderland7', 'Wonderland7'], 'It is too much like your email address.'],
  ];
  for (const [what, given, sentence] of refusals) {
    it(`stays when ${what}, and the page says so`, async () => {
      const before = await stored();
      const answer = await change(...given);
      expect([answer.status, answer.text.includes(sentence)]).to.deep.equal([200, true]);
      expect(answer.text).to.not.include('value="correct');
      expect(await stored()).to.equal(before);
    });
  }

  it('is hashed with as many iterations as before, or Django would hash it anew at the next login and end all sessions', async () => {
    const password = await make_password(ALICE.password, { hasher: 'pbkdf2_sha256', iterations: 650_000 });
    await database.knex('auth_user').update({ password });
    await visitor.logIn(ALICE);
    expect((await change(ALICE.password, NEW)).status).to.equal(302);
    expect(await stored()).to.match(/^pbkdf2_sha256\$650000\$/);
  });

  it('says everything that is wrong, in the language of the page', async () => {
    const fields = { old_password: ALICE.password, new_password1: '123456', new_password2: '123456' };
    const { text } = await visitor.post('/password/', fields, { headers: { 'Accept-Language': 'zh' } });
    expect(text).to.include('太短了').and.include('别人最先猜的就是它').and.include('全是数字');
  });

  it('cannot be guessed here without end', async () => {
    const statuses: number[] = [];
    for (let guess = 0; guess < 7; guess += 1) statuses.push((await change('wrong', NEW)).status);
    expect(statuses.at(0)).to.equal(200);
    expect(statuses.at(-1)).to.equal(429);
  });
});
