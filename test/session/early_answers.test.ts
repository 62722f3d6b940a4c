/** Answers that begin before the session middleware is back: handlers that write by themselves, streams, renderers. */
import { request as httpRequest } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { expect } from 'chai';
import Koa from 'koa';
import { authentication, type BaseUser, login, ModelBackend, UserTable } from '../../server/auth/index.js';
import { acceptCaptcha, keepCaptcha } from '../../server/captcha/index.js';
import { csrf } from '../../server/csrf/index.js';
import { ValueError } from '../../server/errors.js';
import { exceptions } from '../../server/http/index.js';
import { SessionCodec } from '../../server/session/codec.js';
import { commitSession, type SessionRecord, sessions } from '../../server/session/index.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import { Client } from '../../server/testing/index.js';
import { until } from '../fire/until.js';
import { type Answer, closeServers, type Server, serve, settings } from '../http/serve.js';
import { databaseOfSuite, type SuiteDatabase } from '../support/database.js';
import { reasonOf } from '../support/reason.js';

/** How a handler begins its answer; `after` runs when the head is out. */
type Begin = (ctx: Koa.Context, after: () => unknown) => unknown;

const BEGINNINGS: Readonly<Record<string, Begin>> = {
  'res.end': async (ctx, after) => {
    ctx.respond = false;
    ctx.res.statusCode = 200;
    ctx.res.write('o');
    await after();
    ctx.res.end('k');
  },
  'res.writeHead as a proxy calls it': async (ctx, after) => {
    ctx.respond = false;
    ctx.res.writeHead(200, {
      'Content-Type': 'text/plain',
      'Set-Cookie': ['theirs=1; Path=/'],
      Vary: 'Accept-Encoding',
    });
    await after();
    ctx.res.end('ok');
  },
  'ctx.flushHeaders and a stream as body': async (ctx, after) => {
    ctx.status = 200;
    ctx.flushHeaders();
    await after();
    ctx.body = Readable.from(['o', 'k']);
  },
  'an event stream': async (ctx, after) => {
    ctx.type = 'text/event-stream';
    const stream = new PassThrough();
    ctx.status = 200;
    ctx.flushHeaders();
    ctx.body = stream;
    await after();
    stream.end('ok');
  },
};

let database: SuiteDatabase;
let server: Server;
let errors: unknown[];
let warnings: string[];

const KEY = 'k'.repeat(32);
const COOKIE = { cookie: `sessionid=${KEY}` };

/** Requests whose middleware is back; their answers may have been there before. */
let handled: Promise<void>[];

async function start(
  handle: Koa.Middleware,
  more: (app: Koa) => readonly Koa.Middleware[] = () => [],
  store = new DatabaseStore(database.knex),
): Promise<void> {
  const app = new Koa();
  app.on('error', (error) => errors.push(error));
  app.use((_ctx, next) => {
    const work = next();
    handled.push(work.catch(() => {}));
    return work;
  });
  app.use(
    sessions(app, {
      settings: settings(),
      store,
      logger: { warn: (_: object, message: string) => warnings.push(message) },
    }),
  );
  for (const middleware of more(app)) app.use(middleware);
  app.use(handle);
  server = await serve(app);
}

const rows = async (): Promise<Record<string, unknown>> => {
  await Promise.all(handled);
  const codec = new SessionCodec(settings());
  const found = await database.knex('django_session').select<{ session_key: string; session_data: string }[]>();
  return Object.fromEntries(
    found.map(({ session_key, session_data }) => [session_key, JSON.parse(codec.decode(session_data) ?? 'null')]),
  );
};

const sessionCookies = ({ set_cookie }: Answer): readonly string[] =>
  set_cookie.filter((line) => line.startsWith('sessionid='));

async function expectWhole(answer: Answer): Promise<void> {
  await Promise.all(handled);
  expect([answer.status, answer.text]).to.deep.equal([200, 'ok']);
  expect(errors).to.deep.equal([]);
}

describe('an answer that begins before sessions is back', () => {
  database = databaseOfSuite();
  beforeEach(async () => {
    errors = [];
    warnings = [];
    handled = [];
    await database.knex('django_session').delete();
    await database.knex('django_session').insert({
      session_key: KEY,
      session_data: new SessionCodec(settings()).encode('{"a": 1}'),
      expire_date: new Date(Date.now() + 3_600_000),
    });
  });
  afterEach(closeServers);

  for (const [name, begin] of Object.entries(BEGINNINGS)) {
    describe(`by ${name}`, () => {
      it('varies on the cookie when the session was read before', async () => {
        await start(async (ctx) => {
          const value = ctx.session.get('a');
          await begin(ctx, () => expect(value).to.equal(1));
        });
        const answer = await server.ask({ headers: COOKIE });
        await expectWhole(answer);
        expect(answer.headers.vary).to.match(/\bCookie$/);
        expect(sessionCookies(answer)).to.deep.equal([]);
        expect(warnings).to.deep.equal([]);
      });

      it('is whole when the session is only read afterwards', async () => {
        await start((ctx) => begin(ctx, () => ctx.session.get('a')));
        await expectWhole(await server.ask({ headers: COOKIE }));
        await expectWhole(await server.ask());
        expect(warnings).to.deep.equal([]);
      });

      it('deletes the cookie of a session that is gone, where that is known in time', async () => {
        await start(async (ctx) => {
          if (ctx.path === '/before') ctx.session.get('a');
          await begin(ctx, () => ctx.session.get('a'));
        });
        const gone = { cookie: `sessionid=${'g'.repeat(32)}` };
        const before = await server.ask({ path: '/before', headers: gone });
        await expectWhole(before);
        expect(sessionCookies(before)[0]).to.match(/^sessionid=""; expires=Thu, 01 Jan 1970/);
        expect(before.headers.vary).to.match(/\bCookie$/);
        const after = await server.ask({ path: '/after', headers: gone });
        await expectWhole(after);
        expect(sessionCookies(after)).to.deep.equal([]);
      });

      it('keeps what was changed before, and sends the cookie', async () => {
        await start(async (ctx) => {
          ctx.session['b'] = 2;
          await begin(ctx, () => {});
        });
        const answer = await server.ask({ headers: COOKIE });
        await expectWhole(answer);
        expect(sessionCookies(answer)).to.have.length(1);
        expect(sessionCookies(answer)[0]).to.match(new RegExp(`^sessionid=${KEY}; expires=.*Max-Age=1209600`));
        expect(await rows()).to.deep.equal({ [KEY]: { a: 1, b: 2 } });
      });

      it('keeps what is changed afterwards in a session that has a row', async () => {
        await start((ctx) =>
          begin(ctx, () => {
            ctx.session['b'] = 2;
          }),
        );
        await expectWhole(await server.ask({ headers: COOKIE }));
        expect(await rows()).to.deep.equal({ [KEY]: { a: 1, b: 2 } });
        expect(warnings).to.deep.equal([]);
      });

      for (const when of ['before', 'afterwards']) {
        it(`leaves no row of a new session that is begun ${when}, and says once what to call`, async () => {
          await database.knex('django_session').delete();
          await start(async (ctx) => {
            const change = (): void => {
              ctx.session['b'] = 2;
              ctx.session['c'] = 3;
            };
            if (when === 'before') change();
            await begin(ctx, when === 'before' ? () => {} : change);
          });
          const answer = await server.ask();
          await expectWhole(answer);
          expect(sessionCookies(answer)).to.deep.equal([]);
          expect(await rows()).to.deep.equal({});
          expect(warnings).to.have.length(1);
          expect(warnings[0]).to.contain('await commitSession(ctx)');
        });
      }

      it('keeps a new session that is committed before, and what changes after that', async () => {
        await database.knex('django_session').delete();
        await start(async (ctx) => {
          ctx.session['b'] = 2;
          await commitSession(ctx);
          await begin(ctx, () => {
            ctx.session['c'] = 3;
          });
        });
        const answer = await server.ask();
        await expectWhole(answer);
        expect(sessionCookies(answer)).to.have.length(1);
        const key = /^sessionid=([a-z0-9]{32})/.exec(sessionCookies(answer)[0] ?? '')?.[1] ?? '';
        expect(await rows()).to.deep.equal({ [key]: { b: 2, c: 3 } });
        expect(warnings).to.deep.equal([]);
      });

      it('sends the cookie of a key that was taken before', async () => {
        await start(async (ctx) => {
          await ctx.session.cycle_key();
          ctx.session['b'] = 2;
          await begin(ctx, () => {});
        });
        const answer = await server.ask({ headers: COOKIE });
        await expectWhole(answer);
        const key = /^sessionid=([a-z0-9]{32})/.exec(sessionCookies(answer)[0] ?? '')?.[1] ?? '';
        expect(key).not.to.equal(KEY);
        expect(await rows()).to.deep.equal({ [key]: { a: 1, b: 2 } });
      });

      for (const call of ['cycle_key', 'create'] as const) {
        it(`refuses ${call} afterwards with a sentence, and the session stays`, async () => {
          const refused: string[] = [];
          await start((ctx) =>
            begin(ctx, async () => {
              try {
                await ctx.session[call]();
              } catch (error) {
                refused.push((error as Error).message);
              }
            }),
          );
          await expectWhole(await server.ask({ headers: COOKIE }));
          expect(refused).to.have.length(1);
          expect(refused[0]).to.contain('commitSession');
          expect(await rows()).to.deep.equal({ [KEY]: { a: 1 } });
        });
      }

      it('ends the session by flush afterwards', async () => {
        await start((ctx) => begin(ctx, () => ctx.session.flush()));
        await expectWhole(await server.ask({ headers: COOKIE }));
        expect(await rows()).to.deep.equal({});
      });

      it('looks at the user and asks for a CSRF token in peace', async () => {
        const users = new UserTable(database.knex);
        await start(
          async (ctx) => {
            const token = ctx.csrf_token;
            await begin(ctx, () => {
              expect(token).to.have.length(64);
              expect(ctx.user.is_authenticated).to.equal(false);
              expect(ctx.csrf_token).to.have.length(64);
            });
          },
          (app) => [
            exceptions({ logger: { warn() {}, error: (details) => errors.push(details) } }),
            csrf(app, { settings: settings() }),
            authentication(app, { settings: settings(), backends: [new ModelBackend(users)] }),
          ],
        );
        const answer = await server.ask({ headers: COOKIE });
        await expectWhole(answer);
        expect(answer.set_cookie.filter((line) => line.startsWith('csrftoken='))).to.have.length(1);
      });
    });
  }

  it('refuses a CSRF token whose cookie cannot be sent any more', async () => {
    const refused: string[] = [];
    await start(
      async (ctx) => {
        ctx.status = 200;
        ctx.flushHeaders();
        try {
          ctx.csrf_token;
        } catch (error) {
          refused.push((error as Error).message);
        }
        ctx.body = Readable.from(['ok']);
      },
      (app) => [csrf(app, { settings: settings() })],
    );
    await expectWhole(await server.ask());
    expect(refused).to.have.length(1);
    expect(refused[0]).to.contain('before that');
  });

  it('saves nothing of a handler that has answered with 500', async () => {
    await start((ctx) => {
      ctx.session['b'] = 2;
      ctx.respond = false;
      ctx.res.writeHead(500).end('broken');
    });
    const answer = await server.ask({ headers: COOKIE });
    expect([answer.status, sessionCookies(answer)]).to.deep.equal([500, []]);
    expect(await rows()).to.deep.equal({ [KEY]: { a: 1 } });
  });

  it('saves what a handler changed that writes when all middleware is back', async () => {
    await start((ctx) => {
      ctx.session['b'] = 2;
      ctx.respond = false;
      setImmediate(() => ctx.res.writeHead(200, { 'Set-Cookie': 'theirs=1' }).end('ok'));
    });
    const answer = await server.ask({ headers: COOKIE });
    await expectWhole(answer);
    expect(await rows()).to.deep.equal({ [KEY]: { a: 1, b: 2 } });
  });

  describe('by somebody to whom the handler gave it, and whom nobody waits for', () => {
    /** Writes the head a while after all middleware is back, as a proxy whose upstream answers then. */
    const late = (ctx: Koa.Context, write: () => void): void => {
      ctx.respond = false;
      void Promise.all(handled.slice(-1)).then(() => setImmediate(write));
    };

    for (const [name, head] of [
      [
        'setHeader',
        (ctx: Koa.Context) => {
          ctx.res.setHeader('Set-Cookie', ['theirs=1']);
          ctx.res.setHeader('Vary', 'Accept-Encoding');
        },
      ],
      [
        'writeHead',
        (ctx: Koa.Context) => ctx.res.writeHead(200, { 'Set-Cookie': ['theirs=1'], Vary: 'Accept-Encoding' }),
      ],
    ] as const) {
      const write = (ctx: Koa.Context) => () => {
        ctx.res.statusCode = 200;
        head(ctx);
        ctx.res.end('ok');
      };

      it(`sends a login's cookies and Vary, whatever their ${name} overwrites`, async () => {
        const users = new UserTable(database.knex);
        const user = await users.create_user({ username: `late ${name}`, password: '!' });
        await start(
          async (ctx) => {
            await login(ctx, user);
            if (ctx.path === '/committed') await commitSession(ctx);
            late(ctx, write(ctx));
          },
          (app) => [
            csrf(app, { settings: settings() }),
            authentication(app, { settings: settings(), backends: [new ModelBackend(users)] }),
          ],
        );
        for (const path of ['/', '/committed']) {
          const answer = await server.ask({ path });
          await expectWhole(answer);
          const names = answer.set_cookie.map((line) => line.split('=', 1)[0]);
          expect(names).to.have.members(['theirs', 'sessionid', 'csrftoken']);
          expect(answer.headers.vary).to.equal('Accept-Encoding, Cookie');
          const key = /^sessionid=([a-z0-9]{32})/.exec(sessionCookies(answer)[0] ?? '')?.[1] ?? '';
          expect((await rows())[key]).to.include({ _auth_user_id: String(user.id) });
        }
        expect(warnings).to.deep.equal([]);
      });

      it(`varies on the cookie when the session was only read, before or while they write by ${name}`, async () => {
        await start((ctx) => {
          if (ctx.path === '/before') ctx.session.get('a');
          late(ctx, () => {
            if (ctx.path === '/meanwhile') ctx.session.get('a');
            write(ctx)();
          });
        });
        for (const path of ['/before', '/meanwhile']) {
          const answer = await server.ask({ path, headers: COOKIE });
          await expectWhole(answer);
          expect(answer.headers.vary, path).to.equal('Accept-Encoding, Cookie');
        }
      });
    }

    it('keeps what changes until the answer is over', async () => {
      await start((ctx) =>
        late(ctx, () => {
          ctx.session['b'] = 2;
          ctx.res.writeHead(200).end('ok');
        }),
      );
      await expectWhole(await server.ask({ headers: COOKIE }));
      const isKept = async (): Promise<true | undefined> => ('b' in ((await rows())[KEY] as object) ? true : undefined);
      await until(isKept, { seconds: 60, what: () => 'the change in the row' });
    });

    it('says what to call when a session is begun then', async () => {
      await start((ctx) =>
        late(ctx, () => {
          ctx.session['b'] = 2;
          ctx.res.writeHead(200).end('ok');
        }),
      );
      await expectWhole(await server.ask());
      await until(() => warnings[0], { seconds: 60, what: () => 'the warning' });
      expect(warnings[0]).to.contain('await commitSession(ctx)');
      expect(Object.keys(await rows())).to.deep.equal([KEY]);
    });
  });

  for (const [name, more] of [
    ["Koa's own error handler", () => []],
    ['exceptions outside', () => [exceptions({ logger: { warn() {}, error: () => {} } })]],
  ] as const) {
    it(`is cut, and its stream destroyed, when the save at the end fails, with ${name}`, async () => {
      const stream = new PassThrough();
      class EndedElsewhere extends DatabaseStore {
        override async replace(): Promise<boolean> {
          await database.knex('django_session').delete();
          return false;
        }
      }
      const app = new Koa();
      app.on('error', () => {});
      for (const middleware of more()) app.use(middleware);
      app.use(sessions(app, { settings: settings(), store: new EndedElsewhere(database.knex) }));
      app.use((ctx) => {
        ctx.status = 200;
        ctx.flushHeaders();
        ctx.session['b'] = 2;
        ctx.body = stream;
      });
      server = await serve(app);
      const ended = await new Promise<string>((resolve) => {
        const request = httpRequest({ host: '127.0.0.1', port: server.port, headers: COOKIE, agent: false });
        request.on('response', (response) => {
          response
            .on('error', () => resolve('cut'))
            .on('end', () => resolve('whole'))
            .resume();
        });
        request.on('error', () => resolve('cut'));
        request.end();
      });
      expect([ended, stream.destroyed]).to.deep.equal(['cut', true]);
    });
  }

  it('saves what is changed while a commit runs', async () => {
    await start(async (ctx) => {
      ctx.session['b'] = 2;
      const committing = commitSession(ctx);
      // The row is being written then.
      await new Promise((resolve) => setImmediate(resolve));
      ctx.session['c'] = 3;
      await committing;
      ctx.body = 'ok';
    });
    await expectWhole(await server.ask({ headers: COOKIE }));
    expect(await rows()).to.deep.equal({ [KEY]: { a: 1, b: 2, c: 3 } });
  });

  for (const microtasks of [0, 1, 2, 3, 4]) {
    it(`saves what is changed ${microtasks} microtasks after a commit that has nothing to save began`, async () => {
      await start(async (ctx) => {
        ctx.session.get('a');
        const committing = commitSession(ctx);
        for (let n = 0; n < microtasks; n += 1) await undefined;
        ctx.session['c'] = 3;
        await committing;
        ctx.body = 'ok';
      });
      await expectWhole(await server.ask({ headers: COOKIE }));
      expect(await rows()).to.deep.equal({ [KEY]: { a: 1, c: 3 } });
    });
  }

  it('gives a new session one row when it is committed twice at once', async () => {
    await database.knex('django_session').delete();
    await start(async (ctx) => {
      ctx.session['b'] = 2;
      await Promise.all([commitSession(ctx), commitSession(ctx)]);
      ctx.body = 'ok';
    });
    const answer = await server.ask();
    await expectWhole(answer);
    expect(Object.values(await rows())).to.deep.equal([{ b: 2 }]);
    expect(sessionCookies(answer)).to.have.length(1);
  });

  describe('a body that is a stream and fails while the session is being saved', () => {
    it('is an error of this request, not the end of the process, and the session is kept', async () => {
      const stream = new PassThrough();
      class FailingMeanwhile extends DatabaseStore {
        override async create(record: SessionRecord): Promise<void> {
          stream.destroy(new Error('the file is gone'));
          await new Promise((resolve) => stream.once('close', resolve));
          await super.create(record);
        }
      }
      await start(
        (ctx) => {
          ctx.session['b'] = 2;
          ctx.body = stream;
        },
        () => [],
        new FailingMeanwhile(database.knex),
      );
      const answer = await server.ask();
      expect(answer.status).to.equal(500);
      expect(errors.map((error) => (error as Error).message)).to.deep.equal(['the file is gone']);
      const key = /^sessionid=([a-z0-9]{32})/.exec(sessionCookies(answer)[0] ?? '')?.[1] ?? '';
      expect((await rows())[key]).to.deep.equal({ b: 2 });
    });
  });

  it('is cut when an error comes too late to be told, and the next request is served', async () => {
    await start((ctx) => {
      ctx.session.get('a');
      if (ctx.path === '/ok') {
        ctx.body = 'ok';
        return;
      }
      ctx.respond = false;
      ctx.res.writeHead(200);
      ctx.res.write('o');
      ctx.res.destroy();
      throw new Error('too late');
    });
    await new Promise<void>((resolve) => {
      const request = httpRequest({ host: '127.0.0.1', port: server.port, path: '/', headers: COOKIE, agent: false });
      request.on('response', (response) => response.on('error', () => resolve()).resume());
      request.on('error', () => resolve());
      request.end();
    });
    expect((await server.ask({ path: '/ok', headers: COOKIE })).text).to.equal('ok');
  });

  it('needs no response at all, as the context of a WebSocket has none', async () => {
    const app = new Koa();
    const middleware = sessions(app, { settings: settings(), store: new DatabaseStore(database.knex) });
    const context = app.createContext(
      { headers: COOKIE, url: '/', method: 'GET' } as never,
      undefined as never,
    ) as unknown as Koa.Context;
    const seen: unknown[] = [];
    await exceptions()(context as never, () =>
      middleware(context as never, async () => {
        seen.push(context.session.get('a'));
        context.session['b'] = 2;
      }),
    );
    expect(seen).to.deep.equal([1]);
    expect(await rows()).to.deep.equal({ [KEY]: { a: 1, b: 2 } });
  });

  it('a login that comes too late says so, and nobody is logged in', async () => {
    const users = new UserTable(database.knex);
    const user = await users.create_user({ username: 'late', password: '!' });
    await start(
      async (ctx) => {
        ctx.respond = false;
        ctx.res.writeHead(200);
        try {
          await login(ctx, user);
        } catch (error) {
          errors.push((error as Error).message);
        }
        ctx.res.end('ok');
      },
      (app) => [authentication(app, { settings: settings(), backends: [new ModelBackend(users)] })],
    );
    await server.ask({ headers: COOKIE });
    expect(errors).to.have.length(1);
    expect(String(errors[0])).to.contain('before the answer begins');
    expect(await rows()).to.deep.equal({ [KEY]: { a: 1 } });
  });
});

describe('An answer that has begun, with engine signed_cookies', () => {
  const given = settings();
  const DEEDS: Readonly<Record<string, (ctx: Koa.Context) => Promise<unknown>>> = {
    save: (ctx) => ctx.session.save(),
    atomic: (ctx) => ctx.session.atomic((fresh) => fresh.set('n', 2)),
    flush: (ctx) => ctx.session.flush(),
    cycle_key: (ctx) => ctx.session.cycle_key(),
    acceptCaptcha: (ctx) => acceptCaptcha(ctx.session, 'ACE235', { settings: given, now: 1_800_000_000 }),
  };

  for (const [name, deed] of Object.entries(DEEDS)) {
    it(`refuses ${name}, whose cookie cannot be sent any more`, async () => {
      const app = new Koa();
      let reason: unknown;
      app.use(sessions(app, { settings: given, store: new SignedCookiesStore(given), logger: { warn: () => {} } }));
      app.use(async (ctx) => {
        if (ctx.path === '/begin') {
          ctx.session.set('n', 1);
          keepCaptcha(ctx.session, 'ACE235', { settings: given, now: 1_800_000_000 });
        }
        if (ctx.path === '/late') {
          ctx.flushHeaders();
          reason = await reasonOf(deed(ctx));
        }
        ctx.body = String(ctx.session.get('n'));
      });
      const client = new Client(app);
      await client.get('/begin');
      await client.get('/late');
      expect(reason).to.be.instanceOf(ValueError).and.have.property('message').that.includes('The answer has begun');
      expect((await client.get('/')).text).to.equal('1');
    });
  }

  it('forgets the session of another password at once, and renews no hash, without an error', async () => {
    let password = 'pbkdf2_sha256$1$salt$first';
    const user = (): BaseUser => ({ id: 1, password, is_authenticated: true, get_username: () => 'ann' });
    const backend = { path: 'own.Backend', authenticate: async () => user(), get_user: async () => user() };
    const site = (keys: Parameters<typeof settings>[0]): Koa => {
      const app = new Koa();
      const own = settings(keys);
      app.use(sessions(app, { settings: own, store: new SignedCookiesStore(own), logger: { warn: () => {} } }));
      authentication(app, { settings: own, backends: [backend] });
      app.use(async (ctx) => {
        if (ctx.path === '/login') {
          ctx.session.set('secret', 1);
          await login(ctx, user());
        } else ctx.flushHeaders();
        const { id } = await ctx.request.auser();
        ctx.body = `${id} ${ctx.session.get('secret')}`;
      });
      return app;
    };
    const client = new Client(site({}));
    await client.get('/login');
    const rotated = { SECRET_KEY: 'a new key', SECRET_KEY_FALLBACKS: [given.SECRET_KEY] };
    const renewing = new Client(site(rotated), { cookies: client.cookies });
    expect((await renewing.get('/')).text).to.equal('1 1');
    password = 'pbkdf2_sha256$1$salt$second';
    expect((await client.get('/')).text).to.equal('null null');
  });
});
