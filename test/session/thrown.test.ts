/** What the session leaves on an error that passes through it, and what it does not. */
import { expect } from 'chai';
import Koa from 'koa';
import { exceptions, securityHeaders } from '../../server/http/index.js';
import { sessions } from '../../server/session/middleware.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { type Answer, type Portless, portless, settings } from '../http/serve.js';
import { databaseOfSuite, type SuiteDatabase } from '../support/database.js';

/** How an application answers what is thrown: middleware outside and inside of sessions. */
interface Handling {
  readonly outside: readonly Koa.Middleware[];
  readonly inside: readonly Koa.Middleware[];
}

const quiet = { logger: { warn() {}, error() {} } };

/** As applications write it. */
async function ownHandler(ctx: Koa.Context, next: Koa.Next): Promise<void> {
  try {
    await next();
  } catch (error) {
    const thrown = error as { status?: number; message?: string; headers?: Record<string, string> };
    ctx.status = thrown.status ?? 500;
    ctx.set(thrown.headers ?? {});
    ctx.body = `own: ${thrown.message}`;
  }
}

/** One that drops everything that was set before it answers. */
async function clearingHandler(ctx: Koa.Context, next: Koa.Next): Promise<void> {
  try {
    await next();
  } catch {
    for (const name of ctx.res.getHeaderNames()) ctx.res.removeHeader(name);
    ctx.status = 404;
    ctx.body = { error: 'not found' };
  }
}

const HANDLINGS: Readonly<Record<string, Handling>> = {
  "Koa's own handler": { outside: [], inside: [] },
  'a handler of the application outside': { outside: [ownHandler], inside: [] },
  'a handler outside that clears the headers': { outside: [clearingHandler], inside: [] },
  'exceptions inside': { outside: [], inside: [exceptions(quiet)] },
  'exceptions outside': { outside: [exceptions(quiet)], inside: [] },
  'exceptions on both sides': { outside: [exceptions(quiet)], inside: [exceptions(quiet)] },
  'securityHeaders outside': { outside: [securityHeaders()], inside: [] },
};

const error404 = (): Error => Object.assign(new Error('no such page'), { status: 404, expose: true });

let database: SuiteDatabase;
let server: Portless;

async function start({ outside, inside }: Handling, handle: Koa.Middleware): Promise<void> {
  const app = new Koa();
  for (const middleware of outside) app.use(middleware);
  app.use(sessions(app, { settings: settings(), store: new DatabaseStore(database.knex) }));
  for (const middleware of inside) app.use(middleware);
  app.use(handle);
  server = portless(app);
}

const keyOf = ({ set_cookie }: Answer): string | undefined =>
  set_cookie.map((line) => /^sessionid=([a-z0-9]{32});/.exec(line)?.[1]).find((key) => key !== undefined);

const rowCount = async (): Promise<number> => Number((await database.knex('django_session').count())[0]?.['count']);

/** A handler that counts a visitor's visits and then throws what `error` gives. */
const counting =
  (error: (ctx: Koa.Context) => unknown): Koa.Middleware =>
  async (ctx) => {
    if (ctx.path === '/quiet') throw error(ctx);
    ctx.session.set('visits', Number(ctx.session.get('visits', 0)) + 1);
    throw await error(ctx);
  };

describe('an error that passes through sessions', () => {
  database = databaseOfSuite();
  beforeEach(async () => {
    await database.knex('django_session').delete();
  });

  for (const [name, handling] of Object.entries(HANDLINGS)) {
    describe(`with ${name}`, () => {
      it('carries no cookie to another visitor who is thrown the same error', async () => {
        const constant = error404();
        await start(
          handling,
          counting(() => constant),
        );
        const first = await server.ask({ path: '/' });
        expect(keyOf(first), 'the first visitor').to.be.a('string');
        const stranger = await server.ask({ path: '/quiet' });
        expect(stranger.status).to.equal(404);
        expect(stranger.set_cookie).to.deep.equal([]);
        const second = await server.ask({ path: '/' });
        expect(keyOf(second), 'the second visitor').to.be.a('string').and.not.equal(keyOf(first));
        expect(Object.keys(constant)).to.deep.equal(['status', 'expose']);
      });

      it('gives each of two visitors who wait for one look-up their own cookie', async () => {
        const keys = new Set<string | undefined>();
        for (let round = 0; round < 5; round += 1) {
          let waiting = 0;
          let fail = (_: Error): void => {};
          const lookUp = new Promise<never>((_, reject) => {
            fail = reject;
          });
          lookUp.catch(() => {});
          await start(handling, async (ctx) => {
            ctx.session.set('who', ctx.query['who']);
            waiting += 1;
            if (waiting === 2) fail(error404());
            await lookUp;
          });
          const answers = await Promise.all(['ann', 'bob'].map((who) => server.ask({ path: `/?who=${who}` })));
          for (const answer of answers) {
            expect(answer.set_cookie).to.have.length(1);
            keys.add(keyOf(answer));
          }
        }
        expect(keys.size).to.equal(10);
      });

      it('keeps the change and sends the cookie, once, with the row that the cookie names', async () => {
        await start(handling, counting(error404));
        const first = await server.ask();
        const key = keyOf(first);
        expect(first.status).to.equal(404);
        expect(first.set_cookie).to.have.length(1);
        expect(first.headers.vary).to.match(/\bCookie\b/);
        const rows = await database.knex('django_session').pluck<string[]>('session_key');
        expect(rows).to.deep.equal([key]);
        const again = await server.ask({ headers: { cookie: `sessionid=${key}` } });
        expect(keyOf(again)).to.equal(key);
        expect(await rowCount()).to.equal(1);
      });

      it('saves nothing and sends no cookie when it names no status', async () => {
        await start(
          handling,
          counting(() => new Error('broken')),
        );
        const answer = await server.ask();
        expect(answer.status).to.be.at.least(400);
        expect(answer.set_cookie).to.deep.equal([]);
        expect(await rowCount()).to.equal(0);
      });
    });
  }

  describe('reaches a handler outside as it was', () => {
    class NotFound extends Error {
      readonly status = 404;
    }

    const odd: Readonly<Record<string, () => unknown>> = {
      'of a class of the application': () => new NotFound('x', { cause: 'y' }),
      frozen: () => Object.freeze(error404()),
      'whose headers are a getter': () =>
        Object.defineProperty(error404(), 'headers', {
          get: () => ({ 'X-Own': '1' }),
        }),
      'with a getter that throws': () =>
        Object.defineProperty(new Error('x'), 'status', {
          get: () => {
            throw new Error('hands off');
          },
        }),
      'that is a text': () => 'text',
      'that is null': () => null,
    };

    for (const [name, make] of Object.entries(odd)) {
      for (const [where, outside] of [
        ['', []],
        [', securityHeaders between', [securityHeaders()]],
      ] as const) {
        it(`when it is one ${name}${where}`, async () => {
          const thrown = make();
          const caught: unknown[] = [];
          const before = Object.getOwnPropertyDescriptors(Object(thrown));
          const catching: Koa.Middleware = async (ctx, next) => {
            try {
              await next();
            } catch (error) {
              caught.push(error);
              ctx.body = 'caught';
            }
          };
          await start({ outside: [catching, ...outside], inside: [] }, (ctx) => {
            ctx.session.set('a', 1);
            throw thrown;
          });
          const answer = await server.ask();
          expect(caught).to.have.length(1);
          expect(caught[0]).to.equal(thrown);
          expect(Object.getOwnPropertyDescriptors(Object(caught[0]))).to.deep.equal(before);
          // Nothing is decided for the application: a body without a status is 200.
          expect([answer.status, answer.text]).to.deep.equal([200, 'caught']);
        });
      }
    }
  });

  it('is Django’s 400 where the request deletes the row that it has made', async () => {
    await start(HANDLINGS['exceptions inside'] as Handling, async (ctx) => {
      await ctx.session.create();
      await ctx.session.delete();
      ctx.body = 'ok';
    });
    const answer = await server.ask();
    expect([answer.status, answer.set_cookie, await rowCount()]).to.deep.equal([400, [], 0]);
  });

  it('may name its status as Koa and http-errors read it', async () => {
    await start(
      HANDLINGS['exceptions inside'] as Handling,
      counting(() => Object.assign(new Error('x'), { statusCode: 410 })),
    );
    const answer = await server.ask();
    expect([answer.status, keyOf(answer) === undefined]).to.deep.equal([410, false]);
  });
});
