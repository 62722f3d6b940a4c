/** The test client against applications as others write them, at every kind of engine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import Koa from 'koa';
import mount from 'koa-mount';
import {
  acceptCaptcha,
  authentication,
  exceptions,
  formBody,
  ImproperlyConfigured,
  login_required,
  ModelBackend,
  PBKDF2PasswordHasher,
  type SessionStore,
  type Settings,
  sessions,
  type User,
  UserTable,
  ValueError,
} from '../../server/index.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { FileStore } from '../../server/session/stores/file.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import { Client, MemoryStore, testClock } from '../../server/testing/index.js';
import { NOW, settings } from '../http/serve.js';
import { ALICE, addUsers, BOB } from '../site/visitor.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { reasonOf } from '../support/reason.js';

let database: TestDatabase;
let alice: User;
let bob: User;
const folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-client-'));
const clock = testClock(NOW);

before(async () => {
  database = await testDatabase();
  [alice, bob] = (await addUsers(database.knex)) as [User, User];
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await database.drop();
});
beforeEach(() => {
  clock.now = NOW;
});

const modelBackends = (): ModelBackend[] => [
  new ModelBackend(new UserTable(database.knex), { hashers: [new PBKDF2PasswordHasher({ iterations: 1000 })] }),
];

/** /count counts, /me tells who asks, /members is for members, POST / echoes a form, /captcha takes an answer. */
function shop(given: Settings, store: SessionStore): Koa {
  const app = new Koa();
  const backends = modelBackends();
  app.use(sessions(app, { settings: given, store, now: clock }));
  app.use(exceptions());
  app.use(formBody({ settings: given }));
  app.use(authentication(app, { settings: given, backends, now: clock }));
  app.use(async (ctx, next) => {
    if (ctx.path === '/members') return login_required()(ctx, next);
    if (ctx.path === '/count') ctx.session['count'] = Number(ctx.session.get('count', 0)) + 1;
    if (ctx.path === '/captcha') {
      ctx.body = await acceptCaptcha(ctx.session, ctx.request.POST.get('answer') ?? '', {
        settings: given,
        now: clock(),
      });
    } else ctx.body = { count: ctx.session.get('count'), me: ctx.user.is_authenticated ? ctx.user.id : null };
  });
  return app;
}

const given = settings({ SESSION_FILE_PATH: folder });
const engines: Readonly<Record<string, () => SessionStore>> = {
  db: () => new DatabaseStore(database.knex, { now: clock }),
  memory: () => new MemoryStore({ now: clock }),
  file: () => new FileStore(given, { now: clock }),
  signed_cookies: () => new SignedCookiesStore(given, { now: clock }),
};

for (const [engine, open] of Object.entries(engines)) {
  describe(`a test client at engine ${engine}`, () => {
    let client: Client;
    beforeEach(() => {
      const store = open();
      client = new Client(shop(given, store), { settings: given, store, now: clock });
    });

    it('keeps the session of its visitor', async () => {
      await client.get('/count');
      expect((await client.get('/count')).json()).to.deep.include({ count: 2 });
      expect(client.cookies.keys()).to.deep.equal(['sessionid']);
      expect((await client.session())['count']).to.equal(2);
    });

    it('plants values in a session that is there, and in a new one', async () => {
      const fresh = await client.session();
      expect([fresh.session_key, client.cookies.size]).to.deep.equal([null, 0]);
      fresh['count'] = 41;
      await fresh.save();
      expect((await client.get('/count')).json()).to.deep.include({ count: 42 });
      const session = await client.session();
      session['count'] = 6;
      await session.save();
      expect((await client.get('/count')).json()).to.deep.include({ count: 7 });
      await (await client.session()).atomic((row) => row.set('count', 8));
      expect((await client.get('/count')).json()).to.deep.include({ count: 9 });
    });

    it('logs users in without a password, under a new key; the visitor keeps the data, another user does not', async () => {
      await client.get('/count');
      const before = client.cookies.get('sessionid');
      await client.force_login(alice);
      expect(client.cookies.get('sessionid')).not.to.equal(before);
      expect((await client.get('/')).json()).to.deep.equal({ count: 1, me: alice.id });
      await client.force_login(alice);
      expect((await client.get('/')).json()).to.deep.equal({ count: 1, me: alice.id });
      await client.force_login(bob);
      expect((await client.get('/')).json()).to.deep.equal({ count: null, me: bob.id });
    });

    it('logs in whom the backends know, and out', async () => {
      expect(await client.login({ ...ALICE, password: 'wrong' })).to.equal(false);
      expect(client.cookies.size).to.equal(0);
      expect(await client.login(BOB)).to.equal(true);
      expect((await client.get('/')).json()).to.deep.include({ me: bob.id });
      await client.logout();
      expect(client.cookies.size).to.equal(0);
      expect((await client.get('/')).json()).to.deep.include({ me: null });
    });

    it('plants the answer of a captcha, which counts once, for ten minutes', async () => {
      const answer = await client.plantCaptcha();
      expect((await client.post('/captcha', { answer })).text).to.equal('true');
      expect((await client.post('/captcha', { answer })).text).to.equal('false');
      expect(await client.plantCaptcha('ACE')).to.equal('ACE');
      clock.advance(601);
      expect((await client.post('/captcha', { answer: 'ACE' })).text).to.equal('false');
    });

    it('forgets the session when its time is over', async () => {
      await client.get('/count');
      clock.advance(given.SESSION_COOKIE_AGE);
      expect(client.cookies.size).to.equal(0);
      expect((await client.get('/count')).json()).to.deep.include({ count: 1 });
    });
  });
}

describe('a test client', () => {
  it('works with sessions below a prefix, whose users it is told of', async () => {
    const below = settings({ SESSION_COOKIE_PATH: '/shop' });
    const store = new DatabaseStore(database.knex, { now: clock });
    const app = new Koa();
    app.use(mount('/shop', shop(below, store)));
    const backends = modelBackends();
    const client = new Client(app, { settings: below, store, now: clock, backends });
    expect(await client.login(ALICE)).to.equal(true);
    expect((await client.get('/shop/count')).json()).to.deep.equal({ count: 1, me: alice.id });
    expect((await client.session())['count']).to.equal(1);
    expect(client.cookies.header('/', false)).to.equal('');
    await client.logout();
    await client.force_login(bob);
    expect((await client.get('/shop/')).json()).to.deep.equal({ count: null, me: bob.id });
  });

  it('works with two sessions in one browser', async () => {
    const [store, staff] = [new MemoryStore({ now: clock }), new MemoryStore({ now: clock })];
    const forStaff = settings({ SESSION_COOKIE_NAME: 'staffid' });
    const app = shop(given, store);
    const inner = shop(forStaff, staff);
    const outer = new Koa();
    outer.use(mount('/staff', inner));
    outer.use(mount('/', app));
    const backends = modelBackends();
    const client = new Client(outer, { settings: given, store, now: clock, backends });
    const asStaff = new Client(outer, {
      settings: forStaff,
      store: staff,
      now: clock,
      backends,
      cookies: client.cookies,
    });
    await client.force_login(alice);
    await asStaff.force_login(bob);
    expect(client.cookies.keys()).to.deep.equal(['sessionid', 'staffid']);
    expect((await client.get('/')).json()).to.deep.include({ me: alice.id });
    expect((await client.get('/staff/')).json()).to.deep.include({ me: bob.id });
  });

  it('goes where redirects lead, and stays on its host', async () => {
    const app = new Koa();
    app.use(formBody({ settings: given }));
    app.use((ctx) => {
      if (ctx.path === '/303') ctx.status = 303;
      if (ctx.get('content-type') !== '') ctx.set('X-Type', ctx.get('content-type'));
      if (ctx.path === '/307') ctx.status = 307;
      if (/^\/30/.test(ctx.path)) return ctx.redirect(`/to?from=${ctx.path}`);
      if (ctx.path === '/away') return ctx.redirect('https://elsewhere.example/');
      if (ctx.path === '/round') return ctx.redirect('round');
      ctx.body = `${ctx.method} ${ctx.url} ${ctx.request.POST?.get('a') ?? ''}`;
      return undefined;
    });
    const client = new Client(app);
    expect((await client.get('/302')).headers['location']).to.equal('/to?from=/302');
    const response = await client.post('/303', { a: 'b' }, { follow: true });
    expect(response.text).to.equal('GET /to?from=/303 ');
    expect(response.redirect_chain).to.deep.equal([['/to?from=/303', 303]]);
    expect((await client.post('/307', { a: 'b' }, { follow: true })).text).to.equal('POST /to?from=/307 b');
    const asJson = { content_type: 'application/json', follow: true };
    expect((await client.post('/303', { a: 'b' }, asJson)).headers['x-type']).to.equal(undefined);
    expect((await client.post('/307', { a: 'b' }, asJson)).headers['x-type']).to.equal('application/json');
    expect((await client.get('/away', { follow: true })).status).to.equal(302);
    const round = await client.get('/round', { follow: true }).catch((error: Error) => error.message);
    expect(round).to.equal('/round: more than 20 redirects.');
  });

  it('sends forms, files, JSON, texts and bytes', async () => {
    const app = new Koa();
    app.use(formBody({ settings: given }));
    app.use(async (ctx) => {
      const form = /form/.test(ctx.get('content-type'));
      const { POST, FILES } = ctx.request;
      ctx.body = form
        ? { POST: [...POST.lists()], files: [...FILES.keys()].map((name) => FILES.get(name)?.name) }
        : { type: ctx.get('content-type'), text: (await ctx.req.toArray()).join('') };
    });
    const client = new Client(app);
    const said = async (data: object | string, content_type?: string): Promise<unknown> =>
      (await client.put('/', data, content_type === undefined ? {} : { content_type })).json();
    expect((await client.post('/', { a: 'ä&b', c: ['1', 2] })).json()).to.deep.equal({
      POST: [
        ['a', ['ä&b']],
        ['c', ['1', '2']],
      ],
      files: [],
    });
    const form = new FormData();
    form.set('a', '1');
    form.set('file', new Blob(['text']), 'a.txt');
    expect((await client.post('/', form)).json()).to.deep.equal({ POST: [['a', ['1']]], files: ['a.txt'] });
    expect(await said({ a: 1 }, 'application/json')).to.deep.equal({ type: 'application/json', text: '{"a":1}' });
    expect(await said('<a/>', 'text/xml')).to.deep.equal({ type: 'text/xml', text: '<a/>' });
    expect(await said(Buffer.from('abc'))).to.deep.equal({ type: 'application/octet-stream', text: 'abc' });
  });

  it('refuses what would be sent as something else than it is, and says what to give', async () => {
    const client = new Client(new Koa());
    const given: readonly (readonly [unknown, string | undefined, string])[] = [
      [{ a: null }, undefined, 'field "a"'],
      [{ a: undefined }, undefined, 'field "a"'],
      [{ a: { b: 1 } }, undefined, 'JSON'],
      [{ a: new File(['text'], 'a.txt') }, undefined, 'FormData'],
      [null, undefined, 'plain object'],
      [[1, 2], undefined, 'plain object'],
      [new Map([['a', '1']]), undefined, 'plain object'],
      [new Blob(['text']), undefined, 'plain object'],
      [new ReadableStream(), undefined, 'plain object'],
      [{ a: 1 }, 'text/xml', 'text/xml'],
      [{ a: 1 }, 'multipart/form-data', 'FormData'],
    ];
    for (const [data, content_type, word] of given) {
      const request = content_type === undefined ? {} : { content_type };
      const reason = await reasonOf(client.post('/', data as object, request));
      expect(reason, word).to.be.instanceOf(ValueError).with.property('message').that.includes(word);
    }
    for (const [path, word] of [
      ['cart', 'from the root'],
      ['', 'from the root'],
      ['/ü', 'encodeURI'],
      ['/a b', 'encodeURI'],
    ] as const) {
      const reason = await reasonOf(client.get(path));
      expect(reason, path).to.be.instanceOf(ValueError).with.property('message').that.includes(word);
    }
  });

  it('sends JSON where a header says so, and a multipart form with its boundary', async () => {
    const app = new Koa();
    app.use(async (ctx) => {
      ctx.body = { type: ctx.get('content-type'), text: (await ctx.req.toArray()).join('') };
    });
    const headers = { 'Content-Type': 'application/json' };
    const json = { type: 'application/json', text: '{"a":1}' };
    expect((await new Client(app).post('/', { a: 1 }, { headers })).json()).to.deep.equal(json);
    expect((await new Client(app, { headers }).post('/', { a: 1 })).json()).to.deep.equal(json);
    const form = new FormData();
    form.set('a', '1');
    const { type, text } = (
      await new Client(app).post('/', form, { content_type: 'multipart/form-data' })
    ).json() as Record<'type' | 'text', string>;
    expect(text.startsWith(`--${/boundary=(.+)/.exec(type)?.[1]}`)).to.equal(true);
  });

  it('says what it has not been given', async () => {
    const app = new Koa();
    const client = new Client(app);
    for (const call of [
      () => client.session(),
      () => client.force_login(alice, 'a.Backend'),
      () => client.plantCaptcha(),
    ]) {
      const error = await call().catch((reason: unknown) => reason);
      expect(error)
        .to.be.instanceOf(ImproperlyConfigured)
        .with.property('message')
        .that.includes('`settings` and `store`');
    }
    expect(await client.login(ALICE).catch((error: Error) => error.message)).to.include('authentication(app, …)');
    const plain = { id: 7, password: 'x', is_authenticated: true, get_username: () => 'a' } as const;
    expect(await client.force_login(plain).catch((error: Error) => error.message)).to.include('`backends`');
  });
});
