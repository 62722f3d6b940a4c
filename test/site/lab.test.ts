/** The lab: operations on the session as JSON, and a page that shows what really is there. */
import { expect } from 'chai';
import type { Answer } from '../http/serve.js';
import { closeServers } from '../http/serve.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { ALICE, addUsers, startSite, type TestSite, Visitor } from './visitor.js';

describe('/lab/', () => {
  let database: TestDatabase;
  let site: TestSite;
  let visitor: Visitor;

  before(async () => {
    database = await testDatabase();
    await addUsers(database.knex);
    site = await startSite(database.knex, { lab: true });
  });
  after(async () => {
    await closeServers();
    await database.drop();
  });
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

  it('is not there without lab', async () => {
    const plain = await startSite(database.knex);
    visitor = new Visitor(plain);
    expect((await visitor.get('/lab/')).status).to.equal(404);
    expect((await run(['keys'])).status).to.equal(404);
    expect((await visitor.get('/index1/')).text).to.not.include('/lab/');
  });

  describe('as a page', () => {
    it('shows the cookies of the request, the row, its decoded data and the cookies of its own answer', async () => {
      await visitor.logIn(ALICE);
      // Shows what the login said, so that the next answer does not.
      await visitor.get('/index1/');
      const { text, set_cookie } = await visitor.get('/lab/');
      const key = visitor.cookies.get('sessionid') ?? '';
      expect(text)
        .to.include(`${key.slice(0, 8)}…`)
        .and.not.include(key);
      expect(text)
        .to.include('&quot;_auth_user_id&quot;: &quot;')
        .and.include('&quot;_auth_user_hash&quot;: &quot;***&quot;');
      const hash = (await visitor.session())?.get('_auth_user_hash');
      expect(text).to.not.include(String(hash));
      expect(set_cookie).to.have.lengthOf(1);
      expect(text).to.include(set_cookie[0]?.replace(/^(csrftoken=.{8})[^;]*/, '$1…'));
    });

    it('shows the cookie that its own save sends', async () => {
      await visitor.get('/captcha/');
      const { text, set_cookie } = await visitor.post('/lab/', { ops: '[["set", "a", 1]]' });
      expect(set_cookie.some((line) => line.startsWith('sessionid='))).to.equal(true);
      expect(text)
        .to.match(/sessionid=\w{8}…; expires=/)
        .and.include('&quot;results&quot;:[null]');
    });

    it('says what is wrong with operations', async () => {
      const answer = await visitor.post('/lab/', { ops: '[["fly"]]' });
      expect(answer.status).to.equal(400);
      expect(answer.text).to.include('the operation is unknown').and.include('[[&quot;fly&quot;]]');
    });

    it('shows a row that does not verify as such', async () => {
      await visitor.get('/captcha/');
      await database
        .knex('django_session')
        .where({ session_key: visitor.cookies.get('sessionid') })
        .update({ session_data: '.x<script>:y:z' });
      const { status, text } = await visitor.get('/lab/');
      expect(status).to.equal(200);
      expect(text).to.include('The signature does not verify').and.not.include('<script');
    });
  });
});
