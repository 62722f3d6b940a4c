/** The login page: captcha before password, one sentence for whatever is wrong, and `next` within the site only. */
import { expect } from 'chai';
import { LoginThrottle } from '../../server/auth/throttle.js';
import { type ProofOfWork, solveProofOfWork } from '../../server/captcha/index.js';
import type { Answer } from '../http/serve.js';
import { ALICE, countSessions, makeSite, SECRET_KEY, siteOfSuite, type TestSite, Visitor } from './visitor.js';

const WRONG = 'This user name and password do not match';
const NEEDED = 'Please type the password again, and the characters in the picture';
const WRONG_TASK = 'The task of your device is too old or was used already';
const WRONG_CAPTCHA = 'The characters did not match the picture';

describe('the login page', () => {
  const site = siteOfSuite();
  let visitor: Visitor;
  beforeEach(async () => {
    await site.knex('django_session').delete();
    visitor = new Visitor(site);
  });

  it('has the fields that clients rely on, and a label for each that is seen', async () => {
    const { text } = await visitor.get('/login/?next=/goods/');
    for (const name of ['username', 'password', 'captcha', 'next', 'csrfmiddlewaretoken']) {
      expect(text, name).to.match(new RegExp(`<input[^>]* name="${name}"`));
    }
    for (const name of ['username', 'password', 'captcha']) expect(text).to.include(`<label for="${name}">`);
    expect(text).to.include('name="next" value="/goods/"').and.include('src="/captcha/');
  });

  it('serves the picture as a PNG that nobody keeps, another one each time', async () => {
    const first = await visitor.get('/captcha/');
    const hash = (await visitor.row())?.get('captcha');
    await visitor.get('/captcha/');
    expect(first.headers['content-type']).to.equal('image/png');
    expect(first.headers['cache-control']).to.equal('no-store');
    expect((await visitor.row())?.get('captcha')).to.not.deep.equal(hash);
  });

  it('keeps the answer in the session as a hash and an end, and nothing else of it', async () => {
    await visitor.get('/captcha/');
    const kept = (await visitor.row())?.get('captcha') as { hash: string; expires: number };
    expect(Object.keys(kept)).to.deep.equal(['hash', 'expires']);
    expect(kept.hash).to.match(/^[0-9a-f]{64}$/);
    expect(kept.expires).to.equal(site.clock.now + 600);
  });

  it('does not give a picture to another site', async () => {
    expect((await visitor.get('/captcha/', { headers: { 'Sec-Fetch-Site': 'cross-site' } })).status).to.equal(403);
    expect(await countSessions(site.knex)).to.equal(0);
  });

  it('says so when the captcha is wrong, keeps the user name and never the password', async () => {
    await visitor.solved();
    const answer = await visitor.post('/login/', { ...ALICE, captcha: 'WRONG7' });
    expect(answer.status).to.equal(200);
    expect(answer.text).to.include(WRONG_CAPTCHA).and.include('role="alert"').and.include('value="alice"');
    expect(answer.text).to.not.include(ALICE.password);
    expect((await visitor.me()).user).to.equal(null);
  });

  it('says in one line what was wrong, and puts the cursor where the password is typed again', async () => {
    const captcha = await visitor.solved();
    const misses = [
      [{ username: 'alice', password: 'wrong', captcha }, WRONG],
      [{ ...ALICE, captcha: 'WRONG7' }, WRONG_CAPTCHA],
      [{ username: 'alice', password: 'wrong', captcha: 'WRONG7' }, WRONG_CAPTCHA],
    ] as const;
    for (const [fields, sentence] of misses) {
      const { text } = await visitor.post('/login/', fields);
      expect(text.match(/role="alert"/g)).to.have.lengthOf(1);
      expect(/role="alert"[^>]*>([^<]*)</.exec(text)?.[1])
        .to.include(sentence)
        .and.include('type the password again');
      expect(/<input id="password"[^>]*>/.exec(text)?.[0])
        .to.include('autofocus')
        .and.not.include('value=');
      expect(/<input id="username"[^>]*>/.exec(text)?.[0]).to.include('value="alice"');
    }
  });

  it('takes an answer once', async () => {
    const captcha = await visitor.solved();
    await visitor.post('/login/', { username: 'alice', password: 'wrong', captcha });
    const again = await visitor.post('/login/', { ...ALICE, captcha });
    expect(again.text).to.include(WRONG_CAPTCHA);
    expect((await visitor.me()).user).to.equal(null);
  });

  it('accepts one of ten copies of a request sent at once', async () => {
    const captcha = await visitor.solved();
    const csrfmiddlewaretoken = await visitor.token();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => {
        const copy = new Visitor(site);
        for (const [name, value] of visitor.cookies) copy.cookies.set(name, value);
        return copy.postRaw('/login/', { ...ALICE, captcha, csrfmiddlewaretoken });
      }),
    );
    expect(answers.filter(({ status }) => status === 302)).to.have.lengthOf(1);
    expect(Math.max(...answers.map(({ status }) => status))).to.be.below(500);
  });

  it('never passes without the field, without a picture, or after ten minutes', async () => {
    await visitor.solved();
    expect((await visitor.post('/login/', ALICE)).text).to.include(WRONG_CAPTCHA);
    expect((await visitor.post('/login/', { ...ALICE, captcha: '' })).text).to.include(WRONG_CAPTCHA);
    const captcha = await visitor.solved();
    await visitor.change((data) =>
      data.set('captcha', { ...(data.get('captcha') as object), expires: site.clock.now }),
    );
    expect((await visitor.post('/login/', { ...ALICE, captcha })).text).to.include(WRONG_CAPTCHA);
  });

  it('tells a browser without cookies what the matter is', async () => {
    const answer = await visitor.post('/login/', { ...ALICE, captcha: 'R3WDAX' });
    expect(answer.text).to.include('Allow cookies');
  });

  it('says one and the same for a wrong password, an unknown user, an empty or impossible one', async () => {
    const tries = [
      { username: 'alice', password: 'wrong' },
      { username: 'nobody', password: 'wrong' },
      { username: '', password: '' },
      { username: 'a\0b', password: 'x' },
      { username: 'alice', password: 'x'.repeat(5000) },
      { username: 'x'.repeat(5000), password: 'x' },
      { username: '__proto__', password: 'constructor' },
    ];
    for (const fields of tries) {
      const answer = await visitor.post('/login/', { ...fields, captcha: await visitor.solved() });
      expect(answer.status).to.equal(200);
      expect(answer.text).to.include(WRONG);
    }
  });

  it('gives a new picture without counting it as a try, and keeps what was typed but the password', async () => {
    const captcha = await visitor.solved();
    const answer = await visitor.post('/login/', { ...ALICE, refresh: '1', next: '/goods/' });
    expect(answer.status).to.equal(200);
    expect(answer.text).to.include('value="alice"').and.include('value="/goods/"');
    expect(answer.text).to.not.include('role="alert"').and.not.include(ALICE.password);
    expect((await visitor.post('/login/', { ...ALICE, captcha })).status).to.equal(302);
  });

  it('refuses a form without its CSRF token', async () => {
    const captcha = await visitor.solved();
    expect((await visitor.postRaw('/login/', { ...ALICE, captcha })).status).to.equal(403);
  });

  it('gives a new session key, so that a planted one is worth nothing', async () => {
    await visitor.get('/captcha/');
    const planted = visitor.cookies.get('sessionid');
    await visitor.logIn(ALICE);
    expect(visitor.cookies.get('sessionid')).to.not.equal(planted);
  });

  for (const next of ['/goods/', '/index2/?a=1#b']) {
    it(`goes on to ${next}`, async () => {
      expect((await visitor.logIn(ALICE, next)).headers.location).to.equal(next);
    });
  }

  for (const next of [
    '//evil.example/',
    'https://evil.example/',
    '/\\evil.example',
    '\\\\evil.example',
    'javascript:alert(1)',
    ' //evil.example',
    '\t//evil.example',
    'http:///evil.example',
    '///evil.example',
    'https:evil.example',
    '/\t/evil.example',
    '\u0000//evil.example',
  ]) {
    it(`does not go on to ${JSON.stringify(next)}`, async () => {
      const location = (await visitor.logIn(ALICE, next)).headers.location ?? '';
      expect(new URL(location, 'http://site.example/').host).to.equal('site.example');
    });
  }

  it('escapes whatever comes back', async () => {
    const evil = '"><script>alert(1)</script>';
    const pages = [
      await visitor.get(`/login/?next=${encodeURIComponent(evil)}`),
      await visitor.post('/login/', { username: evil, password: evil, next: evil, captcha: evil }),
      await visitor.post('/login/', { username: evil, refresh: evil, next: evil }),
      await visitor.get(`/index1/?${evil}`),
      await visitor.get('/last-visit/', { headers: { Cookie: `last_visit=${evil}; last_visit_signed=${evil}` } }),
      await visitor.get(`/nowhere/${encodeURIComponent(evil)}`),
    ];
    for (const { text } of pages) {
      // The login page's own script is the only one.
      const scripts = text.match(/<script[^>]*>/g) ?? [];
      expect(
        scripts.filter((tag) => !/^<script src="\/static\/login_task\.js\?v=\w+" defer>$/.test(tag)),
      ).to.deep.equal([]);
      expect(text).to.not.include('alert(1)<');
    }
  });

  describe('with a task in place of the picture', () => {
    /** A task as the page's script asks for it, but easier: the work is tested elsewhere. */
    async function task(): Promise<string> {
      const answer = await visitor.post('/captcha/task/');
      expect(answer.status).to.equal(200);
      const given = JSON.parse(answer.text) as ProofOfWork;
      expect([given.parts, given.difficulty]).to.deep.equal([16, 16]);
      const easy = { ...given, parts: 2, difficulty: 8 };
      await visitor.change((data) =>
        data.set('proof_of_work', { ...(data.get('proof_of_work') as object), parts: 2, difficulty: 8 }),
      );
      return solveProofOfWork(easy);
    }

    it('logs in without the characters of a picture', async () => {
      const proof_of_work = await task();
      const answer = await visitor.post('/login/', { ...ALICE, proof_of_work });
      expect([answer.status, (await visitor.me()).user?.username]).to.deep.equal([302, 'alice']);
      expect((await visitor.row())?.has('proof_of_work')).to.equal(false);
    });

    it('accepts one of ten copies of a request sent at once', async () => {
      const proof_of_work = await task();
      const csrfmiddlewaretoken = await visitor.token();
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => {
          const copy = new Visitor(site);
          for (const [name, value] of visitor.cookies) copy.cookies.set(name, value);
          return copy.postRaw('/login/', { ...ALICE, proof_of_work, csrfmiddlewaretoken });
        }),
      );
      expect(answers.filter(({ status }) => status === 302)).to.have.lengthOf(1);
      expect(Math.max(...answers.map(({ status }) => status))).to.be.below(500);
    });

    it('says so when it counts no more, and lets the device begin anew', async () => {
      const proof_of_work = await task();
      await visitor.post('/login/', { username: 'alice', password: 'wrong', proof_of_work });
      const again = await visitor.post('/login/', { ...ALICE, proof_of_work });
      expect(again.text)
        .to.include('too old or was used already')
        .and.include(' data-start')
        .and.include('value="alice"');
      expect((await visitor.me()).user).to.equal(null);
    });

    it('never passes without work, for another visitor, or after ten minutes', async () => {
      for (const proof_of_work of ['0', '0.0', '1.2.3', 'x', '0.'.repeat(20_000)]) {
        await visitor.post('/captcha/task/');
        expect((await visitor.post('/login/', { ...ALICE, proof_of_work })).status).to.equal(200);
      }
      const proof_of_work = await task();
      const other = new Visitor(site);
      await other.post('/captcha/task/');
      expect((await other.post('/login/', { ...ALICE, proof_of_work })).status).to.equal(200);
      site.clock.now += 600;
      expect((await visitor.post('/login/', { ...ALICE, proof_of_work })).text).to.include('too old');
    });

    it('does not do in place of a picture that was asked for, and the other way round', async () => {
      const captcha = await visitor.solved();
      await task();
      expect((await visitor.post('/login/', { ...ALICE, captcha: 'WRONG7' })).text).to.include(WRONG_CAPTCHA);
      expect((await visitor.post('/login/', { ...ALICE, proof_of_work: captcha })).text).to.include('too old');
      expect((await visitor.me()).user).to.equal(null);
    });

    it('is given to a POST with a CSRF token alone', async () => {
      expect((await visitor.get('/captcha/task/')).status).to.equal(405);
      expect((await visitor.postRaw('/captcha/task/', {})).status).to.equal(403);
      expect(await countSessions(site.knex)).to.equal(0);
    });

    it('is offered by a button that only a script shows; the page lets its own scripts run, and no others', async () => {
      const { text, headers } = await visitor.get('/login/');
      expect(text)
        .to.match(/<div[^>]* id="task" hidden/)
        .and.include('with scripts allowed on this page');
      expect(headers['content-security-policy'])
        .to.include("default-src 'none'")
        .and.include("script-src 'self'")
        .and.not.include('unsafe');
      for (const path of ['/index1/', '/goods/', '/nowhere/']) {
        expect((await visitor.get(path)).headers['content-security-policy'] ?? '').to.not.include('script-src');
      }
    });
  });

  describe('a session that an application shortened', () => {
    for (const seconds of [3600, 3599, 60, 0]) {
      it(`keeps its set_expiry(${seconds}) over a login`, async () => {
        await visitor.get('/captcha/');
        // As a view of Django or of ours that calls set_expiry, before or after the picture.
        await visitor.change((data) => {
          data.set('_session_expiry', seconds);
          data.pop('login_form', null);
        });
        expect((await visitor.logIn(ALICE)).status).to.equal(302);
        expect((await visitor.row())?.get('_session_expiry')).to.equal(seconds);
      });
    }

    it('keeps what an application set after the picture was shown', async () => {
      await visitor.get('/captcha/');
      await visitor.change((data) => data.set('_session_expiry', 3600));
      await visitor.logIn(ALICE);
      expect((await visitor.row())?.get('_session_expiry')).to.equal(3600);
      expect((await visitor.row())?.has('login_form')).to.equal(false);
    });

    it('lives for SESSION_COOKIE_AGE after a login when the form alone had shortened it', async () => {
      await visitor.logIn(ALICE);
      expect((await visitor.row())?.has('_session_expiry')).to.equal(false);
    });
  });

  describe('with LOGIN_CAPTCHA=after_failures', () => {
    let lenient: TestSite;
    before(async () => {
      lenient = makeSite(site.knex, { settings: { LOGIN_CAPTCHA: 'after_failures' } });
    });
    beforeEach(() => {
      visitor = new Visitor(lenient);
    });

    it('shows no picture at first, and logs in without', async () => {
      expect((await visitor.get('/login/')).text).to.not.include('/captcha/');
      expect((await visitor.post('/login/', ALICE)).status).to.equal(302);
    });

    it('says of a task that was not accepted that it was the task', async () => {
      await visitor.post('/login/', { username: 'alice', password: 'wrong' });
      const answer = await visitor.post('/login/', { ...ALICE, proof_of_work: '0' });
      expect(answer.text).to.include(WRONG_TASK).and.not.include(NEEDED);
    });

    it('asks for one after a failure, until a login', async () => {
      const failed = await visitor.post('/login/', { username: 'alice', password: 'wrong' });
      expect(failed.text).to.include(WRONG).and.include('src="/captcha/');
      expect((await visitor.post('/login/', ALICE)).text).to.include(NEEDED);
      expect((await visitor.post('/login/', { ...ALICE, captcha: 'WRONG7' })).text).to.include(WRONG_CAPTCHA);
      expect((await visitor.logIn(ALICE)).status).to.equal(302);
      expect((await visitor.row())?.has('login_failed')).to.equal(false);
    });
  });

  describe('with a throttle', () => {
    const limits = { account: { free: 2, healsIn: 900, firstWait: 15, longestWait: 900 } };
    let guarded: TestSite;

    beforeEach(async () => {
      await site.knex('koa_login_attempts').delete();
      // The throttle asks its clock when it is made, before the site has one.
      guarded = site;
      const clock = (): number => guarded.clock.now;
      const throttle = new LoginThrottle(site.knex, { settings: { SECRET_KEY }, limits, now: clock });
      guarded = makeSite(site.knex, { throttle });
      visitor = new Visitor(guarded);
    });

    async function fail(): Promise<Answer> {
      return visitor.logIn({ username: 'alice', password: 'wrong' });
    }

    it('answers 429 and says how long to wait, also for the right password, until the wait is over', async () => {
      for (let i = 0; i < 2; i += 1) expect((await fail()).status).to.equal(200);
      const answer = await visitor.logIn(ALICE);
      expect([answer.status, answer.headers['retry-after']]).to.deep.equal([429, '15']);
      expect(answer.text).to.include('Please wait 15 seconds').and.include('role="alert"').and.include('value="alice"');
      guarded.clock.now += 15;
      expect((await visitor.logIn(ALICE)).status).to.equal(302);
    });

    it('counts no wrong captcha and no new picture', async () => {
      for (let i = 0; i < 5; i += 1) {
        await visitor.post('/login/', { ...ALICE, captcha: 'WRONG7' });
        await visitor.post('/login/', { ...ALICE, refresh: '1' });
      }
      expect((await visitor.logIn(ALICE)).status).to.equal(302);
    });

    it('asks a browser without failures for a captcha when the account had some, with after_failures', async () => {
      const throttle = new LoginThrottle(site.knex, { settings: { SECRET_KEY } });
      const lenient = makeSite(site.knex, { throttle, settings: { LOGIN_CAPTCHA: 'after_failures' } });
      for (let i = 0; i < 3; i += 1)
        await new Visitor(lenient).post('/login/', { username: 'alice', password: 'wrong' });
      const answer = await new Visitor(lenient).post('/login/', ALICE);
      expect(answer.text).to.include(NEEDED).and.include('src="/captcha/');
    });
  });

  it('with LOGIN_CAPTCHA=off asks for no captcha', async () => {
    visitor = new Visitor(makeSite(site.knex, { settings: { LOGIN_CAPTCHA: 'off' } }));
    await visitor.post('/login/', { username: 'alice', password: 'wrong' });
    expect((await visitor.get('/login/')).text).to.not.include('/captcha/');
    expect((await visitor.post('/login/', ALICE)).status).to.equal(302);
  });
});
