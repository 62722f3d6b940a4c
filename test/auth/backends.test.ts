/** Backends of one's own: users of another class, ids of any look, credentials of any kind, several asked in order. */
import { expect } from 'chai';
import Koa from 'koa';
import {
  type AuthenticationBackend,
  authenticate,
  authentication,
  type BaseUser,
  type Credentials,
  login,
  update_session_auth_hash,
} from '../../server/auth/index.js';
import { PermissionDenied } from '../../server/errors.js';
import { exceptions } from '../../server/http/exceptions.js';
import { sessions } from '../../server/session/middleware.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { Client } from '../../server/testing/index.js';
import { NOW, settings } from '../http/serve.js';

/** Nothing of our User class, and frozen, as a backend's own cache may hand it out. */
interface Member extends BaseUser {
  readonly company: string;
}
const member = (id: Member['id'], company: string): Member =>
  Object.freeze({
    is_authenticated: true as const,
    id,
    password: `password of ${String(id)}`,
    company,
    get_username: () => `${company}'s`,
  });

/** By an id of whatever look. */
class Members implements AuthenticationBackend<Member> {
  readonly asked: string[] = [];
  constructor(
    readonly path: string,
    readonly members: readonly Member[],
    readonly authenticate: AuthenticationBackend<Member>['authenticate'],
  ) {}

  async get_user(user_id: string): Promise<Member | undefined> {
    this.asked.push(user_id);
    return this.members.find(({ id }) => String(id) === user_id);
  }
}

describe('a backend of one’s own', () => {
  const store = new MemoryStore({ now: () => NOW });

  /** An application with these backends; `ctx` of the latest request is what a handler was given. */
  async function site(
    backends: readonly AuthenticationBackend<Member>[],
    routes: Readonly<Record<string, (ctx: Koa.Context) => Promise<unknown>>>,
  ): Promise<(path: string, headers?: Record<string, string>) => Promise<unknown>> {
    const app = new Koa();
    const all = settings();
    app.use(sessions(app, { settings: all, store, now: () => NOW }));
    app.use(exceptions({}));
    app.use(authentication<Member>(app, { settings: all, backends, now: () => NOW }));
    app.use(async (ctx) => {
      ctx.body = { result: (await routes[ctx.path]?.(ctx)) ?? null };
    });
    const client = new Client(app);
    return async (path, headers = {}) => {
      const answer = await client.get(path, { headers });
      return answer.status === 200 ? (answer.json() as { result: unknown }).result : answer.status;
    };
  }

  const who = async (ctx: Koa.Context): Promise<unknown> => {
    const user = (await ctx.request.auser()) as unknown as Member | { is_authenticated: false };
    return user.is_authenticated ? [String(user.id), user.company] : null;
  };

  for (const id of [
    3_000_000_000,
    '3000000000',
    2n ** 53n + 1n,
    '0f8fad5b-d9cb-469f-a165-70867728950e',
    'CN=Ann, O="Ü"',
    ' ',
    '__proto__',
    'null',
  ]) {
    it(`gets back the id ${JSON.stringify(String(id))} as text, in the next request too`, async () => {
      const members = new Members('mysite.Members', [member(id, 'Acme'), member('another', 'Other')], async () =>
        member(id, 'Acme'),
      );
      const visit = await site([members], {
        '/in': async (ctx) => login(ctx, (await authenticate<Member>(ctx, {})) as Member).then(who.bind(null, ctx)),
        '/who': who,
      });
      expect(await visit('/in')).to.deep.equal([String(id), 'Acme']);
      expect(await visit('/who')).to.deep.equal([String(id), 'Acme']);
      expect(members.asked).to.deep.equal([String(id)]);
    });
  }

  it('keeps the data of the session when the same person logs in again, and forgets it for another', async () => {
    const ann = member(2n ** 53n + 1n, 'Acme');
    const bob = member(2n ** 53n + 2n, 'Bolts');
    const members = new Members('mysite.Members', [ann, bob], async ({ name }) => (name === 'ann' ? ann : bob));
    const enter = (name: string) => async (ctx: Koa.Context) => {
      await login(ctx, (await authenticate<Member>(ctx, { name })) as Member);
      return ctx.session.get('basket');
    };
    const visit = await site([members], {
      '/ann': enter('ann'),
      '/bob': enter('bob'),
      '/buy': async (ctx) => ctx.session.set('basket', [1]),
    });
    await visit('/ann');
    await visit('/buy');
    expect(await visit('/ann')).to.deep.equal([1]);
    expect(await visit('/bob')).to.equal(null);
  });

  it('takes credentials of its own: an email, or a token of a header', async () => {
    const ann = member('ann', 'Acme');
    const seen: Credentials[] = [];
    const byEmail = new Members('mysite.ByEmail', [ann], async (credentials) => {
      seen.push(credentials);
      return credentials['email'] === 'ann@example.com' && credentials.password === 'secret' ? ann : undefined;
    });
    const byToken = new Members('mysite.ByToken', [ann], async (_, ctx) =>
      ctx.get('authorization') === 'Token 123' ? ann : null,
    );
    const company = async (ctx: Koa.Context, credentials: Credentials): Promise<unknown> =>
      (await authenticate<Member>(ctx, credentials))?.company;
    const visit = await site([byEmail, byToken], {
      '/email': (ctx) => company(ctx, { email: 'ann@example.com', password: 'secret', username: undefined }),
      '/token': (ctx) => company(ctx, {}),
    });
    expect(await visit('/email')).to.equal('Acme');
    expect(seen[0]).to.deep.equal({ email: 'ann@example.com', password: 'secret', username: undefined });
    expect(await visit('/token')).to.equal(null);
    expect(await visit('/token', { authorization: 'Token 123' })).to.equal('Acme');
  });

  it('is asked after those before it, and it alone for the user of a session that it began', async () => {
    const [first, second] = [member('1', 'First'), member('1', 'Second')];
    const order: string[] = [];
    const one = new Members('mysite.One', [first], async ({ name }) => {
      order.push('one');
      if (name === 'refused') throw new PermissionDenied('No.');
      return null;
    });
    const two = new Members('mysite.Two', [second], async () => {
      order.push('two');
      return second;
    });
    const visit = await site([one, two], {
      '/in': async (ctx) =>
        login(ctx, (await authenticate<Member>(ctx, { name: 'x' })) as Member).then(() =>
          ctx.session.get('_auth_user_backend'),
        ),
      '/refused': async (ctx) => authenticate<Member>(ctx, { name: 'refused' }),
      '/who': who,
    });
    expect(await visit('/in')).to.equal('mysite.Two');
    expect(order.splice(0)).to.deep.equal(['one', 'two']);
    expect(await visit('/who')).to.deep.equal(['1', 'Second']);
    expect(one.asked).to.deep.equal([]);
    expect(await visit('/refused')).to.equal(null);
    expect(order).to.deep.equal(['one']);
  });

  it('gives nobody for an id that it does not know any more, with undefined as with null', async () => {
    const gone = new Members('mysite.Members', [], async () => member('gone', 'Acme'));
    const visit = await site([gone], {
      '/in': async (ctx) => login(ctx, (await authenticate<Member>(ctx, {})) as Member).then(() => 'in'),
      '/who': who,
    });
    expect(await visit('/in')).to.equal('in');
    expect(await visit('/who')).to.equal(null);
  });

  it('keeps this session and ends the others when the password changes, whatever the id looks like', async () => {
    for (const id of [2n ** 53n + 1n, '0f8fad5b-d9cb-469f-a165-70867728950e', 'Ann, O="Ü"']) {
      const before = member(id, 'Acme');
      const after = Object.freeze({ ...before, password: 'another' });
      const known = [before];
      const members = new Members('mysite.Members', known, async () => known[0]);
      const routes = {
        '/in': async (ctx: Koa.Context) => login(ctx, (await authenticate<Member>(ctx, {})) as Member).then(() => 'in'),
        '/change': async (ctx: Koa.Context) => {
          known[0] = after;
          await update_session_auth_hash(ctx, after);
        },
        '/who': who,
      };
      const [here, elsewhere] = [await site([members], routes), await site([members], routes)];
      expect([await here('/in'), await elsewhere('/in')]).to.deep.equal(['in', 'in']);
      await here('/change');
      expect([await here('/who'), await elsewhere('/who')]).to.deep.equal([[String(id), 'Acme'], null]);
    }
  });

  it('whose user is called null does not log nobody in by a change of password', async () => {
    const nobody = new Members('mysite.Members', [], async () => null);
    const visit = await site([nobody], {
      '/change': async (ctx) => {
        ctx.session.set('a', 1);
        await update_session_auth_hash(ctx, member('null', 'Acme'));
        return ctx.session.keys();
      },
    });
    expect(await visit('/change')).to.deep.equal(['a']);
  });
});
