/** Where a user is logged in, beside running Django: what Django began is listed and ended here, a new password counts there. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { validate_password } from '../../../server/auth/password_validation.js';
import { ValidationError } from '../../../server/errors.js';
import { reasonOf } from '../../support/reason.js';
import { Browser } from '../browser.js';
import { since } from '../environments.js';
import { eachDjango, eachSite, keyOf, login, makeUser, me, ops, type Pair, row, SIDES } from '../pairs.js';

const HTML = { accept: 'text/html' };

/** The page of a user's sessions: the ids of its buttons, this session's first, and a token for a form. */
async function sessionsOf({ urls }: Pair, browser: Browser): Promise<{ ids: string[]; token: string }> {
  const { text } = await browser.get(`${urls.koa}/sessions/`, HTML);
  const ids = Array.from(text.matchAll(/name="end" value="(\w+)"/g), ([, id = '']) => id);
  return { ids, token: /name="csrfmiddlewaretoken"\s+value="(\w+)"/.exec(text)?.[1] ?? '' };
}

await eachSite((django, pair, site) => {
  it('a session that Django began is listed from its first request here on, and ended at Django by a button', async () => {
    const both = await pair();
    const user = await makeUser(both);
    const [mine, djangos] = [new Browser(), new Browser()];
    await login(both, 'koa', mine, user.username, user.password);
    await login(both, 'django', djangos, user.username, user.password);
    expect((await sessionsOf(both, mine)).ids).to.have.lengthOf(1);
    expect(await me(both, 'koa', djangos)).to.equal(user.username);
    // Another process would write it a quarter of a second later; the list of this one knows it at once.
    const { ids, token } = await sessionsOf(both, mine);
    expect(ids).to.have.lengthOf(2);
    const form = { end: ids[1] ?? '', csrfmiddlewaretoken: token };
    await mine.post(`${both.urls.koa}/sessions/`, { form, headers: HTML });
    expect(await row(both, djangos)).to.equal(undefined);
    for (const side of SIDES) expect(await me(both, side, djangos), side).to.equal(null);
    for (const side of SIDES) expect(await me(both, side, mine), side).to.equal(user.username);
  });

  // Of whatever shape users are, the rest is the same.
  if (site.name !== '') return;

  it('a logout at Django takes its session out of the list', async () => {
    const both = await pair();
    const user = await makeUser(both);
    const [mine, other] = [new Browser(), new Browser()];
    for (const browser of [mine, other]) await login(both, 'koa', browser, user.username, user.password);
    expect((await sessionsOf(both, mine)).ids).to.have.lengthOf(2);
    await ops(both, 'django', other, ['flush']);
    expect((await sessionsOf(both, mine)).ids).to.have.lengthOf(1);
  });

  // Its PBKDF2 has fewer iterations than ours at the least, so it hashes the password anew at the next login there, which ends
  // this side's session as well.
  if (!since(django, 4, 2)) return;

  it('a password that is changed here logs in at Django, and Django’s other sessions have ended', async () => {
    const both = await pair();
    const user = await makeUser(both);
    const [mine, djangos] = [new Browser(), new Browser()];
    await login(both, 'koa', mine, user.username, user.password);
    await login(both, 'django', djangos, user.username, user.password);
    const before = keyOf(mine);
    const { token } = await sessionsOf(both, mine);
    const [changed, first] = ['a staple of horses', 'new_password1'];
    const form = { old_password: user.password, [first]: changed, new_password2: changed, csrfmiddlewaretoken: token };
    const answer = await mine.post(`${both.urls.koa}/password/`, { form, headers: HTML });
    expect([answer.status, answer.headers.location]).to.deep.equal([302, '/sessions/']);
    expect(keyOf(mine)).to.not.equal(before);
    for (const side of SIDES) {
      expect(await me(both, side, djangos), side).to.equal(null);
      expect(await me(both, side, mine), side).to.equal(user.username);
      const again = new Browser();
      await login(both, side, again, user.username, changed);
      expect(await me(both, side, again), side).to.equal(user.username);
    }
  });
});

/** Prints Django's verdicts on passwords of a user, as lists of codes. */
const ASK_DJANGO = `
import json, sys
from django.conf import settings
settings.configure(USE_I18N=False, AUTH_PASSWORD_VALIDATORS=[
    {"NAME": "django.contrib.auth.password_validation." + name}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")])
from django.contrib.auth.password_validation import CommonPasswordValidator, validate_password
from django.core.exceptions import FieldDoesNotExist, ValidationError
class Meta:
    def get_field(self, name): raise FieldDoesNotExist
class User: pass
user, passwords = json.loads(sys.stdin.read())
u = User(); u._meta = Meta(); u.__dict__.update(user)
def codes(password):
    try: validate_password(password, u)
    except ValidationError as error: return [e.code for e in error.error_list]
    return []
print(json.dumps([[codes(p) for p in passwords], sorted(CommonPasswordValidator().passwords)]))
`;

const USER = {
  username: 'Jörg.Müller-Lüdenscheidt',
  first_name: 'İstanbul',
  last_name: "O'Hara Σίσυφος",
  email: 'j+x@ex-ample.org',
};

const PASSWORDS: readonly string[] = [
  '',
  ' ',
  'a',
  '1234567',
  '12345678',
  ' Password1 ',
  '\u2003qwertyuiop\u0085',
  '\ufeffpassword1',
  'correct horse',
  '١٢٣٤٥٦٧٨',
  '²²²²²²²²',
  '①②③④⑤⑥⑦⑧',
  '½½½½½½½½',
  '一二三四五六七八',
  '\u{1D7CE}'.repeat(8),
  '\u{1F100}'.repeat(8),
  '1_234_567',
  'jörg',
  'JÖRG.MÜLLER',
  'ludenscheidt',
  'lüdenscheidt1',
  'müller-lüdenscheid',
  'istanbul1',
  'i̇stanbul',
  'İSTANBUL1',
  'σίσυφος1',
  'ΣΊΣΥΦΟΣ',
  "o'hara σί",
  'haraohara',
  'ex-ample.org',
  'example.org',
  'elpmaxe.gro',
  'j+x@ex-ample.orgx',
  'x'.repeat(4000),
  'ample'.repeat(4),
  '\u{1F600}'.repeat(4),
  '\u{1F600}'.repeat(8),
  'a\u0301'.repeat(4),
  'straße123',
  'STRASSE1',
];

await eachDjango((django) => {
  it('judges passwords as Django does, and knows the same common ones', async () => {
    const asked = promisify(execFile)(django.python, ['-c', ASK_DJANGO], { maxBuffer: 10_000_000 });
    asked.child.stdin?.end(JSON.stringify([USER, PASSWORDS]));
    const [verdicts, common] = JSON.parse((await asked).stdout) as [string[][], string[]];
    const ours = async (password: string): Promise<string[]> => {
      const error = await reasonOf(validate_password(password, { user: USER }));
      return error instanceof ValidationError ? error.problems.map(({ code }) => code) : [];
    };
    const pairs = async (given: (password: string, index: number) => unknown): Promise<unknown[]> =>
      Promise.all(PASSWORDS.map(async (password, index) => [password, await given(password, index)]));
    expect(await pairs(ours)).to.deep.equal(await pairs((_password, index) => verdicts[index]));
    // Its list was another one then; ours is that of the newest.
    if (!since(django, 4, 2)) return;
    const unknown: string[] = [];
    // Django 4.2's list has hexadecimal codes of bytes, too, which its makers left out later.
    for (const password of common.filter((each) => !each.startsWith('$hex['))) {
      if (!(await ours(password)).includes('password_too_common')) unknown.push(password);
    }
    expect(unknown).to.deep.equal([]);
  });
});
