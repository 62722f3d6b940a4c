/** Logins that several servers share: what one writes the others accept, and nobody re-hashes a password. */
import { expect } from 'chai';
import Koa from 'koa';
import {
  authenticate,
  authentication,
  login,
  ModelBackend,
  make_password,
  UserTable,
} from '../../server/auth/index.js';
import { sessions } from '../../server/session/index.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { Client, type ClientCookies } from '../../server/testing/index.js';
import { settings as testSettings } from '../http/serve.js';
import { databaseOfSuite } from '../support/database.js';
import { type VectorItem, vectorSuite } from '../support/vectors.js';

const settings = testSettings();

describe('a login shared by several servers', () => {
  const database = databaseOfSuite();

  /** A browser at one of the servers: `/login` logs alice in by her password, everything else says who is there. */
  function browserAt(store: MemoryStore, cookies?: ClientCookies): Client {
    const app = new Koa();
    const users = new UserTable(database.knex);
    app.use(sessions(app, { settings, store }));
    app.use(authentication(app, { settings, backends: [new ModelBackend(users)] }));
    app.use(async (ctx) => {
      if (ctx.path === '/login') {
        const user = await authenticate(ctx, { username: 'alice', password: 'secret' });
        if (user !== null) await login(ctx, user);
      }
      ctx.body = ctx.user.username;
    });
    return new Client(app, cookies === undefined ? {} : { cookies });
  }
  vectorSuite<VectorItem>('cross_version_shared_login', async ({ id, value }) => {
    expect(value).to.be.a('string');
    const encoded = await make_password('secret', { iterations: 1000 });
    const users = new UserTable(database.knex);
    await database.knex('auth_user').delete();
    const { id: user_id } = await users.create_user({ username: 'alice', password: encoded });
    const store = new MemoryStore();
    const first = browserAt(store);
    await first.get('/login');
    expect((await browserAt(store, first.cookies).get('/')).text).to.equal('alice');
    if (id === '0') return;

    // The hash has fewer iterations than we make. A second login leaves it, and with it the first session, as it is.
    const second = browserAt(store);
    await second.get('/login');
    expect(second.cookies.get('sessionid')).not.to.equal(first.cookies.get('sessionid'));
    expect((await users.get_by_id(String(user_id)))?.password).to.equal(encoded);
    expect((await first.get('/')).text).to.equal('alice');
  });
});
