/** A save after the handlers that the store does not take: a 503 that says when to try again. */
import { expect } from 'chai';
import Koa from 'koa';
import { StoreUnavailable } from '../../server/errors.js';
import { exceptions } from '../../server/http/index.js';
import { sessions } from '../../server/session/middleware.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { Client } from '../../server/testing/index.js';
import { settings } from '../http/serve.js';

class FailingStore extends MemoryStore {
  override async create(): Promise<void> {
    throw new StoreUnavailable('Away.');
  }
}

describe('A save that fails after the handlers', () => {
  const quiet = { logger: { warn: () => {}, error: () => {} } };

  for (const [where, outermost, inside, seconds] of [
    ['by Koa itself', undefined, undefined, '5'],
    ['with exceptions inside', undefined, exceptions({ ...quiet, retry_after: 9 }), '5'],
    ['with exceptions outermost too', exceptions({ ...quiet, retry_after: 7 }), exceptions(quiet), '7'],
  ] as const) {
    it(`is a 503 with Retry-After, ${where}`, async () => {
      const app = new Koa();
      app.silent = true;
      if (outermost !== undefined) app.use(outermost);
      app.use(sessions(app, { settings: settings(), store: new FailingStore() }));
      if (inside !== undefined) app.use(inside);
      app.use((ctx) => {
        ctx.session.set('cart', 1);
        ctx.body = 'saved';
      });
      const answer = await new Client(app).get('/', { headers: { accept: 'application/json' } });
      expect([answer.status, answer.headers['retry-after']]).to.deep.equal([503, seconds]);
      expect(answer.headers['set-cookie']).to.equal(undefined);
      if (outermost !== undefined) expect(answer.json()).to.have.property('status', 503);
    });
  }
});

describe('A write that the store does not take', () => {
  /** Fails where it is told to, after `good` writes. */
  class BreakingStore extends MemoryStore {
    broken: 'replace' | 'delete' | 'load' | undefined;

    #expect(what: string): void {
      if (this.broken === what) throw new StoreUnavailable('Away.');
    }
    override async load(...given: Parameters<MemoryStore['load']>): Promise<string | null> {
      this.#expect('load');
      return super.load(...given);
    }
    override async replace(...given: Parameters<MemoryStore['replace']>): Promise<boolean> {
      this.#expect('replace');
      return super.replace(...given);
    }
    override async delete(...given: Parameters<MemoryStore['delete']>): Promise<void> {
      this.#expect('delete');
      return super.delete(...given);
    }
  }

  let store: BreakingStore;
  let client: Client;
  let handler: (ctx: Koa.Context) => Promise<void>;

  beforeEach(async () => {
    store = new BreakingStore();
    const app = new Koa();
    app.silent = true;
    app.use(exceptions({ logger: { warn: () => {}, error: () => {} } }));
    app.use(sessions(app, { settings: settings(), store }));
    app.use((ctx) => handler(ctx));
    client = new Client(app);
    handler = async (ctx) => {
      ctx.session.update({ n: 1, user: 'ann' });
      ctx.body = 'ok';
    };
    await client.get('/');
  });

  const shown = async (): Promise<unknown> => {
    store.broken = undefined;
    handler = async (ctx) => {
      ctx.body = ctx.session.toJSON();
    };
    return (await client.get('/')).json();
  };

  it('after a login: the 503 has the cookie of the new key, because the old row is gone', async () => {
    handler = async (ctx) => {
      await ctx.session.cycle_key({ values: { user: 'bob' } });
      store.broken = 'replace';
      ctx.session.set('n', 2);
      ctx.body = 'ok';
    };
    const before = client.cookies.get('sessionid');
    const answer = await client.get('/');
    expect(answer.status).to.equal(503);
    expect(client.cookies.get('sessionid')).to.not.equal(before);
    expect(await shown()).to.deep.equal({ n: 1, user: 'bob' });
  });

  for (const isRead of [true, false]) {
    it(`at a logout ${isRead ? 'after' : 'before'} the session was read, whose error is caught: what is set then is saved into the row that stayed`, async () => {
      handler = async (ctx) => {
        if (isRead) ctx.session.get('n');
        store.broken = 'delete';
        await ctx.session.flush().catch(() => {});
        store.broken = undefined;
        ctx.session.set('sorry', true);
        ctx.body = 'ok';
      };
      expect((await client.get('/')).status).to.equal(200);
      expect(await shown()).to.deep.equal({ sorry: true });
    });
  }

  it('at a logout whose session could not be read either: 503, and the row stays as it is', async () => {
    handler = async (ctx) => {
      store.broken = 'delete';
      await ctx.session.flush().catch(() => {});
      ctx.session.set('sorry', true);
      ctx.body = 'ok';
    };
    store.broken = 'load';
    expect((await client.get('/')).status).to.equal(503);
    expect(await shown()).to.deep.equal({ n: 1, user: 'ann' });
  });
});
