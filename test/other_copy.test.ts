/** Two copies of the package in one process: the application's, and one that another package has brought. */
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import Koa, { type Context } from 'koa';
import { Deadline } from '../server/db/deadline.js';
import * as errors from '../server/errors.js';
import {
  authenticate,
  authentication,
  exceptions,
  ImproperlyConfigured,
  LiveSessions,
  login,
  MessageFailure,
  ModelBackend,
  make_password,
  messages,
  requestDeadline,
  type SessionStore,
  SignatureExpired,
  StoreUnavailable,
  sessions,
  UpdateError,
  UserTable,
  ValueError,
} from '../server/index.js';
import { Message } from '../server/messages/index.js';
import { MemoryStore } from '../server/session/stores/memory.js';
import { Client } from '../server/testing/index.js';
import { settings } from './http/serve.js';
import { databaseOfSuite, type SuiteDatabase } from './support/database.js';
import { compiled } from './support/programs.js';
import { reasonOf } from './support/reason.js';

type Package = typeof import('../server/index.js');
type Stores = Pick<typeof import('../server/session/stores/signed_cookies.js'), 'SignedCookiesStore'> &
  Pick<typeof import('../server/session/stores/db.js'), 'DatabaseStore'> &
  Pick<typeof import('../server/session/stores/memory.js'), 'MemoryStore'>;

const copyOf = (file: string): Promise<object> => import(pathToFileURL(compiled(file)).href);

describe('another copy of the package', () => {
  const quiet = { logger: { warn() {}, error() {} } };
  let other: Package & Stores;
  let database: SuiteDatabase;
  database = databaseOfSuite();
  before(async () => {
    const stores = ['db', 'memory', 'signed_cookies'].map((name) => `server/session/stores/${name}.ts`);
    const files = ['server/index.ts', ...stores];
    other = Object.assign({}, ...(await Promise.all(files.map(copyOf)))) as typeof other;
    expect(other.UpdateError).to.not.equal(UpdateError);
  });

  /** What a visitor is told by an application with this store. */
  async function pageOf(store: SessionStore, handler: Koa.Middleware): Promise<object> {
    const app = new Koa();
    app.silent = true;
    app.use(sessions(app, { settings: settings(), store }));
    app.use(exceptions(quiet));
    const backends = [new ModelBackend(new UserTable(database.knex, { settings: settings() }))];
    app.use(authentication(app, { settings: settings(), backends }));
    app.use(handler);
    const visitor = new Client(app);
    await visitor.get('/first');
    const { status, headers, text } = await visitor.get('/');
    return { status, text, retry: headers['retry-after'] };
  }

  it('may bring the store of the sessions: users are looked up within the deadline that it has made', async () => {
    const password = await make_password('white rabbit');
    await new UserTable(database.knex, { settings: settings() }).create_user({ username: 'ann', password });
    const deadlines = new Set<Deadline>();
    const page = await pageOf(new other.DatabaseStore(database.knex), async (ctx) => {
      deadlines.add(requestDeadline(ctx));
      const user = await authenticate(ctx, { username: 'ann', password: 'white rabbit' });
      if (user !== null) await login(ctx, user);
      deadlines.add(requestDeadline(ctx));
      ctx.body = ctx.user.is_authenticated && ctx.user.get_username();
    });
    expect(page).to.deep.equal({ status: 200, text: 'ann', retry: undefined });
    expect(deadlines.size).to.equal(2);
    for (const deadline of deadlines) {
      expect(Object.getPrototypeOf(deadline)).to.not.equal(Deadline.prototype);
      expect(deadline.left()).to.be.below(deadline.total * 1000);
    }
  });

  it('may end a session while a request of it runs: 400', async () => {
    const store = new other.MemoryStore();
    const page = await pageOf(store, async (ctx) => {
      ctx.session['visits'] = ctx.path;
      if (ctx.path === '/') await store.delete(ctx.session.session_key ?? '');
      ctx.body = 'visited';
    });
    expect(page).to.have.property('status', 400);
    expect(page)
      .to.have.property('text')
      .that.matches(/^The request's session was deleted/);
  });

  it('may have a store that does not answer: 503', async () => {
    class Away extends other.MemoryStore {
      override async create(): Promise<void> {
        throw new other.StoreUnavailable('Away.');
      }
    }
    const page = await pageOf(new Away(), async (ctx) => {
      ctx.session['visits'] = 1;
      await ctx.session.save();
    });
    expect(page).to.deep.include({ status: 503, retry: '5' });
  });

  it('may mark a text as HTML', () => {
    expect(new Message(20, other.mark_safe('<b>Saved.</b>')).safe).to.equal(true);
  });

  it('may bring the hasher, with a number of iterations', async () => {
    const hasher = new other.PBKDF2SHA1PasswordHasher();
    expect(await make_password('white rabbit', { hasher, iterations: 2 })).to.match(/^pbkdf2_sha1\$2\$/);
  });

  it('may bring the engine that LiveSessions refuses', () => {
    const store = new other.SignedCookiesStore(settings());
    expect(() => new LiveSessions({ settings: settings(), store })).to.throw(ImproperlyConfigured, 'signed_cookies');
  });

  it('has errors of the same classes, each by its name', () => {
    const classesOf = (error: object, all: object): string[] =>
      Object.entries(all).flatMap(([name, each]) => (error instanceof each ? [name] : []));
    const own = Object.entries(errors);
    expect(own).to.have.length.greaterThan(15);
    const theirs = Object.fromEntries(own.map(([name]) => [name, other[name as keyof typeof errors]]));
    for (const [name, { prototype }] of own) {
      const classes = classesOf(Object.create(prototype), errors);
      expect(classes).to.include(name);
      expect(classesOf(Object.create(prototype), theirs)).to.deep.equal(classes);
      expect(classesOf(Object.create(theirs[name]?.prototype ?? null), errors)).to.deep.equal(classes);
    }
    expect(new other.SignatureExpired('Late.')).to.be.instanceOf(errors.BadSignature);
    expect(new other.BadSignature('Wrong.')).to.not.be.instanceOf(SignatureExpired);
  });

  it('has none of the classes that an application derives', () => {
    class Full extends StoreUnavailable {}
    expect(new Full('Full.')).to.be.instanceOf(Full).and.instanceOf(other.StoreUnavailable);
    for (const error of [new other.StoreUnavailable('Away.'), new StoreUnavailable('Away.')]) {
      expect(error).to.not.be.instanceOf(Full);
    }
    for (const none of [new Error('Away.'), { ...new StoreUnavailable('Away.') }, 'Away.', null, undefined, () => {}]) {
      expect(none instanceof StoreUnavailable).to.equal(false);
    }
  });

  describe('whose functions are called for a request of ours', () => {
    let ctx: Context;
    const fromOther = /It is mounted by another copy of koa-django-session, .* `npm ls koa-django-session`/;
    before(async () => {
      await pageOf(new MemoryStore(), (current) => {
        ctx = current as Context;
      });
    });

    it('says so, instead of only that nothing is mounted', async () => {
      expect(await reasonOf(other.commitSession(ctx)))
        .to.be.instanceOf(ImproperlyConfigured)
        .with.property('message')
        .that.matches(fromOther);
      expect(await reasonOf(other.logout(ctx)))
        .to.be.instanceOf(ImproperlyConfigured)
        .with.property('message')
        .that.matches(fromOther);
    });

    it('says nothing of copies where there is none', async () => {
      const bare = new Koa().createContext(ctx.req, ctx.res) as Context;
      const reasons = [await reasonOf(other.commitSession(bare)), await reasonOf(other.logout(bare))];
      for (const reason of reasons) expect(reason).to.have.property('message').that.does.not.match(/copy/);
      expect(() => messages.info(ctx, 'Saved.'))
        .to.throw(MessageFailure)
        .with.property('message')
        .that.does.not.match(/copy/);
    });
  });

  it('does not make a deadline of something else', async () => {
    const users = new UserTable(database.knex, { settings: settings() });
    for (const none of [{ left: () => 1 }, 5, new Date()]) {
      const reason = await reasonOf(users.get_by_natural_key('ann', none as unknown as Deadline));
      expect(reason).to.be.instanceOf(ValueError);
    }
  });
});
