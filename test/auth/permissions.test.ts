/** What users may do, from Django's tables: the rules of django.contrib.auth's ModelBackend. */
import { expect } from 'chai';
import Koa from 'koa';
import {
  AnonymousUser,
  authentication,
  login,
  ModelBackend,
  permission_required,
  staff_member_required,
  type User,
  UserTable,
  update_session_auth_hash,
  user_passes_test,
} from '../../server/auth/index.js';
import { Deadline } from '../../server/db/deadline.js';
import { connectKnex } from '../../server/db/knex.js';
import { StoreUnavailable } from '../../server/errors.js';
import { exceptions } from '../../server/http/index.js';
import { sessions } from '../../server/session/index.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { type Portless, portless, settings } from '../http/serve.js';
import {
  databaseOfSuite,
  type SuiteDatabase,
  type TestDatabase,
  testDatabase,
  UNHURRIED,
} from '../support/database.js';
import { reasonOf } from '../support/reason.js';

let database: SuiteDatabase;
let users: UserTable;
let count = 0;

const first = async (sql: string, bindings: readonly (string | number)[] = []): Promise<number> => {
  const { rows } = (await database.knex.raw(sql, [...bindings])) as { rows: { id: number }[] };
  return rows[0]?.id ?? 0;
};

/** A permission such as `shop.change_good`; made where it is not there. */
async function permission(name: string): Promise<number> {
  const [app = '', codename = ''] = name.split('.');
  const type = await first(
    `INSERT INTO django_content_type (app_label, model) VALUES (?, 'good')
     ON CONFLICT (app_label, model) DO UPDATE SET model = excluded.model RETURNING id`,
    [app],
  );
  return first(
    `INSERT INTO auth_permission (name, content_type_id, codename) VALUES (?, ?, ?)
     ON CONFLICT (content_type_id, codename) DO UPDATE SET name = excluded.name RETURNING id`,
    [codename, type, codename],
  );
}

async function group(name: string, ...permissions: readonly string[]): Promise<number> {
  const id = await first('INSERT INTO auth_group (name) VALUES (?) RETURNING id', [name]);
  for (const each of permissions) {
    await first('INSERT INTO auth_group_permissions (group_id, permission_id) VALUES (?, ?) RETURNING id', [
      id,
      await permission(each),
    ]);
  }
  return id;
}

interface Wanted {
  readonly groups?: readonly number[];
  readonly permissions?: readonly string[];
  readonly is_active?: boolean;
  readonly is_staff?: boolean;
  readonly is_superuser?: boolean;
}

async function person({ groups = [], permissions = [], ...rest }: Wanted = {}): Promise<User> {
  count += 1;
  const user = await users.create_user({ username: `user${count}`, ...rest });
  for (const id of groups) {
    await first('INSERT INTO auth_user_groups (user_id, group_id) VALUES (?, ?) RETURNING id', [user.id, id]);
  }
  for (const name of permissions) {
    await first('INSERT INTO auth_user_user_permissions (user_id, permission_id) VALUES (?, ?) RETURNING id', [
      user.id,
      await permission(name),
    ]);
  }
  return user;
}

/** How many statements `work` sends. */
async function statements(work: () => Promise<unknown>): Promise<number> {
  let sent = 0;
  const count = (): void => {
    sent += 1;
  };
  database.knex.on('query', count);
  try {
    await work();
  } finally {
    database.knex.removeListener('query', count);
  }
  return sent;
}

describe('permissions', () => {
  database = databaseOfSuite();
  let editors: number;
  let sellers: number;

  before(async () => {
    users = new UserTable(database.knex);
    editors = await group('Editors', 'blog.change_post', 'blog.add_post');
    sellers = await group('Sellers', 'shop.change_good');
    await permission('shop.delete_good');
  });

  it("are the user's own and those of the groups", async () => {
    const user = await person({ groups: [editors, sellers], permissions: ['shop.view_good', 'blog.add_post'] });
    expect([...(await user.get_user_permissions())].sort()).to.deep.equal(['blog.add_post', 'shop.view_good']);
    expect([...(await user.get_group_permissions())].sort()).to.deep.equal([
      'blog.add_post',
      'blog.change_post',
      'shop.change_good',
    ]);
    expect([...(await user.get_all_permissions())].sort()).to.deep.equal([
      'blog.add_post',
      'blog.change_post',
      'shop.change_good',
      'shop.view_good',
    ]);
    expect(await user.groups()).to.deep.equal(['Editors', 'Sellers']);
    expect(await user.has_perm('shop.change_good')).to.equal(true);
    expect(await user.has_perm('shop.delete_good')).to.equal(false);
    expect(await user.has_perm('change_good')).to.equal(false);
    expect(await user.has_perms(['shop.change_good', 'blog.add_post'])).to.equal(true);
    expect(await user.has_perms(['shop.change_good', 'shop.delete_good'])).to.equal(false);
    expect(await user.has_perms([])).to.equal(true);
    expect(await user.has_module_perms('blog')).to.equal(true);
    expect(await user.has_module_perms('blo')).to.equal(false);
  });

  it('may have any characters that a text of PostgreSQL may have', async () => {
    const names = ['shop.say "hi"', 'shop.a\\b', 'shop.two\nlines', 'shop.改', "shop.it's"];
    const { id } = await person({ permissions: names, groups: [await group('Odd "ones"', ...names)] });
    const user = await users.get_by_id(id);
    expect([...((await user?.get_all_permissions()) ?? [])].sort()).to.deep.equal([...names].sort());
    expect(await user?.groups()).to.deep.equal(['Odd "ones"']);
  });

  it('of a superuser are all that there are, and any that are not', async () => {
    const user = await person({ is_superuser: true });
    expect(await user.has_perm('no.such_thing')).to.equal(true);
    expect(await user.has_module_perms('nowhere')).to.equal(true);
    expect([...(await user.get_all_permissions())]).to.include('shop.delete_good');
    expect([...(await user.get_group_permissions())]).to.include('shop.delete_good');
  });

  for (const [who, wanted] of [
    ['an inactive user', { is_active: false }],
    ['an inactive superuser', { is_active: false, is_superuser: true }],
  ] as const) {
    it(`of ${who} are none`, async () => {
      const user = await person({ ...wanted, groups: [editors], permissions: ['shop.change_good'] });
      expect(await user.has_perm('shop.change_good')).to.equal(false);
      expect(await user.has_module_perms('shop')).to.equal(false);
      expect((await user.get_all_permissions()).size).to.equal(0);
    });
  }

  it('for one object are none, but for a superuser’s has_perm, as of Django’s ModelBackend', async () => {
    const good = { id: 7 };
    const user = await person({ groups: [editors], permissions: ['shop.view_good'] });
    const root = await person({ is_superuser: true });
    expect(await user.has_perm('shop.view_good')).to.equal(true);
    expect(await user.has_perm('shop.view_good', null)).to.equal(true);
    expect(await user.has_perm('shop.view_good', good)).to.equal(false);
    expect(await user.has_perms(['shop.view_good'], good)).to.equal(false);
    expect(await root.has_perm('shop.view_good', good)).to.equal(true);
    for (const each of [user, root]) {
      expect((await each.get_all_permissions(good)).size).to.equal(0);
      expect((await each.get_user_permissions(good)).size).to.equal(0);
      expect((await each.get_group_permissions(good)).size).to.equal(0);
    }
  });

  it('of nobody are none', async () => {
    const nobody = new AnonymousUser();
    expect(await nobody.has_perm('shop.change_good')).to.equal(false);
    expect(await nobody.has_perms([])).to.equal(true);
    expect((await nobody.get_all_permissions()).size).to.equal(0);
    expect(await nobody.groups()).to.deep.equal([]);
  });

  it('refuse a text where several are asked for', async () => {
    const user = await person();
    const error = await user.has_perms('shop.change_good').catch((reason: Error) => reason);
    expect(error).to.be.instanceOf(Error);
    expect(String(error)).to.contain('iterable of permissions');
  });

  it('are asked for in one statement, when somebody wants to know', async () => {
    const { id } = await person({ groups: [editors], permissions: ['shop.view_good'] });
    await (await users.get_by_id(id))?.get_all_permissions();
    const user = await users.get_by_id(id);
    const sent = await statements(async () => {
      await Promise.all([user?.has_perm('a.b'), user?.has_module_perms('shop'), user?.groups()]);
      await user?.get_group_permissions();
    });
    expect(sent).to.equal(1);
    expect(await statements(async () => (await users.get_by_id(id))?.get_username())).to.equal(1);
  });

  it('of all who ask in one tick are asked for in one statement, and each is told the own', async () => {
    const people = [
      await person({ permissions: ['shop.view_good'] }),
      await person({ groups: [editors], permissions: ['shop.add_good'] }),
      await person({ groups: [editors, sellers] }),
      await person(),
      await person({ is_superuser: true, groups: [sellers] }),
    ];
    const asking = await Promise.all(people.map(({ id }) => users.get_by_id(id)));
    const told: ReadonlySet<string>[] = [];
    const sent = await statements(async () => {
      told.push(...(await Promise.all(asking.map((user) => user?.get_all_permissions() ?? new Set<string>()))));
    });
    expect(sent).to.equal(1);
    const [viewer, editor, both, nobody, root] = told.map((names) => [...names].sort());
    expect(viewer).to.deep.equal(['shop.view_good']);
    expect(editor).to.deep.equal(['blog.add_post', 'blog.change_post', 'shop.add_good']);
    expect(both).to.deep.equal(['blog.add_post', 'blog.change_post', 'shop.change_good']);
    expect(nobody).to.deep.equal([]);
    expect(root).to.include.members(['blog.add_post', 'shop.delete_good']);
    expect(await asking[4]?.groups()).to.deep.equal(['Sellers']);
    // What one is given may be changed by whoever has it.
    for (const user of asking) ((await user?.get_group_permissions()) as Set<string>).clear();
    expect(await asking[2]?.has_perm('blog.add_post')).to.equal(true);
    expect([...((await asking[4]?.get_group_permissions()) ?? [])]).to.include('shop.delete_good');
  });

  it('and the users themselves are read by one plan, for one who asks as for several', async () => {
    // As in a shop: where a table has one page, every plan costs the same.
    const asked = await testDatabase();
    const knex = connectKnex(asked.url, { ...UNHURRIED, poolSize: 1 });
    try {
      await asked.knex.raw(
        `INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
         SELECT id, '', false, id, '', '', '', false, true, now() FROM generate_series(1001, 4000) id`,
      );
      await asked.knex.raw('INSERT INTO auth_group (id, name) SELECT id, id FROM generate_series(1001, 1010) id');
      await asked.knex.raw('INSERT INTO auth_user_groups (user_id, group_id) SELECT id, 1001 + id % 10 FROM auth_user');
      await asked.knex.raw('ANALYZE');
      const table = new UserTable(knex);
      for (let times = 0; times < 12; times += 1) {
        const ids = Array.from({ length: 1 + (times % 4) }, (_, index) => 2000 + times + index);
        const people = await Promise.all(ids.map((id) => table.get_by_id(id)));
        await Promise.all(people.map((user) => user?.has_perm('shop.view_good')));
      }
      const { rows } = await knex.raw(
        "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE name ~ '^(users_by_ids|permissions)_'",
      );
      // PostgreSQL makes five plans before it compares their cost with that of one for all.
      expect(rows).to.deep.equal(Array(2).fill({ custom_plans: '5', generic_plans: '7' }));
    } finally {
      await knex.destroy();
      await asked.drop();
    }
  });

  it('take their time from the request that they are asked in', async () => {
    const { id } = await person({ permissions: ['shop.view_good'] });
    const deadline = new Deadline(1);
    const user = await users.get_by_id(id, deadline);
    await database.knex.transaction(async (migration) => {
      await migration.raw('LOCK TABLE auth_user_groups');
      expect(await reasonOf(Promise.resolve(user?.has_perm('shop.view_good')))).to.be.instanceOf(StoreUnavailable);
    });
    expect(deadline.left()).to.be.at.most(0);
  });

  it('are looked up anew at the next request', async () => {
    const { id } = await person({ permissions: ['shop.view_good'] });
    expect(await (await users.get_by_id(id))?.has_perm('shop.view_good')).to.equal(true);
    await database.knex('auth_user_user_permissions').where({ user_id: id }).delete();
    expect(await (await users.get_by_id(id))?.has_perm('shop.view_good')).to.equal(false);
  });

  describe('of a request that logs in, or changes the password', () => {
    /** Serves one request; how many statements about permissions it sent. */
    async function asked(handler: (ctx: Koa.Context) => Promise<void>): Promise<number> {
      const app = new Koa();
      const own = settings();
      app.use(sessions(app, { settings: own, store: new MemoryStore() }));
      app.use(authentication(app, { settings: own, backends: [new ModelBackend(users)] }));
      app.use(async (ctx) => {
        await handler(ctx);
        ctx.body = 'done';
      });
      let sent = 0;
      const count = ({ sql }: { sql: string }): void => {
        if (sql.includes('codename')) sent += 1;
      };
      database.knex.on('query', count);
      try {
        expect(await portless(app).ask()).to.include({ status: 200 });
      } finally {
        database.knex.removeListener('query', count);
      }
      return sent;
    }

    it('are asked for in one statement, of whichever of its objects', async () => {
      const { id } = await person({ permissions: ['shop.view_good'] });
      const fresh = async (): Promise<User> => (await users.get_by_id(id)) as User;
      const may = async (user: User | AnonymousUser): Promise<void> => {
        expect(await user.has_perm('shop.view_good')).to.equal(true);
      };
      const before_and_after = async (ctx: Koa.Context): Promise<void> => {
        const user = await fresh();
        await may(user);
        await may(await login(ctx, user));
        await may(ctx.user);
      };
      expect(await asked(before_and_after)).to.equal(1);
      const after_twice = async (ctx: Koa.Context): Promise<void> => {
        const user = await fresh();
        await login(ctx, user);
        await may(ctx.user);
        await may(user);
        await login(ctx, await fresh());
        await may(ctx.user);
      };
      expect(await asked(after_twice)).to.equal(1);
      const new_password = async (ctx: Koa.Context): Promise<void> => {
        await login(ctx, await fresh());
        await may(ctx.user);
        await update_session_auth_hash(ctx, (await users.set_password(id, 'pbkdf2_sha256$1$salt$another')) as User);
        await may(ctx.user);
      };
      expect(await asked(new_password)).to.equal(1);
    });

    it('are never those of another user, nor of the same one before a change', async () => {
      const seller = await person({ permissions: ['shop.view_good'] });
      const other = await person();
      const two = await asked(async (ctx) => {
        await login(ctx, seller);
        expect(await ctx.user.has_perm('shop.view_good')).to.equal(true);
        await login(ctx, other);
        expect(await ctx.user.has_perm('shop.view_good')).to.equal(false);
        await database.knex('auth_user').where({ id: other.id }).update({ is_superuser: true });
        await login(ctx, other);
        expect((await ctx.user.get_all_permissions()).has('shop.view_good')).to.equal(true);
      });
      expect(two).to.equal(3);
    });
  });

  it('whose tables a migration has changed meanwhile are unavailable, and found anew', async () => {
    const { id } = await person({ permissions: ['shop.view_good'] });
    const user = await users.get_by_id(id);
    await database.knex.raw('ALTER TABLE auth_user_groups RENAME TO elsewhere');
    try {
      const error = await user?.has_perm('shop.view_good').catch((reason: Error) => reason);
      expect(error).to.be.instanceOf(StoreUnavailable);
    } finally {
      await database.knex.raw('ALTER TABLE elsewhere RENAME TO auth_user_groups');
    }
    expect(await user?.has_perm('shop.view_good')).to.equal(true);
  });

  describe('in a schema that is not on the search_path', () => {
    let elsewhere: TestDatabase;

    before(async () => {
      elsewhere = await testDatabase();
      await elsewhere.knex.raw('ALTER SCHEMA public RENAME TO "the Site\\?"');
      await elsewhere.knex.raw('CREATE SCHEMA public');
    });
    after(() => elsewhere.drop());

    const may = async (): Promise<readonly boolean[]> => {
      const table = new UserTable(elsewhere.knex, {
        settings: settings({ AUTH_USER_TABLE: 'the Site?.auth_user' }),
      });
      const user = await table.get_by_natural_key('ann');
      expect(await user?.groups()).to.deep.equal(['Clerks']);
      return Promise.all(
        ['blog.add_post', 'shop.change_good', 'shop.x'].map(async (name) => user?.has_perm(name) ?? false),
      );
    };

    it('are found beside the users, with and without foreign keys', async () => {
      await elsewhere.knex.transaction(async (trx) => {
        await trx.raw("SELECT set_config('search_path', ?, true)", ['"the Site?"']);
        await trx.raw(`INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff,
          is_active, date_joined) VALUES (7, 'x', false, 'ann', '', '', '', false, true, now())`);
        await trx.raw("INSERT INTO django_content_type VALUES (1, 'shop', 'good'), (2, 'blog', 'post')");
        await trx.raw("INSERT INTO auth_permission VALUES (1, '', 1, 'change_good'), (2, '', 2, 'add_post')");
        await trx.raw("INSERT INTO auth_group VALUES (3, 'Clerks')");
        await trx.raw('INSERT INTO auth_group_permissions (group_id, permission_id) VALUES (3, 1)');
        await trx.raw('INSERT INTO auth_user_groups (user_id, group_id) VALUES (7, 3)');
        await trx.raw('INSERT INTO auth_user_user_permissions (user_id, permission_id) VALUES (7, 2)');
      });
      expect(await may()).to.deep.equal([true, true, false]);
      for (const table of ['auth_user_groups', 'auth_user_user_permissions', 'auth_permission']) {
        const { rows } = (await elsewhere.knex.raw(
          `SELECT conname FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
            WHERE contype = 'f' AND relname = ? AND relnamespace = '"the Site\\?"'::regnamespace`,
          [table],
        )) as { rows: { conname: string }[] };
        for (const { conname } of rows) {
          await elsewhere.knex.raw('ALTER TABLE "the Site\\?".?? DROP CONSTRAINT ??', [table, conname]);
        }
      }
      expect(await may()).to.deep.equal([true, true, false]);
    });

    it('are found by their foreign keys where they are in another schema than the users', async () => {
      const fresh = await testDatabase();
      try {
        await fresh.knex.raw('CREATE SCHEMA staff');
        await fresh.knex.raw('CREATE SCHEMA rights');
        for (const table of ['auth_user', 'auth_user_groups', 'auth_user_user_permissions']) {
          await fresh.knex.raw(`ALTER TABLE ${table} SET SCHEMA staff`);
        }
        for (const table of ['auth_group', 'auth_permission', 'auth_group_permissions', 'django_content_type']) {
          await fresh.knex.raw(`ALTER TABLE ${table} SET SCHEMA rights`);
        }
        const table = new UserTable(fresh.knex, { settings: settings({ AUTH_USER_TABLE: 'staff.auth_user' }) });
        const user = await table.create_user({ username: 'ann' });
        expect(await user.has_perm('shop.change_good')).to.equal(false);
        await fresh.knex.raw('DROP TABLE rights.auth_group_permissions');
        const again = await new UserTable(fresh.knex, {
          settings: settings({ AUTH_USER_TABLE: 'staff.auth_user' }),
        }).get_by_id(user.id);
        const error = await again?.has_perm('shop.change_good').catch((reason: Error) => reason);
        expect(error).to.be.instanceOf(StoreUnavailable);
        expect(String((error as Error).cause)).to.match(
          /there is no table auth_group_permissions, neither .*search_path/,
        );
      } finally {
        await fresh.drop();
      }
    });
  });

  it('are in tables whose names Django has cut, because PostgreSQL cuts longer ones', async () => {
    const fresh = await testDatabase();
    try {
      const name = `accounts_${'u'.repeat(50)}`;
      await fresh.knex.raw('ALTER TABLE auth_user RENAME TO ??', [name]);
      // As Django's truncate_name gives them.
      await fresh.knex.raw('ALTER TABLE auth_user_groups RENAME TO ??', [`${name}510e`]);
      await fresh.knex.raw('ALTER TABLE auth_user_user_permissions RENAME TO ??', [`${name}2edb`]);
      const table = new UserTable(fresh.knex, { settings: settings({ AUTH_USER_TABLE: name }) });
      expect(await (await table.create_user({ username: 'ann' })).has_perm('a.b')).to.equal(false);
    } finally {
      await fresh.drop();
    }
  });

  describe('as middleware', () => {
    async function site(middleware: Koa.Middleware, user: User | null): Promise<Portless> {
      const app = new Koa();
      const own = settings();
      app.use(sessions(app, { settings: own, store: new MemoryStore() }));
      app.use(exceptions({ logger: { warn() {}, error() {} } }));
      app.use(authentication(app, { settings: own, backends: [new ModelBackend(users)] }));
      app.use(async (ctx, next) => {
        if (user !== null) await login(ctx, user);
        await next();
      });
      app.use(middleware);
      app.use((ctx) => {
        ctx.body = 'in';
      });
      return portless(app);
    }

    async function answer(middleware: Koa.Middleware, user: User | null): Promise<number | string> {
      const { status, headers } = await (await site(middleware, user)).ask({ path: '/goods/?a=1' });
      return status === 302 ? String(headers.location) : status;
    }

    const LOGIN = '/login/?next=/goods/%3Fa%3D1';

    it('permission_required lets in who has it; others are sent to the login page, or are refused', async () => {
      const seller = await person({ groups: [sellers] });
      const other = await person();
      expect(await answer(permission_required('shop.change_good'), seller)).to.equal(200);
      expect(await answer(permission_required('shop.change_good'), other)).to.equal(LOGIN);
      expect(await answer(permission_required('shop.change_good'), null)).to.equal(LOGIN);
      const both = ['shop.change_good', 'shop.delete_good'];
      expect(await answer(permission_required(both), seller)).to.equal(LOGIN);
      expect(await answer(permission_required(both, { raise_exception: true }), seller)).to.equal(403);
      expect(await answer(permission_required(both, { login_url: '/enter/' }), seller)).to.match(/^\/enter\/\?next=/);
    });

    it('staff_member_required lets in active staff', async () => {
      expect(await answer(staff_member_required(), await person({ is_staff: true }))).to.equal(200);
      expect(await answer(staff_member_required(), await person())).to.equal(LOGIN);
      expect(await answer(staff_member_required(), null)).to.equal(LOGIN);
    });

    it('user_passes_test asks a test of your own, which may wait', async () => {
      const named = user_passes_test(async (user) => user.get_username().startsWith('user'));
      expect(await answer(named, await person())).to.equal(200);
      expect(await answer(named, null)).to.equal(LOGIN);
    });
  });
});
