/** One request has one bound, whichever tables its page asks. */
import { expect } from 'chai';
import type { Knex } from 'knex';
import { AddressThrottle, LoginThrottle } from '../../server/auth/index.js';
import { connectKnex } from '../../server/db/knex.js';
import { databaseBounds } from '../../server/db/wait_bounds.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import { FaultProxy } from '../fire/fault_proxy.js';
import { databaseOfSuite } from '../support/database.js';
import { ALICE, addUsers, BOB, makeSite, SECRET_KEY, type SiteChoices, type TestSite, Visitor } from './visitor.js';

/** DATABASE_TIMEOUT, in seconds. */
const timeout = 0.5;
const settings = { SECRET_KEY };
const BOUND = databaseBounds(timeout).request * 1000;
/** Milliseconds, nearly the timeout of one statement. */
const SLOW = 450;

describe('a page on a slow database asks no more than it can wait for', () => {
  const database = databaseOfSuite();
  let proxy: FaultProxy;
  let knex: Knex;
  let sent: string[] = [];
  const note = ({ sql }: { readonly sql: string }): void => {
    sent.push(sql);
  };

  before(async () => {
    await addUsers(database.knex);
    proxy = await FaultProxy.start(database.url);
    knex = connectKnex(proxy.url, { connect_timeout: 30, statement_timeout: 30 });
    knex.on('query', note);
  });
  beforeEach(async () => {
    for (const table of ['django_session', 'koa_login_attempts', 'koa_user_sessions'])
      await database.knex(table).delete();
  });
  afterEach(() => proxy.mend());
  after(async () => {
    await knex?.destroy();
    await proxy?.close();
  });

  const open = (choices: SiteChoices = {}): TestSite =>
    makeSite(knex, {
      settings: { LOGIN_CAPTCHA: 'off' },
      throttle: new LoginThrottle(knex, { settings, timeout }),
      timeout,
      ...choices,
    });
  const signedCookies: NonNullable<SiteChoices['store']> = (settings, now) => new SignedCookiesStore(settings, { now });

  async function loggedIn(site: TestSite, user = ALICE): Promise<Visitor> {
    const visitor = new Visitor(site);
    expect((await visitor.post('/login/', user)).status).to.equal(302);
    // Writes who was seen.
    await visitor.get('/sessions/');
    return visitor;
  }

  /** A request sends one statement after the other, each of which takes `delay` or more of its bound. */
  async function expectInTime(
    visitor: Visitor,
    path: string,
    { fields, delay = SLOW }: { readonly fields?: object; readonly delay?: number } = {},
  ): Promise<void> {
    const csrfmiddlewaretoken = await visitor.token();
    sent = [];
    proxy.delay = delay;
    const { status } =
      fields === undefined ? await visitor.get(path) : await visitor.postRaw(path, { csrfmiddlewaretoken, ...fields });
    expect(sent).to.have.lengthOf.at.most(Math.ceil(BOUND / delay));
    expect(status).to.equal(503);
  }

  it('at a login', async () => {
    const site = open();
    await loggedIn(site);
    await expectInTime(new Visitor(site), '/login/', { fields: ALICE, delay: 175 });
  });

  it('at a login with a captcha, for which it sends ten statements', async () => {
    const site = open({ settings: { LOGIN_CAPTCHA: 'always' } });
    expect((await new Visitor(site).logIn(ALICE)).status).to.equal(302);
    const visitor = new Visitor(site);
    const [captcha, csrfmiddlewaretoken] = [await visitor.solved(), await visitor.token()];
    sent = [];
    const { status } = await visitor.postRaw('/login/', { csrfmiddlewaretoken, ...ALICE, captcha });
    expect(status).to.equal(302);
    // A login is noted in the list of sessions by a timer, a quarter of a second after its request.
    expect(sent.filter((sql) => !sql.includes('koa_user_sessions'))).to.have.lengthOf(10);
    const another = new Visitor(site);
    await expectInTime(another, '/login/', { fields: { ...ALICE, captcha: await another.solved() }, delay: 275 });
  });

  it('at a login of a user who is logged in already', async () => {
    await expectInTime(await loggedIn(open()), '/login/', { fields: ALICE });
  });

  it('at a login with an engine of sessions that has no bound', async () => {
    const site = open({ store: signedCookies });
    expect((await new Visitor(site).post('/login/', ALICE)).status).to.equal(302);
    await expectInTime(new Visitor(site), '/login/', { fields: ALICE });
  });

  it('at a failed login, when the form counts failures', async () => {
    const site = open({ settings: { LOGIN_CAPTCHA: 'after_failures' } });
    await loggedIn(site);
    await expectInTime(new Visitor(site), '/login/', { fields: { ...ALICE, password: 'wrong' } });
  });

  it('at a picture too many', async () => {
    const limited = (name: string): AddressThrottle =>
      new AddressThrottle(knex, { settings, name, limit: { free: 1, healsIn: 3600 }, timeout });
    const visitor = new Visitor(open({ captchas: { new_session: limited('new'), session: limited('known') } }));
    for (const status of [200, 200, 429]) expect((await visitor.get('/captcha/')).status).to.equal(status);
    await expectInTime(visitor, '/captcha/', { delay: 1000 });
  });

  it('at a new password', async () => {
    const fields = { old_password: BOB.password, new_password1: 'correct horse', new_password2: 'correct horse' };
    await expectInTime(await loggedIn(open(), BOB), '/password/', { fields });
  });

  it('at the list of sessions', async () => {
    await expectInTime(await loggedIn(open()), '/sessions/');
  });

  it('when all other sessions are to end', async () => {
    const site = open();
    const visitor = await loggedIn(site);
    for (let other = 0; other < 5; other += 1) await loggedIn(site);
    await expectInTime(visitor, '/sessions/', { fields: {}, delay: 200 });
  });

  it('among the goods', async () => {
    await expectInTime(await loggedIn(open()), '/goods/1/');
  });
});
