/** Django's cookie API on Koa, over real sockets; whole Set-Cookie lines are compared. */
import { expect } from 'chai';
import Koa from 'koa';
import { BadSignature, CookieError, KeyError, SignatureExpired, ValueError } from '../../server/errors.js';
import type { CookieOptions } from '../../server/http/cookie_jar.js';
import { type CookieValue, type DeleteCookieOptions, installCookies } from '../../server/http/cookies.js';
import type { TimeDelta } from '../../server/http/http_date.js';
import { type VectorEntry, vectorEntries, vectorSuite } from '../support/vectors.js';
import { closeServers, NOW, serve, settings } from './serve.js';

/** An application that runs `handle` and answers an ASCII text, or another body. */
function cookieApp(handle: (ctx: Koa.Context) => void, body: string | Buffer = 'ok', now = NOW): Koa {
  const app = new Koa();
  installCookies(app, { settings: settings(), now: () => now });
  app.use((ctx) => {
    ctx.body = body;
    handle(ctx);
  });
  return app;
}

type Outcome = { readonly set_cookie: readonly string[]; readonly error: unknown };

/** What `handle` made the server send, and what it threw. */
async function outcome(handle: (ctx: Koa.Context) => void, now = NOW): Promise<Outcome> {
  let error: unknown;
  const server = await serve(
    cookieApp(
      (ctx) => {
        try {
          handle(ctx);
        } catch (thrown) {
          error = thrown;
        }
      },
      'ok',
      now,
    ),
  );
  const { set_cookie } = await server.ask();
  return { set_cookie, error };
}

interface SetCookieVector extends VectorEntry {
  readonly id: string;
  readonly args: readonly [string, CookieValue];
  readonly kwargs: Omit<CookieOptions, 'max_age'> & { readonly max_age?: number | { timedelta_seconds: number } };
  readonly now: number;
  readonly header?: string;
  readonly raises?: string;
  readonly message?: string;
}

function optionsOf({ max_age, ...kwargs }: SetCookieVector['kwargs']): CookieOptions {
  if (max_age === undefined) return kwargs;
  const age: number | TimeDelta = typeof max_age === 'object' ? { seconds: max_age.timedelta_seconds } : max_age;
  return { ...kwargs, max_age: age };
}

/** A header's text as the client sees its bytes: UTF-8 where Latin-1 does not do. */
const bytes = (text: string): string =>
  /[\u0100-\uffff]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;

function expectOutcome(
  { set_cookie, error }: Outcome,
  entry: Pick<SetCookieVector, 'header' | 'raises' | 'message'>,
): void {
  const { header, raises, message } = entry;
  if (header !== undefined) {
    expect(error).to.equal(undefined);
    expect(set_cookie).to.deep.equal([bytes(header)]);
    return;
  }
  expect(error).to.be.instanceOf(Error).with.property('name', raises);
  expect(error).to.have.property('message', message);
  expect(set_cookie, 'Django leaves a half-made cookie behind, we send nothing').to.deep.equal([]);
}

/** Where older versions gave something else we give what the newest gives. */
const newestOf = <Entry extends VectorEntry>(list: string, id: string | undefined): Entry => {
  const entry = vectorEntries<Entry>(list).findLast((other) => other.id === id && other.django?.includes('main'));
  if (entry === undefined) throw new Error(`no newest ${id}`);
  return entry;
};

describe('set_cookie', () => {
  afterEach(closeServers);

  vectorSuite<SetCookieVector>(
    'set_cookie',
    async (entry) => {
      const { args, kwargs, now } = entry;
      expectOutcome(await outcome((ctx) => ctx.set_cookie(args[0], args[1], optionsOf(kwargs)), now), entry);
    },
    {
      older: async (entry) => {
        const { args, kwargs, now, header, raises, message } = entry;
        const newest = newestOf<SetCookieVector>('set_cookie', entry.id);
        const result = await outcome((ctx) => ctx.set_cookie(args[0], args[1], optionsOf(kwargs)), now);
        expectOutcome(result, newest);
        expect({ header, raises, message }).not.to.deep.equal({
          header: newest.header,
          raises: newest.raises,
          message: newest.message,
        });
      },
    },
  );

  interface DatetimeVector extends VectorEntry {
    readonly id: string;
    readonly expires: string;
    readonly max_age?: number;
    readonly now: string;
    readonly header?: string;
    readonly raises?: string;
    readonly message?: string;
  }

  /** JavaScript's Date is always a moment: Django's naive datetime is one in UTC. */
  const moment = (iso: string): Date => new Date(/(Z|[+-]\d\d:\d\d)$/.test(iso) ? iso : `${iso}Z`);

  const setDatetime = ({ expires, max_age, now }: DatetimeVector): Promise<Outcome> =>
    outcome(
      (ctx) => ctx.set_cookie('c', 'v', { expires: moment(expires), ...(max_age === undefined ? {} : { max_age }) }),
      moment(now).getTime() / 1000,
    );

  vectorSuite<DatetimeVector>('set_cookie_datetime', async (entry) => expectOutcome(await setDatetime(entry), entry), {
    older: async (entry) => {
      const newest = newestOf<DatetimeVector>('set_cookie_datetime', entry.id);
      expectOutcome(await setDatetime(entry), newest);
      expect(entry.header).not.to.equal(newest.header);
    },
  });

  it('sends one cookie a name, in the order of the first call', async () => {
    const { set_cookie } = await outcome((ctx) => {
      ctx.set_cookie('a', '1', { max_age: 10, httponly: true, samesite: 'Lax' });
      ctx.set_cookie('b', '2');
      ctx.set_cookie('a', '3', { path: '/x' });
    });
    expect(set_cookie).to.deep.equal(['a=3; HttpOnly; Max-Age=10; Path=/x; SameSite=Lax', 'b=2; Path=/']);
  });

  it('leaves the cookies of others alone', async () => {
    const { set_cookie } = await outcome((ctx) => {
      ctx.append('Set-Cookie', 'other=1');
      ctx.set_cookie('a', '1');
      ctx.cookies.set('koa', '2', { httpOnly: false });
      ctx.set_cookie('a', '2');
    });
    expect(set_cookie).to.deep.equal(['other=1', 'a=2; Path=/', 'koa=2; path=/']);
  });

  it('sends the empty value where none is given', async () => {
    const { set_cookie } = await outcome((ctx) => ctx.set_cookie('a'));
    expect(set_cookie).to.deep.equal(['a=""; Path=/']);
  });

  it("prints what is no text as Python's str", async () => {
    const { set_cookie } = await outcome((ctx) => {
      ctx.set_cookie('a', true);
      ctx.set_cookie('b', false);
      ctx.set_cookie('c', 2n ** 64n);
      ctx.set_cookie('d', 1.5);
      ctx.set_cookie('e', 1e-7);
    });
    expect(set_cookie.map((line) => line.split(';')[0])).to.deep.equal([
      'a=True',
      'b=False',
      'c=18446744073709551616',
      'd=1.5',
      'e=1e-07',
    ]);
  });

  it('sends nothing of what it refuses, and keeps what was set before', async () => {
    for (const [bad, error] of [
      [(ctx: Koa.Context) => ctx.set_cookie('a', 'x'.repeat(4096)), CookieError],
      [(ctx: Koa.Context) => ctx.set_cookie('a', '2', { path: '/\r\nX: y' }), CookieError],
      [(ctx: Koa.Context) => ctx.set_cookie('a', '2', { domain: 'x;y' }), CookieError],
      [(ctx: Koa.Context) => ctx.set_cookie('a\n', '2'), CookieError],
      [(ctx: Koa.Context) => ctx.set_cookie('a', '2', { samesite: 'Lax\r\n' }), ValueError],
      [(ctx: Koa.Context) => ctx.set_cookie('a', '2', { httpOnly: true } as CookieOptions), ValueError],
      [(ctx: Koa.Context) => ctx.set_signed_cookie('a', '2', { maxAge: 1 } as CookieOptions), ValueError],
      [(ctx: Koa.Context) => ctx.set_cookie('a', '2', { max_age: 1e12 }), ValueError],
      [(ctx: Koa.Context) => ctx.set_cookie('a', '2', { max_age: Number.NaN }), ValueError],
      [(ctx: Koa.Context) => ctx.set_cookie('a', '2', { expires: new Date(Number.NaN) }), ValueError],
    ] as const) {
      const { set_cookie, error: thrown } = await outcome((ctx) => {
        ctx.set_cookie('a', '1');
        bad(ctx);
      });
      expect(thrown).to.be.instanceOf(error);
      expect(set_cookie).to.deep.equal(['a=1; Path=/']);
    }
  });

  it('comes back over the wire whatever it holds, with a body of text or of bytes', async () => {
    const values = ['清', '😀 é', 'a;b,c"d\\e', '\u0000\r\n', '"', 'é', '\u00ff'];
    for (const body of ['text', 'tèxt 清', Buffer.from('bytes')]) {
      for (const value of values) {
        const app = new Koa();
        installCookies(app, { settings: settings() });
        app.use((ctx) => {
          if (ctx.path === '/set') ctx.set_cookie('c', value);
          ctx.body = ctx.path === '/set' ? body : (ctx.COOKIES.get('c') ?? '');
        });
        const server = await serve(app);
        const set = await server.ask({ path: '/set' });
        expect(set.text).to.equal(body.toString());
        expect(set.headers['content-length']).to.equal(String(Buffer.byteLength(body)));
        const cookie = set.set_cookie[0]?.replace('; Path=/', '') ?? '';
        const back = await server.ask({ headers: { cookie } });
        expect(back.text).to.equal(value);
        await closeServers();
      }
    }
  });
});

describe('delete_cookie', () => {
  afterEach(closeServers);

  interface DeleteVector extends VectorEntry {
    readonly id: string;
    readonly args?: readonly [string];
    readonly kwargs?: DeleteCookieOptions;
    readonly header?: string;
    readonly raises?: string;
    readonly message?: string;
  }

  const run = ({ id, args, kwargs = {} }: DeleteVector): Promise<Outcome> =>
    outcome((ctx) => {
      if (id === 'set_twice_merges_morsel') {
        ctx.set_cookie('c', 'v', { max_age: 10 });
        ctx.set_cookie('c', 'v2');
      } else {
        ctx.delete_cookie(args?.[0] ?? '', kwargs);
      }
    });

  vectorSuite<DeleteVector>('delete_cookie', async (entry) => expectOutcome(await run(entry), entry), {
    cannot: {
      samesite_none: {
        reason: 'only Django 2.2 and 3.0 refuse SameSite=None; 3.1 and later delete such a cookie, and so do we',
        instead: async (entry) => {
          expect(entry.django).to.deep.equal(['2.2.28', '3.0.14']);
          expect((await run(entry)).set_cookie).to.deep.equal([
            'c=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=None; Secure',
          ]);
        },
      },
    },
  });
});

describe('request.COOKIES', () => {
  afterEach(closeServers);

  it('is the same object each time, and empty without a header', async () => {
    let same = false;
    let size = -1;
    const server = await serve(
      cookieApp((ctx) => {
        same = ctx.request.COOKIES === ctx.COOKIES;
        size = ctx.COOKIES.size;
      }),
    );
    await server.ask();
    expect([same, size]).to.deep.equal([true, 0]);
  });

  it('takes the last of two cookies of one name, over several headers too', async () => {
    const server = await serve(
      cookieApp((ctx) => {
        ctx.body = ctx.COOKIES.get('a') ?? '';
      }),
    );
    expect((await server.ask({ headers: { cookie: 'a=1; a=2' } })).text).to.equal('2');
    const twice = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: a=1\r\nCookie: a=2; b=3\r\n\r\n';
    expect(await server.raw(twice)).to.match(/\r\n\r\n2$/);
  });

  it('reads any bytes without failing', async () => {
    const server = await serve(
      cookieApp((ctx) => {
        ctx.body = JSON.stringify([...ctx.COOKIES]);
      }),
    );
    const all = Buffer.from(Array.from({ length: 256 }, (_, code) => code).filter((code) => code > 31 && code !== 127));
    const head = Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: ');
    const answer = await server.raw(Buffer.concat([head, all, Buffer.from('\r\n\r\n')]));
    expect(answer).to.match(/^HTTP\/1\.1 200 /);
  });
});

describe('signed cookies', () => {
  afterEach(closeServers);

  /** Sets a signed cookie at one time, reads it at another; what the reader returned or threw. */
  async function roundTrip(
    read: (ctx: Koa.Context) => unknown,
    { later = 0, change = (text: string) => text } = {},
  ): Promise<unknown> {
    let result: unknown;
    let now = NOW;
    const app = new Koa();
    installCookies(app, { settings: settings(), now: () => now });
    app.use((ctx) => {
      ctx.body = 'ok';
      if (ctx.path === '/set') {
        ctx.set_signed_cookie('c', 'hello', { salt: 's', max_age: 60 });
        return;
      }
      try {
        result = read(ctx);
      } catch (error) {
        result = error;
      }
    });
    const server = await serve(app);
    const { set_cookie } = await server.ask({ path: '/set' });
    expect(set_cookie[0]).to.match(
      /^c=hello:1vb66i:[\w-]{43}; expires=Thu, 01 Jan 2026 00:01:00 GMT; Max-Age=60; Path=\/$/,
    );
    now += later;
    await server.ask({ headers: { cookie: change(set_cookie[0]?.split(';')[0] ?? '') } });
    return result;
  }

  it('come back with the same salt', async () => {
    expect(await roundTrip((ctx) => ctx.get_signed_cookie('c', { salt: 's' }))).to.equal('hello');
    expect(
      await roundTrip((ctx) => ctx.request.get_signed_cookie('c', { salt: 's', max_age: { minutes: 1 } })),
    ).to.equal('hello');
  });

  it('are refused with another salt, changed, or too old', async () => {
    expect(await roundTrip((ctx) => ctx.get_signed_cookie('c'))).to.be.instanceOf(BadSignature);
    const change = (text: string) => text.replace('hello', 'hallo');
    expect(await roundTrip((ctx) => ctx.get_signed_cookie('c', { salt: 's' }), { change })).to.be.instanceOf(
      BadSignature,
    );
    const old = await roundTrip((ctx) => ctx.get_signed_cookie('c', { salt: 's', max_age: 60 }), { later: 61 });
    expect(old).to.be.instanceOf(SignatureExpired);
  });

  it('are a KeyError when absent', async () => {
    expect(await roundTrip((ctx) => ctx.get_signed_cookie('other'))).to.be.instanceOf(KeyError);
  });

  it('give the default instead of an error, also where it is undefined', async () => {
    expect(await roundTrip((ctx) => ctx.get_signed_cookie('other', { default: 7 }))).to.equal(7);
    expect(await roundTrip((ctx) => ctx.get_signed_cookie('c', { default: null }))).to.equal(null);
    expect(await roundTrip((ctx) => ctx.get_signed_cookie('c', { default: undefined }))).to.equal(undefined);
    const late = await roundTrip((ctx) => ctx.get_signed_cookie('c', { salt: 's', max_age: 1, default: 'd' }), {
      later: 9,
    });
    expect(late).to.equal('d');
  });
});

describe('installCookies', () => {
  afterEach(closeServers);

  it('defines the members on the prototypes of one application, once', async () => {
    const app = new Koa();
    installCookies(app, { settings: settings() });
    const first = Object.getOwnPropertyDescriptor(app.response, 'set_cookie');
    installCookies(app, { settings: settings() });
    expect(Object.getOwnPropertyDescriptor(app.response, 'set_cookie')).to.deep.equal(first);
    expect('set_cookie' in new Koa().response).to.equal(false);
    let own: string[] = [];
    app.use((ctx) => {
      ctx.set_cookie('a', ctx.COOKIES.get('b') ?? '');
      own = [...Object.keys(ctx), ...Object.keys(ctx.request), ...Object.keys(ctx.response)];
    });
    await (await serve(app)).ask();
    expect(own).not.to.include.members(['COOKIES', 'set_cookie', 'delete_cookie', 'get_signed_cookie']);
  });
});
