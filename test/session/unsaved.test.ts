/** A list changed in place is not saved, as in Django, and development is told so. */
import { expect } from 'chai';
import Koa from 'koa';
import { SessionCodec } from '../../server/session/codec.js';
import { newSessionKey } from '../../server/session/key.js';
import { type SessionsOptions, sessions } from '../../server/session/middleware.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import type { Settings } from '../../server/settings.js';
import { portless, settings } from '../http/serve.js';

const JSON_TEXT = '{"cart":[1.0,{"a":[]}],"other":{"x":1},"n":1}';

describe('a value changed in place', () => {
  const store = new MemoryStore();
  const codec = new SessionCodec(settings());
  let warned: [object, string][];
  let session_key: string;

  beforeEach(async () => {
    warned = [];
    session_key = newSessionKey();
    const session_data = codec.encode(JSON_TEXT);
    await store.create({ session_key, session_data, expire_date: new Date(Date.now() + 1e6) });
  });

  /** What the row holds after a request that did this. */
  async function rowAfter(
    handler: Koa.Middleware,
    options: Partial<SessionsOptions> = {},
    { env = 'development', ...more }: { env?: string } & { readonly [Name in keyof Settings]?: unknown } = {},
  ): Promise<string | null> {
    const app = new Koa({ env });
    const logger = { warn: (details: object, message: string) => warned.push([details, message]) };
    app.use(sessions(app, { settings: settings(more), store, logger, ...options }));
    app.use(async (ctx, next) => {
      ctx.body = 'done';
      await handler(ctx, next);
    });
    await portless(app).ask({ headers: { Cookie: `sessionid=${session_key}` } });
    return codec.decode((await store.load(session_key)) ?? '');
  }
  const push: Koa.Middleware = (ctx) => {
    (ctx.session.get('cart') as unknown[]).push('a secret value');
  };

  it('is not saved, and one warning says what to write, naming the key and no value', async () => {
    expect(await rowAfter(push)).to.equal(JSON_TEXT);
    expect(warned).to.deep.equal([
      [
        { logger: 'koa_django_session.unsaved' },
        'session["cart"] was changed in place, which saves nothing, as in Django: the change is lost. Write session.modified = true after it, or session.set("cart", value).',
      ],
    ]);
  });

  it('is told of once a request, however many and however deep', async () => {
    await rowAfter((ctx) => {
      (ctx.session['other'] as { x: number }).x = 2;
      (ctx.session['cart'] as [unknown, { a: number[] }])[1].a.push(1);
    });
    expect(warned.map(([, message]) => message.split(' was ')[0])).to.deep.equal(['session["other"] (and 1 more)']);
  });

  it('is saved, without a warning, after session.modified = true, or with anything else that is saved', async () => {
    const saved = '{"cart":[1,{"a":[]},"a secret value"],"other":{"x":1},"n":1}';
    expect(
      await rowAfter(async (ctx, next) => {
        await push(ctx, next);
        ctx.session.modified = true;
      }),
    ).to.equal(saved);
    expect(
      await rowAfter(async (ctx) => {
        (ctx.session.get('cart') as unknown[]).push(2);
        ctx.session['n'] = 2;
      }),
    ).to.equal(saved.replace('],"other"', ',2],"other"').replace('"n":1', '"n":2'));
    expect(await rowAfter(push, {}, { SESSION_SAVE_EVERY_REQUEST: true })).to.match(/value",2,"a secret value"]/);
    expect(
      await rowAfter(async (ctx, next) => {
        await push(ctx, next);
        await ctx.session.save();
      }),
    ).to.match(/(?:,"a secret value"){2}]/);
    expect(warned).to.deep.equal([]);
  });

  it('is told of also after a save that came before it', async () => {
    await rowAfter(async (ctx, next) => {
      ctx.session.get('cart');
      await ctx.session.save();
      await push(ctx, next);
    });
    expect(warned).to.have.length(1);
  });

  const silent: Readonly<Record<string, () => Promise<unknown>>> = {
    'who only looks': () =>
      rowAfter((ctx) => {
        for (const key of ctx.session.keys()) ctx.session.get(key);
      }),
    'who does not look': () => rowAfter(() => {}),
    'who puts it back as it was': () =>
      rowAfter((ctx) => {
        const cart = ctx.session.get('cart') as unknown[];
        cart.push(1);
        cart.pop();
      }),
    'a request that fails, which saves nothing anyway': () =>
      rowAfter(async (ctx, next) => {
        await push(ctx, next);
        ctx.status = 500;
      }),
    'an application in production': () => rowAfter(push, {}, { env: 'production' }),
    'an application that does not want it': () => rowAfter(push, { warnUnsaved: false }),
    'somebody who logs out': () =>
      rowAfter(async (ctx, next) => {
        await push(ctx, next);
        await ctx.session.flush();
      }),
  };
  for (const [who, work] of Object.entries(silent)) {
    it(`is not told to ${who}`, async () => {
      await work();
      expect(warned).to.deep.equal([]);
    });
  }

  it('is told of in production where that is asked for', async () => {
    await rowAfter(push, { warnUnsaved: true }, { env: 'production' });
    expect(warned).to.have.length(1);
  });

  it('names a key of a visitor within bounds, and as one line', async () => {
    const key = `\n${'x'.repeat(500)}`;
    const session_data = codec.encode(JSON.stringify({ [key]: [] }));
    session_key = newSessionKey();
    await store.create({ session_key, session_data, expire_date: new Date(Date.now() + 1e6) });
    await rowAfter((ctx) => {
      (ctx.session.get(key) as unknown[]).push(1);
    });
    expect(warned[0]?.[1]).to.have.length.below(500).and.not.include('\n');
  });
});
