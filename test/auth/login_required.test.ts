import { expect } from 'chai';
import Koa from 'koa';
import mount from 'koa-mount';
import {
  type AuthenticationBackend,
  authentication,
  type LoginRequiredOptions,
  login,
  login_required,
  permission_required,
  staff_member_required,
  User,
  user_passes_test,
} from '../../server/auth/index.js';
import { ImproperlyConfigured } from '../../server/errors.js';
import { sessions } from '../../server/session/middleware.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { type Portless, portless, settings } from '../http/serve.js';

const user = new User({
  id: 1,
  natural_key: 'alice',
  password: 'x',
  last_login: null,
  fields: {},
});
const backend: AuthenticationBackend = {
  path: 'example.Backend',
  authenticate: async () => user,
  get_user: async () => user,
};

describe('login_required', () => {
  async function site(options?: LoginRequiredOptions): Promise<Portless> {
    const app = new Koa();
    const all = settings();
    app.use(sessions(app, { settings: all, store: new MemoryStore() }));
    authentication(app, { settings: all, backends: [backend] });
    app.use(async (ctx, next) => {
      if (ctx.get('x-login') !== '') await login(ctx, user);
      await next();
    });
    app.use(login_required(options));
    app.use(async (ctx) => {
      ctx.body = `hello ${(await ctx.request.auser()).username}`;
    });
    return portless(app);
  }

  it('lets a user pass', async () => {
    const answer = await (await site()).ask({ headers: { 'x-login': '1' } });
    expect(answer).to.include({ status: 200, text: 'hello alice' });
  });

  // Locations as django.contrib.auth.decorators.login_required of Django 6.0 gives them; but for //evil.example, which
  // Django leaves as it is, so that its login view refuses it later.
  for (const [path, options, location] of [
    ['/goods/', {}, '/login/?next=/goods/'],
    ['/goods/1/?a=1&b=2', {}, '/login/?next=/goods/1/%3Fa%3D1%26b%3D2'],
    ["/it's(1)*!~/", {}, '/login/?next=/it%27s%281%29%2A%21~/'],
    ['//evil.example/x', {}, '/login/?next=/%252Fevil.example/x'],
    ['/%E5%AF%86/', {}, '/login/?next=/%25E5%25AF%2586/'],
    ['/a/', { login_url: '/in/?lang=zh#form' }, '/in/?lang=zh&next=/a/#form'],
    ['/a/', { login_url: '/in/?next=/old/&x=1' }, '/in/?next=/a/&x=1'],
    ['/a/', { redirect_field_name: 'back' }, '/login/?back=/a/'],
    ['/a/?q', { login_url: 'https://id.example/' }, 'https://id.example/?next=http%3A//here.example/a/%3Fq'],
    ['/a/', { login_url: 'http://here.example/in/' }, 'http://here.example/in/?next=/a/'],
    ['http://evil.example/x', {}, '/login/?next=/x'],
    ['http://evil.example', {}, '/login/?next=/'],
    ['http://evil.example?x', {}, '/login/?next=/%3Fx'],
  ] as const) {
    it(`sends nobody from ${path} to ${location}`, async () => {
      const answer = await (await site(options)).ask({ path, headers: { host: 'here.example' } });
      expect(answer.status).to.equal(302);
      expect(answer.headers.location).to.equal(location);
      expect(answer.headers.vary).to.equal('Cookie');
      expect(answer.text).to.not.include('hello');
    });
  }

  it('comes back to the whole path of a mounted application, as Django’s does with SCRIPT_NAME', async () => {
    const all = settings();
    const [app, shop, cart] = [new Koa(), new Koa(), new Koa()];
    app.use(sessions(app, { settings: all, store: new MemoryStore() }));
    authentication(app, { settings: all, backends: [backend] });
    cart.use(login_required());
    shop.use(mount('/cart', cart));
    app.use(mount('/shop', shop));
    const answer = await (await portless(app)).ask({ path: '/shop/cart/7/?x=1' });
    expect(answer.headers.location).to.equal('/login/?next=/shop/cart/7/%3Fx%3D1');
  });

  it('says what is missing where the application has no authentication', async () => {
    for (const gate of [
      login_required(),
      user_passes_test(() => true),
      permission_required('a.b'),
      staff_member_required(),
    ]) {
      const app = new Koa();
      const errors: unknown[] = [];
      app.on('error', (error) => errors.push(error));
      app.use(sessions(app, { settings: settings(), store: new MemoryStore() }));
      app.use(gate);
      await portless(app).ask();
      expect(errors).to.have.length(1);
      expect(errors[0])
        .to.be.instanceOf(ImproperlyConfigured)
        .with.property('message')
        .that.includes('authentication(app');
    }
  });
});
