import Router from '@koa/router';
import type { Knex } from 'knex';
import Koa from 'koa';
import {
  type AuthenticationBackend,
  authenticate,
  authentication,
  type BaseUser,
  type Credentials,
  check_password,
  csrf,
  exceptions,
  formBody,
  login,
  login_required,
  type SessionStore,
  type Settings,
  sessions,
  spendRuntime,
} from 'koa-django-session';

/** A user from the application's table `members`. Only `id`, `password` and `get_username` are required. */
export class Member implements BaseUser {
  readonly is_authenticated = true;
  constructor(
    readonly id: string,
    readonly email: string,
    readonly password: string,
  ) {}

  get_username(): string {
    return this.email;
  }
}

export class Members implements AuthenticationBackend<Member> {
  /** Stored in the sessions of this backend's users, so never change it. */
  readonly path = 'shop.Members';
  readonly #knex: Knex;

  constructor(knex: Knex) {
    this.#knex = knex;
  }

  /** Null for an unknown address, after the time of a password check, so that the time does not reveal the members. */
  async authenticate({ email, password }: Credentials): Promise<Member | null> {
    if (email === undefined || password === undefined) return null; // another backend's credentials
    const member = await this.#find({ email: String(email).toLowerCase() });
    if (member === null) {
      await spendRuntime();
      return null;
    }
    return (await check_password(String(password), member.password)) ? member : null;
  }

  /** Called once per request. Null, or a changed password, ends the login. */
  async get_user(user_id: string): Promise<Member | null> {
    return this.#find({ id: user_id });
  }

  async #find(where: { readonly id: string } | { readonly email: string }): Promise<Member | null> {
    const row = await this.#knex('members')
      .where({ ...where, is_locked: false })
      .first();
    return row === undefined ? null : new Member(row.id, row.email, row.password);
  }
}

export function createApp(settings: Settings, knex: Knex, store: SessionStore): Koa {
  const app = new Koa();
  app.use(sessions(app, { settings, store }));
  app.use(exceptions());
  app.use(csrf(app, { settings }));
  app.use(formBody({ settings }));
  app.use(authentication<Member>(app, { settings, backends: [new Members(knex)] }));

  const router = new Router();
  router.post('/login/', async (ctx) => {
    const { POST } = ctx.request;
    const member = await authenticate<Member>(ctx, { email: POST.get('email'), password: POST.get('password') });
    if (member === null) return ctx.throw(400, 'Address or password is wrong.');
    await login(ctx, member);
    ctx.redirect('/');
  });
  router.get('/', login_required(), (ctx) => {
    ctx.body = `Hello, ${ctx.user.get_username()}.`;
  });
  app.use(router.routes());
  return app;
}
