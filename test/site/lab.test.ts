/** The lab: operations on the session as JSON, its page with a button for each step, and the pages that explain. */
import { expect } from 'chai';
import { Deadline } from '../../server/db/deadline.js';
import { StoreUnavailable } from '../../server/errors.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { SignedCookiesStore } from '../../server/session/stores/signed_cookies.js';
import { messages } from '../../server/site/i18n.js';
import { PRESSES, type Press } from '../../server/site/lab/chapters.js';
import { MEMBER_NAMES } from '../../server/site/lab/members.js';
import type { Answer } from '../http/serve.js';
import { countSessions, makeSite, siteOfSuite, Visitor } from './visitor.js';

describe('/lab/', () => {
  const site = siteOfSuite({ lab: true });
  let visitor: Visitor;
  beforeEach(() => {
    visitor = new Visitor(site);
  });

  const run = async (...ops: unknown[]): Promise<Answer> => visitor.postJson('/lab/api/', { ops });
  const results = async (...ops: unknown[]): Promise<unknown> => JSON.parse((await run(...ops)).text).results;

  it('runs operations in order and answers each result', async () => {
    expect(await results(['set', 'k', 1], ['get', 'k'], ['pop', 'k'], ['get', 'k'], ['get', 'k', 'd'])).to.deep.equal([
      null,
      1,
      1,
      null,
      'd',
    ]);
    expect(
      await results(['update', { a: 1, b: [2] }], ['keys'], ['values'], ['items'], ['has_key', 'a'], ['contains', 'z']),
    ).to.deep.equal([
      null,
      ['a', 'b'],
      [1, [2]],
      [
        ['a', 1],
        ['b', [2]],
      ],
      true,
      false,
    ]);
  });

  it('answers what an operation raises by its name, and goes on', async () => {
    expect(
      await results(['pop', 'x'], ['getitem', 'x'], ['delitem', 'x'], ['delete_test_cookie'], ['set', 'x', 1]),
    ).to.deep.equal([
      { raises: 'KeyError' },
      { raises: 'KeyError' },
      { raises: 'KeyError' },
      { raises: 'KeyError' },
      null,
    ]);
  });

  it('answers the state', async () => {
    const first = JSON.parse((await run(['set', 'k', 1], ['set_expiry', 60])).text);
    expect(first.state).to.deep.equal({ session_key: null, accessed: true, modified: true, expiry_age: 60 });
    const second = JSON.parse((await run()).text);
    expect(second.state).to.deep.equal({
      session_key: visitor.cookies.get('sessionid'),
      accessed: second.state.accessed,
      modified: false,
      expiry_age: 60,
    });
  });

  it('knows every operation', async () => {
    await run(['set', 'k', 1]);
    const key = visitor.cookies.get('sessionid');
    expect(
      await results(['is_empty'], ['exists', key], ['exists', 'nope'], ['attr', 'session_key'], ['attr', 'modified']),
    ).to.deep.equal([false, true, false, key, false]);
    expect(
      await results(
        ['set_expiry', { $td: 90 }],
        ['get_expire_at_browser_close'],
        ['set_expiry', 0],
        ['get_expire_at_browser_close'],
        ['set_expiry', { $dt: '2031-01-01T00:00:00+00:00' }],
        ['get_expiry_date'],
        ['set_expiry', null],
        ['get_expiry_age'],
      ),
    ).to.deep.equal([null, false, null, true, null, '2031-01-01T00:00:00.000Z', null, 1_209_600]);
    expect(
      await results(
        ['set_test_cookie'],
        ['test_cookie_worked'],
        ['delete_test_cookie'],
        ['setdefault', 'k', 2],
        ['setdefault', 'n'],
      ),
    ).to.deep.equal([null, true, null, 1, null]);
    expect(await results(['cycle_key'], ['save'], ['save', true], ['clear'], ['keys'])).to.deep.equal([
      null,
      null,
      { raises: 'CreateError' },
      null,
      [],
    ]);
    expect(visitor.cookies.get('sessionid')).to.not.equal(key);
    expect(await results(['create'], ['set', 'z', 1], ['flush'], ['attr', 'session_key'], ['is_empty'])).to.deep.equal([
      null,
      null,
      null,
      null,
      true,
    ]);
    expect(visitor.cookies.has('sessionid')).to.equal(false);
  });

  it('takes names of prototypes as plain data', async () => {
    const body =
      '{"ops":[["set","__proto__",{"__proto__":1}],["set","constructor",2],["items"],["update",{"__proto__":3,"toString":4}],["keys"],["get","hasOwnProperty"]]}';
    const answer = await visitor.postJson('/lab/api/', body);
    expect(answer.text).to.include(
      '"results":[null,null,[["__proto__",{"__proto__":1}],["constructor",2]],null,["__proto__","constructor","toString"],null]',
    );
  });

  it('keeps large integers and NaN, as Python does', async () => {
    const answer = await visitor.postJson(
      '/lab/api/',
      '{"ops":[["set","n",12345678901234567890],["set","f",NaN],["items"]]}',
    );
    expect(answer.text).to.include('[["n",12345678901234567890],["f",NaN]]');
  });

  const wrong: readonly (readonly [what: string, body: string])[] = [
    ['no JSON', 'x'],
    ['nothing', ''],
    ['a list', '[]'],
    ['null', 'null'],
    ['no ops', '{}'],
    ['ops that are no list', '{"ops":{"0":["keys"],"length":1}}'],
    ['inherited ops', '{"__proto__":{"ops":[]}}'],
    ['an operation that is no list', '{"ops":["keys"]}'],
    ['an operation without a name', '{"ops":[[]]}'],
    ['an operation whose name is no text', '{"ops":[[1]]}'],
    ['an unknown operation', '{"ops":[["eval","1"]]}'],
    ['a name of a prototype', '{"ops":[["constructor"]]}'],
    ['clear_expired', '{"ops":[["clear_expired"]]}'],
    ['too few arguments', '{"ops":[["set","a"]]}'],
    ['too many arguments', '{"ops":[["keys",1]]}'],
    ['a key that is no text', '{"ops":[["get",{}]]}'],
    ['another attribute', '{"ops":[["attr","constructor"]]}'],
    ['an expiry that is none', '{"ops":[["set_expiry","soon"]]}'],
    ['an expiry that is no date', '{"ops":[["set_expiry",{"$dt":"tomorrow"}]]}'],
    ['an update with no object', '{"ops":[["update",[1]]]}'],
    ['201 operations', JSON.stringify({ ops: Array.from({ length: 201 }, () => ['keys']) })],
    ['100,000 levels', `{"ops":[["set","a",${'['.repeat(100_000)}${']'.repeat(100_000)}]]}`],
  ];
  for (const [what, body] of wrong) {
    it(`answers 400 with a sentence for ${what}`, async () => {
      const answer = await visitor.postJson('/lab/api/', body, { Accept: 'application/json' });
      expect(answer.status).to.equal(400);
      expect(JSON.parse(answer.text).error).to.match(/\w+ .*\.$/);
    });
  }

  it('asks for a CSRF token', async () => {
    const answer = await visitor.postJson('/lab/api/', { ops: [] }, { 'X-CSRFToken': '' });
    expect(answer.status).to.equal(403);
  });

  it('has its stylesheet and script', async () => {
    for (const path of ['/static/lab/lab.css', '/static/lab/lab.js']) {
      expect((await visitor.get(path)).status, path).to.equal(200);
    }
  });

  it('is not there without lab', async () => {
    const plain = makeSite(site.knex);
    visitor = new Visitor(plain);
    const files = [
      '/static/lab.css',
      '/static/lab.js',
      '/static/lab/lab.css',
      '/static/lab/lab.js',
      '/static/%6Cab/lab.js',
    ];
    for (const path of ['/lab/', '/lab/explained/', '/lab/explained/what/', ...files]) {
      expect((await visitor.get(path)).status, path).to.equal(404);
    }
    expect((await visitor.post('/lab/', { do: 'keys' })).status).to.equal(404);
    expect((await run(['keys'])).status).to.equal(404);
    expect((await visitor.get('/index1/')).text).to.not.include('/lab/');
  });

  describe('as a page', () => {
    /** Press a button: the answer sends the browser on, and the page that it is sent to is returned. */
    async function press(name: string, fields: Readonly<Record<string, string>> = {}): Promise<Page> {
      const csrfmiddlewaretoken = visitor.cookies.get('csrftoken') ?? (await visitor.token());
      const sent = await visitor.postRaw('/lab/', { csrfmiddlewaretoken, do: name, ...fields });
      expect(sent.status).to.equal(303);
      const location = sent.headers.location ?? '';
      const answer = await visitor.get(location.replace(/#.*/, ''));
      expect(answer.status).to.equal(200);
      return { location, sent, html: answer.text, text: textOf(answer.text) };
    }

    it('shows nothing before the first step, and makes neither row nor cookie but the form token', async () => {
      const { text, set_cookie } = await visitor.get('/lab/');
      expect(textOf(text)).to.include('Nothing has happened yet');
      expect(set_cookie.map((line) => line.split('=')[0])).to.deep.equal(['csrftoken']);
      expect(await visitor.row()).to.equal(null);
    });

    it('shows the row as it is after the step, its parts, and the cookie that the step was answered with', async () => {
      const { location, sent, text } = await press('set', { key: 'theme', value: 'dark' });
      expect(location).to.equal('/lab/?step=1#step');
      const key = visitor.cookies.get('sessionid') ?? '';
      const { session_data, expire_date } = await rowOf(key);
      const [payload = '', time = '', signature = ''] = session_data.split(':');
      expect(text)
        .to.include('session.set("theme", "dark")')
        .and.include('row created')
        .and.include('session cookie sent')
        .and.include(`${payload} : ${time} : ${signature}`)
        .and.include('{"theme":"dark"}')
        .and.include(`sessionid =${key.slice(0, 4)}…`)
        .and.include('Max-Age=1209600 seconds for which the browser keeps it')
        .and.include('request.session["theme"] = "dark"');
      expect(text).to.include(`session_key ${key.slice(0, 4)}… new`);
      expect((await visitor.get('/lab/')).text).to.include(`datetime="${expire_date.toISOString()}"`);
      expect(sent.set_cookie.some((line) => line.startsWith('sessionid='))).to.equal(true);
    });

    it('marks what is new, changed and gone since the step before', async () => {
      await press('update', { mapping: '{"a": 1, "b": 2}' });
      const { text } = await press('ops', { ops: '[["set", "a", 3], ["pop", "b"], ["set", "c", 4]]' });
      expect(text)
        .to.match(/a changed 3 before: 1/)
        .and.match(/b gone 2/)
        .and.match(/c new 4/)
        .and.include('row saved');
    });

    it('shows Chinese as Chinese, beside the text as it is stored', async () => {
      const { text } = await press('set', { key: 'city', value: '上海"\\' });
      expect(text).to.include(String.raw`{"city":"\u4e0a\u6d77\"\\"}`).and.include(String.raw`city new "上海\"\\"`);
    });

    it('takes values as JSON where they are JSON, and as text otherwise', async () => {
      for (const [value, kept] of [
        ['3', 3],
        ['true', true],
        ['["a"]', ['a']],
        ['{"a": 1}', { a: 1 }],
        ['dark', 'dark'],
        ['', ''],
      ] as const) {
        await press('set', { key: 'k', value });
        expect((await visitor.row())?.get('k')).to.deep.equal(kept);
      }
    });

    const shown: readonly (readonly [name: string, fields: Record<string, string>, ...texts: string[]])[] = [
      ['get', { key: 'none', default: '[1]' }, 'session.get("none", [1]) [1]', 'nothing changed'],
      ['pop', { key: 'none' }, 'raised KeyError', '# KeyError'],
      ['setdefault', { key: 'n', value: '7' }, 'request.session.setdefault("n", 7)', '# → 7'],
      ['has_key', { key: 'n' }, '"n" in request.session # → False', 'ctx.session.has_key("n") // → false'],
      ['remove', { key: 'n' }, 'del request.session["n"] # KeyError'],
      ['append', { key: 'n', value: 'x' }, 'not done: Under this key there is no list.'],
      ['update', { mapping: '[1]' }, 'not done: Give a dictionary as JSON'],
      ['set', { key: '', value: 'x' }, 'not done: Give a key'],
      ['keys', {}, 'session.keys() []'],
      ['values', {}, 'session.values() []'],
      ['items', {}, 'session.items() []'],
      ['is_empty', {}, 'session.is_empty() true'],
      ['clear', {}, 'session.clear() done', 'nothing changed'],
      ['save', {}, 'await ctx.session.save()', 'row created'],
      ['create', {}, 'row created'],
      ['cycle_key', {}, 'row created'],
      ['flush', {}, 'session.flush() done'],
      ['delete', {}, 'session.delete() done', 'There is no row.'],
      ['exists', {}, 'session.exists(ctx.session.session_key) false'],
      ['exists_not', {}, 'session.exists("nobody0has0this0key") false'],
      ['clear_expired', { plant: 'on' }, 'session.clear_expired() 1 nothing changed'],
      ['set_expiry_seconds', { seconds: '300' }, 'session.set_expiry(300)', '5 minutes left'],
      ['set_expiry_seconds', { seconds: 'soon' }, 'not done: Give a whole number.'],
      ['set_expiry_browser', {}, 'session.set_expiry(0)', 'the browser forgets it when it closes', '14 days left'],
      ['set_expiry_days', { days: '3' }, 'timedelta(days=3)', '{ days: 3 }', '3 days left'],
      ['set_expiry_date', { date: '2040-01-31T12:30' }, 'datetime(2040, 1, 31, 12, 30, tzinfo=timezone.utc)'],
      ['set_expiry_date', { date: '2040-13-31T12:30' }, 'not done: Give a date'],
      ['set_expiry_none', {}, 'request.session.set_expiry(None)'],
      ['get_expiry_age', {}, 'session.get_expiry_age() 1209600'],
      ['get_expiry_date', {}, 'session.get_expiry_date() "20'],
      ['get_expire_at_browser_close', {}, 'session.get_expire_at_browser_close() false'],
      ['set_test_cookie', {}, 'session.set_test_cookie() done', 'testcookie new "worked"'],
      ['test_cookie_worked', {}, 'session.test_cookie_worked() false'],
      ['delete_test_cookie', {}, 'raised KeyError'],
      ['get_cookie', { name: 'none' }, 'request.COOKIES.get("none") # → None'],
      ['get_signed_cookie', { name: 'none' }, 'raised KeyError'],
      ['get_signed_cookie', { name: 'none', default: 'x' }, 'get_signed_cookie("none", default="x")', '// → "x"'],
      ['delete_cookie', { name: 'c', path: '/lab/' }, '0 seconds: the browser deletes it now', 'Path=/lab/'],
      ['forge', { name: 'none' }, 'not done: The browser sent no such cookie.'],
      ['set_cookie', { name: 'c c', cookie: 'x' }, 'raised CookieError', 'Illegal key'],
      ['set_cookie', { name: 'big', cookie: 'x'.repeat(4200) }, 'raised CookieError', 'browsers drop one over 4096'],
      ['captcha_accept', { typed: 'x' }, 'The captcha was answered false'],
      ['ops', { ops: '[["fly"]]' }, 'raised SuspiciousOperation', 'the operation is unknown'],
      ['ops', { ops: 'x' }, 'raised ValueError'],
    ];
    for (const [name, fields, ...texts] of shown) {
      it(`does ${name} ${JSON.stringify(fields).slice(0, 60)}`, async () => {
        const { text } = await press(name, fields);
        for (const part of texts) expect(text).to.include(part);
      });
    }

    it('has a button for every step', async () => {
      const { text } = await visitor.get('/lab/');
      const buttons = [...text.matchAll(/name="do" value="(\w+)"/g)].map(([, name]) => name);
      expect(MEMBER_NAMES.filter((name) => !buttons.includes(name))).to.deep.equal(['captcha_draw', 'captcha_accept']);
    });

    it('sets cookies of both kinds with every parameter', async () => {
      const parameters = {
        max_age: '60',
        path: '/lab/',
        domain: 'example.com',
        samesite: 'Strict',
        secure: 'on',
        httponly: 'on',
      };
      const plain = await press('set_cookie', { name: 'c', cookie: '茶', ...parameters });
      expect(plain.sent.set_cookie.map((line) => Buffer.from(line, 'latin1').toString()).join('\n')).to.match(
        /^c="?茶"?; Domain=example\.com; expires=[^;]+; HttpOnly; Max-Age=60; Path=\/lab\/; SameSite=Strict; Secure$/m,
      );
      expect(plain.text).to.include(
        'response.set_cookie("c", "茶", max_age=60, path="/lab/", domain="example.com", secure=True, httponly=True, samesite="Strict")',
      );
      expect(plain.text).to.include('never when coming from another site').and.include('sent to this domain');
      const signed = await press('set_signed_cookie', {
        name: 's',
        cookie: '3',
        salt: 'lab',
        expires: '2040-01-01T00:00',
      });
      expect(signed.sent.set_cookie.join('\n')).to.match(/^s="?3:\w+:[\w-]+"?; expires=Sun, 01 Jan 2040/m);
      expect(signed.text).to.include(
        'ctx.set_signed_cookie("s", "3", { salt: "lab", expires: new Date(\'2040-01-01T00:00Z\') })',
      );
      expect((await press('get_signed_cookie', { name: 's', salt: 'lab', max_age: '3600' })).text).to.include(
        '// → "3"',
      );
      expect((await press('get_signed_cookie', { name: 's', salt: 'other' })).text).to.include('raised BadSignature');
      await press('forge', { name: 's' });
      expect((await press('get_signed_cookie', { name: 's', salt: 'lab' })).text).to.include('raised BadSignature');
    });

    it('notes that a row was saved although the same was saved within the same second', async () => {
      const own = makeSite(site.knex, { lab: true });
      visitor = new Visitor(own);
      own.clock.now = Math.floor(own.clock.now) + 0.25;
      await press('set', { key: 'a', value: '1' });
      own.clock.advance(0.5);
      expect((await press('set', { key: 'a', value: '1' })).text).to.include('row saved');
      expect((await press('get', { key: 'a' })).text).to.include('nothing changed');
    });

    it('refuses a day that is in no calendar', async () => {
      const { text } = await press('set_expiry_date', { date: '2028-02-30T00:00' });
      expect(text).to.include('Step 1: set_expiry_date').and.include('not done: Give a date and a time.');
      expect((await press('set_expiry_date', { date: '2028-02-29T00:00' })).text).to.include('datetime(2028, 2, 29');
    });

    it('keeps the cookie by which it finds the steps', async () => {
      await press('set', { key: 'a', value: '1' });
      for (const step of ['set_cookie', 'set_signed_cookie', 'delete_cookie', 'forge']) {
        const { sent, text } = await press(step, { name: 'lab_notebook', cookie: 'blue', path: '/lab/' });
        expect(sent.set_cookie.join('\n')).to.not.include('lab_notebook');
        expect(text).to.include('not done: The lab finds your steps by this cookie.');
      }
    });

    it('says of Django what Django does: it returns no number of cleared rows, and sends cookies of any size', async () => {
      const cleared = (await press('clear_expired', { plant: 'on' })).text;
      expect(cleared)
        .to.match(/# → None\b/)
        .and.match(/\/\/ → \d/);
      const large = (await press('set_cookie', { name: 'c', cookie: 'x'.repeat(5000) })).text;
      expect(large).to.include('// CookieError').and.not.include('# CookieError');
    });

    it('sends no more cookies than a browser can bring back', async () => {
      for (const name of ['a', 'b']) await press('set_cookie', { name, cookie: 'x'.repeat(4000) });
      expect((await press('set_cookie', { name: 'c', cookie: 'x'.repeat(4000) })).text).to.include(
        'not done: The browser has enough',
      );
      expect((await press('set_cookie', { name: 'a', cookie: 'y' })).text).to.not.include('not done');
    });

    it('logs in as one demo user and as the second, and says what became of the rows', async () => {
      await press('set', { key: 'cart', value: '["milk"]' });
      const anonymous = visitor.cookies.get('sessionid');
      const first = await press('login_first');
      expect(first.text)
        .to.include('new key for the row')
        .and.include('cart ["milk"]')
        .and.include('Logged in as alice.');
      expect(visitor.cookies.get('sessionid')).to.not.equal(anonymous);
      const second = await press('login_second');
      expect(second.text).to.include('row deleted row created').and.include('cart gone ["milk"]');
      expect((await visitor.me()).user?.username).to.equal('bob');
      const out = await press('logout');
      expect(out.text).to.include('row deleted session cookie deleted').and.include('Nobody is logged in.');
    });

    it('logs nobody in with another password than the demo one', async () => {
      const users = site.knex('auth_user').where({ username: 'alice' });
      const { password } = await users.clone().first();
      await users.clone().update({ password: `!${password}` });
      try {
        expect((await press('login_first')).text).to.include('not done: This database has no such demo user');
        expect((await visitor.me()).user).to.equal(null);
      } finally {
        await users.clone().update({ password });
      }
    });

    it('hides keys, auth hashes and form tokens wherever they stand, and nothing else', async () => {
      await press('login_first');
      const secrets = [
        visitor.cookies.get('sessionid'),
        visitor.cookies.get('lab_notebook'),
        String((await visitor.row())?.get('_auth_user_hash')),
      ] as string[];
      await press('set_cookie', { name: 'tea', cookie: 'a-value-that-is-no-secret' });
      for (const [name, fields] of [
        ['items', {}],
        ['values', {}],
        ['get', { key: '_auth_user_hash' }],
        ['get_cookie', { name: 'sessionid' }],
        ['ops', { ops: '[["attr", "session_key"]]' }],
        ['save', {}],
        ['cycle_key', {}],
        ['tabs_merge', {}],
        ['tabs_interrupt', {}],
      ] as const) {
        const { html } = await press(name, fields);
        secrets.push(visitor.cookies.get('sessionid') ?? secrets[0] ?? '');
        for (const secret of secrets) expect(html, name).to.not.include(secret);
        expect(html).to.include('a-value-that-is-no-secret');
        // The token of the page's own forms is there to be sent.
        expect(textOf(html)).to.not.include(visitor.cookies.get('csrftoken'));
      }
    });

    it('hides a secret in the base64 of the payload, and shows what stands before it', async () => {
      await visitor.get('/captcha/');
      const hash = 'f00dfeed'.repeat(8);
      await visitor.change((data) => {
        data.clear();
        data.update({ a: 1, _auth_user_hash: hash });
      });
      const { text } = await press('get', { key: 'a' });
      const payload = /session_data (\S+)/.exec(text)?.[1] ?? '';
      const { session_data } = await rowOf(visitor.cookies.get('sessionid') ?? '');
      if (session_data.startsWith('.')) expect(payload).to.match(/^\.\S{4}…$/);
      else {
        const read = Buffer.from(payload.replace(/•.*/, ''), 'base64url').toString();
        expect(read)
          .to.match(/^\{"a":1,"_auth_user_hash":"f00d/)
          .and.have.length.below(40);
      }
      expect(text).to.include('"_auth_user_hash":"f00d…"');
    });

    it('shows a row that does not verify as such', async () => {
      await press('set', { key: 'a', value: '1' });
      await site
        .knex('django_session')
        .where({ session_key: visitor.cookies.get('sessionid') })
        .update({ session_data: '.x<script>:y:z' });
      const { html, text } = await press('keys');
      expect(text).to.include('The signature does not match: for the server this session is empty.');
      expect(html).to.not.include('<script>');
    });

    it('shows an expired row as expired, which counts for none', async () => {
      const { text } = await press('set_expiry_seconds', { seconds: '-60' });
      expect(text).to.include('expired');
      expect((await press('keys')).text).to.include('session.keys() []');
    });

    describe('with two tabs at once', () => {
      it('merges what both wrote', async () => {
        await press('set', { key: 'theme', value: 'dark' });
        const { text } = await press('tabs_merge');
        expect(text).to.include('changes merged').and.include('{"theme":"dark", "tab_b":"bread", "tab_a":"tea"}');
        expect(Object.fromEntries((await visitor.row())?.items() ?? [])).to.deep.equal({
          theme: 'dark',
          tab_b: 'bread',
          tab_a: 'tea',
        });
      });

      it('keeps of one key the value that was saved last', async () => {
        const { text } = await press('tabs_same_key');
        expect(text).to.include('changes merged');
        expect((await visitor.row())?.get('colour')).to.equal('green');
      });

      it('gives all calls of a request its one deadline', async () => {
        const calls: { readonly method: string; readonly deadline: unknown }[] = [];
        const store = new Proxy(Object.assign(new MemoryStore(), { deadline: () => new Deadline(2.5) }), {
          get(target, name) {
            const member: unknown = Reflect.get(target, name);
            if (typeof member !== 'function') return member;
            return (...given: unknown[]) => {
              if (name !== 'deadline') {
                calls.push({ method: String(name), deadline: given.find((value) => value instanceof Deadline) });
              }
              return member.apply(target, given);
            };
          },
        });
        visitor = new Visitor(makeSite(site.knex, { lab: true, store: () => store }));
        await press('set', { key: 'theme', value: 'dark' });
        for (const name of ['tabs_merge', 'tabs_same_key', 'tabs_interrupt', 'tabs_logout', 'other_browser']) {
          calls.length = 0;
          await press(name);
          for (const { method, deadline } of calls) expect(deadline, `${name}: ${method}`).to.be.instanceOf(Deadline);
          // Of the form's request, and of the page after it.
          expect(new Set(calls.map(({ deadline }) => deadline)).size, name).to.equal(2);
        }
      });

      it('interrupts the one that writes into a session that was ended, and deletes its cookie when it comes again', async () => {
        await press('set', { key: 'theme', value: 'dark' });
        const { text } = await press('tabs_interrupt');
        expect(text)
          .to.include('interrupted, nothing saved')
          .and.include('the answer is 400')
          .and.include('There is no row.');
        expect(visitor.cookies.has('sessionid')).to.equal(false);
        expect(textOf((await visitor.get('/lab/')).text)).to.include('The page was loaded');
      });

      it('ends the login of both by a logout in one', async () => {
        await press('login_first');
        const { text } = await press('tabs_logout');
        expect(text).to.include('deletes the row').and.include('only reads, and answers').and.include('row deleted');
        expect(visitor.cookies.has('sessionid')).to.equal(false);
        expect((await visitor.me()).user).to.equal(null);
      });

      it('gives another browser a row of its own, and leaves none behind', async () => {
        await press('set', { key: 'theme', value: 'dark' });
        const before = await countSessions(site.knex);
        expect((await press('other_browser')).text)
          .to.include('comes without a cookie')
          .and.include('{"theme":"light"}');
        expect(await countSessions(site.knex)).to.equal(before);
      });
    });

    it('keeps the latest sixteen steps of each browser, and draws them', async () => {
      const fields = { csrfmiddlewaretoken: await visitor.token(), do: 'keys' };
      for (let i = 0; i < 20; i += 1) await visitor.postRaw('/lab/', fields);
      const { text } = await visitor.get('/lab/?step=10');
      expect([...text.matchAll(/<li value="(\d+)"/g)].map(([, number]) => Number(number))).to.deep.equal(
        Array.from({ length: 16 }, (_, index) => 20 - index),
      );
      expect(text)
        .to.include('Step 10:')
        .and.match(/<svg[^>]+width="936"/);
      expect(textOf((await new Visitor(site).get('/lab/')).text)).to.include('Nothing has happened yet');
    });

    describe('with another engine', () => {
      it('signed_cookies: shows what is in the cookie, and not so much that it could be sent', async () => {
        const other = makeSite(site.knex, {
          lab: true,
          store: (settings, now) => new SignedCookiesStore(settings, { now }),
        });
        visitor = new Visitor(other);
        const { html, text } = await press('set', { key: 'theme', value: 'dark' });
        const signature = visitor.cookies.get('sessionid')?.split(':').at(-1) ?? '';
        expect(text).to.include('the whole session is the cookie').and.include('{"theme":"dark"}');
        expect(text).to.include(`${signature.slice(0, 4)}…`);
        expect(html).to.not.include(signature);
        expect((await press('tabs_merge')).text).to.include('not done: This engine keeps no rows');
        expect((await press('login_first')).text).to.include('Logged in as alice.');
      });

      it('memory: shows the row, and merges', async () => {
        const other = makeSite(site.knex, { lab: true, store: (_, now) => new MemoryStore({ now }) });
        visitor = new Visitor(other);
        expect((await press('set', { key: 'theme', value: 'dark' })).text)
          .to.include('row created')
          .and.include('14 days left');
        expect((await press('tabs_merge')).text).to.include('changes merged');
      });

      it('one that cannot show rows: says what the dictionary answers', async () => {
        const other = makeSite(site.knex, { lab: true, store: (_, now) => new Unshowable({ now }) });
        visitor = new Visitor(other);
        await press('set', { key: 'theme', value: 'dark' });
        expect((await press('get', { key: 'theme' })).text).to.include('session.get("theme") "dark"');
        expect((await press('tabs_merge')).text).to.include('not done: This engine keeps no rows');
      });
    });

    it('starts over: no session, no steps', async () => {
      await press('set', { key: 'a', value: '1' });
      const { location, text } = await press('start_over');
      expect(location).to.equal('/lab/');
      expect(text).to.include('Nothing has happened yet');
      expect([...visitor.cookies.keys()]).to.deep.equal(['csrftoken']);
    });

    it('refuses a step that it does not know, and one without a token', async () => {
      for (const name of ['', 'constructor', '__proto__', 'eval']) {
        expect((await visitor.post('/lab/', { do: name })).status).to.equal(400);
      }
      expect((await visitor.postRaw('/lab/', { do: 'flush' })).status).to.equal(403);
    });

    it('allows its own script, and none in the page', async () => {
      const { headers, text } = await visitor.get('/lab/');
      expect(headers['content-security-policy']).to.include("script-src 'self'").and.not.include('unsafe');
      expect(text.match(/<script/g)).to.deep.equal(['<script']);
      expect(text).to.not.match(/ style=| on\w+=/);
    });

    it('answers 503 when the store is away, and notes no step', async () => {
      const away = makeSite(site.knex, { lab: true });
      const other = new Visitor(away);
      const token = await other.token();
      away.store.stored = async () => {
        throw new StoreUnavailable('away');
      };
      other.cookies.set('sessionid', 'a'.repeat(32));
      const answer = await other.postRaw('/lab/', { csrfmiddlewaretoken: token, do: 'keys' });
      expect(answer.status).to.equal(503);
    });
  });

  describe('explained', () => {
    it('has twelve pages, each claim with a button or a link', async () => {
      const index = await visitor.get('/lab/explained/');
      const pages = [...index.text.matchAll(/href="(\/lab\/explained\/\w+\/)"/g)].map(([, href]) => href ?? '');
      expect(pages).to.have.lengthOf(12);
      for (const path of pages) {
        const { status, text } = await visitor.get(path);
        expect(status, path).to.equal(200);
        const claims = text.split('<li id="').slice(1);
        expect(claims.length, path).to.be.at.least(3);
        for (const claim of claims)
          expect(claim, path).to.match(/<button type="submit" name="do"|<a class="button" href="/);
      }
    });

    for (const language of ['en', 'zh-hans'] as const) {
      it(`does in ${language} what each button says, and shows it beside the claim`, async () => {
        const { lab } = messages(language);
        visitor.cookies.set('django_language', language);
        for (const [chapter, presses] of Object.entries(PRESSES)) {
          for (const [name, press] of Object.entries(presses) as [string, Press][]) {
            if (press.do === undefined) {
              expect((await visitor.get(press.href ?? '')).status).to.equal(200);
              continue;
            }
            const fields = { do: press.do, claim: `${chapter}.${name}`, typed: 'x', ...press.fields };
            const sent = await visitor.post('/lab/', fields);
            expect(sent.headers.location).to.match(new RegExp(`^/lab/explained/${chapter}/\\?step=\\d+#${name}$`));
            const { text } = await visitor.get(sent.headers.location?.replace(/#.*/, '') ?? '');
            const claim = text.slice(text.indexOf(`<li id="${name}"`)).split('<li id="')[1] ?? '';
            expect(claim, `${chapter}.${name}`).to.include('class="effect"').and.include(lab.row_title);
            // What is refused in these pages is refused by design.
            const bad = /class="result bad"/.test(claim);
            expect(bad, `${chapter}.${name}: ${textOf(claim).slice(0, 400)}`).to.equal(
              ['limits.large', 'signed.found', 'sessions.interrupted'].includes(`${chapter}.${name}`),
            );
          }
        }
      });
    }

    it('knows no other page, and no claim that stands on none', async () => {
      for (const path of ['/lab/explained/nowhere/', '/lab/explained/__proto__/', '/lab/explained/constructor/']) {
        expect((await visitor.get(path)).status).to.equal(404);
      }
      for (const claim of ['//evil.example', 'what.__proto__', 'constructor.constructor', 'what']) {
        const { headers } = await visitor.post('/lab/', { do: 'keys', claim });
        expect(headers.location).to.match(/^\/lab\/\?step=\d+#step$/);
      }
    });
  });

  async function rowOf(session_key: string): Promise<{ session_data: string; expire_date: Date }> {
    return site.knex('django_session').where({ session_key }).first();
  }
});

/** As a store that an application wrote before there was `stored`. */
class Unshowable extends MemoryStore {
  override stored = undefined as never;
}

interface Page {
  readonly location: string;
  readonly sent: Answer;
  readonly html: string;
  readonly text: string;
}

/** What a page says, each run of blanks as one. */
function textOf(html: string): string {
  const entities: Readonly<Record<string, string>> = { quot: '"', '#39': "'", amp: '&', lt: '<', gt: '>', '#92': '\\' };
  return html
    .replace(/<[^>]+>/g, ' ')
    .replace(/&(#?\w+);/g, (entity, name: string) => entities[name] ?? entity)
    .replace(/\s+/g, ' ');
}
