/** The same Cookie header, however odd, is the same visitor at both sides; and signed cookies pass between them. */
import { expect } from 'chai';
import { Browser, sendRaw } from '../browser.js';
import { type KoaSite, startKoaSite } from '../koa_site.js';
import { eachDjango, login, makeUser, other, type Pair, SIDES, type Side } from '../pairs.js';

/**
 * `A` and `B` stand for the session keys of two users who are logged in. None ends with U+00A0: Python's
 * development server strips that from every header, which servers for production do not.
 */
const HEADERS: readonly string[] = [
  'sessionid=A',
  'sessionid=A; sessionid=B',
  'sessionid=B;sessionid=A',
  'sessionid=A;;; ; sessionid=B',
  'sessionid=A; sessionid=',
  'sessionid=; sessionid=A',
  'sessionid=A; sessionid',
  'sessionid="A"',
  'sessionid="A',
  'sessionid=A"',
  "sessionid='A'",
  'sessionid="A"; sessionid="B"',
  'sessionid="\\101"; sessionid=A',
  'sessionid="\\A"',
  'sessionid=A ',
  'sessionid= A',
  'sessionid =A',
  ' sessionid=A',
  '\tsessionid=A',
  'sessionid\t=\tA',
  'sessionid=A\t',
  'sessionid = A ; other=1',
  'SESSIONID=A',
  'Sessionid=A; sessionid=B',
  'sessionid=A, sessionid=B',
  'sessionid=A,B',
  'other=1,sessionid=A',
  'sessionid=A=',
  '=sessionid=A',
  'sessionid==A',
  '=A',
  'A',
  '=; sessionid=A',
  ';sessionid=A;',
  ';;;;',
  'other="x; sessionid=A',
  'other="x; sessionid=A; y"',
  'other="x\\"; sessionid=A',
  'other={"a": "b; sessionid=A"}',
  'other=(x; sessionid=A)',
  '$Version=1; sessionid=A; $Path=/',
  'sessionid=A; Path=/; HttpOnly',
  'sessionid:x=A; sessionid=B',
  'a[sessionid]=A; sessionid=B',
  'sessionid[]=A',
  '__proto__=A; sessionid=B',
  'constructor=A; toString=B',
  'sessionid=%41; sessionid=A',
  'sessionid=A%3B',
  'sessionid=A%00',
  'sessionid=A+B',
  'sessionid=A.B',
  'sessionid=A\u00e9',
  'caf\u00e9=1; sessionid=A',
  'caf\u00e9; sessionid=A',
  'sessionid=\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587; sessionid=A',
  'sessionid=\u00a0A',
  'sessionid=A\u00a0; x=1',
  '\u00a0sessionid\u00a0=A',
  'sessionid=\u2003A',
  'sessionid=\u0085A',
  'sessionid=short; other=A',
  'sessionid=A; csrftoken="; sessionid=B',
  'sessionid="\\000A"',
  'sessionid="A\\073"',
  'sessionid="\\1"; sessionid=A',
  'sessionid="A\\',
  'sessionid=""A""',
  'sessionid=" A "',
  'sessionid=null; sessionid=A',
  'sessionid=*',
  "sessionid=' OR '1'='1; sessionid=A",
  'sessionid=A\\',
  'sessionid=undefined',
  `${'x=y; '.repeat(400)}sessionid=A`,
  `sessionid=A; long=${'z'.repeat(6000)}`,
  `sessionid=${'k'.repeat(5000)}; other=A`,
  `sessionid=${'k'.repeat(41)}`,
];

/** Bytes that are no text: sent as latin-1, so that what stands here is what goes over the wire. */
const BYTES: readonly string[] = [
  'sessionid=A; other=\x80\xff',
  'sessionid=\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8; sessionid=A',
  'sessionid=A\xa0; x=1',
  '\xe4\xb8=\xad; sessionid=A',
  'sessionid=A; sessionid=\xc3\x28',
];

/** Up to U+00FF: a WSGI server cannot send other characters in a header. */
const VALUES: readonly string[] = ['plain', '', 'a:b:c', 'caf\u00e9', ' "quoted"; \\ ', '\u0000', 'x'.repeat(3000)];

await eachDjango((_django, pair) => {
  let both: Pair;
  let site: KoaSite;

  before(async () => {
    both = await pair();
    site = await startKoaSite(both.values);
  });
  after(() => site.close());

  describe('the Cookie header', () => {
    let keys: { A: string; B: string };
    let names: { A: string; B: string };

    before(async () => {
      const [a, b] = [await makeUser(both), await makeUser(both)];
      const keyOf = async ({ username, password }: { username: string; password: string }): Promise<string> => {
        const browser = new Browser();
        await login(both, 'django', browser, username, password);
        return browser.jar.get('sessionid') ?? '';
      };
      keys = { A: await keyOf(a), B: await keyOf(b) };
      names = { A: a.username, B: b.username };
    });

    const visitor = async (side: Side, line: Buffer): Promise<string> => {
      const path = side === 'django' ? '/django/me/' : '/api/me/';
      const { status, body } = await sendRaw(both.urls[side] + path, [line]);
      if (status !== 200) return String(status);
      const { user } = JSON.parse(body) as { user: { username: string } | null };
      if (user === null) return 'nobody';
      return user.username === names.A ? 'A' : user.username === names.B ? 'B' : user.username;
    };

    for (const [encoding, headers] of [
      ['utf8', HEADERS],
      ['latin1', BYTES],
    ] as const) {
      for (const header of headers) {
        const shown = JSON.stringify(header.length > 80 ? `${header.slice(0, 60)}\u2026 (${header.length})` : header);
        it(`${shown}${encoding === 'latin1' ? ' as bytes' : ''} is one visitor with the same cookies at both`, async () => {
          const filled = header.replaceAll('A', keys.A).replaceAll('B', keys.B);
          const line = Buffer.from(`Cookie: ${filled}`, encoding);
          const there = await visitor('django', line);
          // PostgreSQL refuses a NUL in a key, and Django answers 500 to it; here it is no session.
          expect(await visitor('koa', line)).to.equal(there === '500' ? 'nobody' : there);

          const cookies = await sendRaw(`${both.urls.django}/django/cookies/`, [line]);
          const ours = await sendRaw(`${site.url}/cookies/`, [line]);
          expect(JSON.parse(ours.body)).to.deep.equal(JSON.parse(cookies.body));
        });
      }
    }
  });

  describe('signed cookies', () => {
    const url = (side: Side, query: Record<string, string>): string =>
      `${side === 'django' ? `${both.urls.django}/django` : site.url}/signed-cookie/?${new URLSearchParams(query)}`;

    for (const side of SIDES) {
      for (const salt of ['', 'a salt', 'caf\u00e9']) {
        it(`of ${side} with salt ${JSON.stringify(salt)} are read by ${other(side)}`, async () => {
          for (const value of VALUES) {
            const browser = new Browser();
            await browser.get(url(side, { salt, set: value }));
            expect(browser.jar.has('signed')).to.equal(true);
            for (const at of SIDES) {
              expect((await browser.get(url(at, { salt }))).json, at).to.deep.equal({ value });
              expect((await browser.get(url(at, { salt: `${salt}x` }))).json).to.deep.equal({ raises: 'BadSignature' });
            }
          }
        });
      }

      it(`of ${side} are refused by ${other(side)} when one character is another`, async () => {
        const browser = new Browser();
        await browser.get(url(side, { set: 'value' }));
        const signed = browser.jar.get('signed') ?? '';
        for (const changed of [`w${signed.slice(1)}`, signed.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))]) {
          browser.jar.set('signed', changed);
          const seen = (await browser.get(url(other(side), {}))).json;
          expect(seen).to.deep.equal({ raises: 'BadSignature' });
        }
      });
    }
  });
});
