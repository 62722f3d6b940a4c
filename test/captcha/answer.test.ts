/** The captcha's answer in a session: accepted once, for ten minutes, and never by a malformed value. */
import { createHash, createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  acceptCaptcha,
  CAPTCHA_AGE,
  CAPTCHA_ALPHABET,
  CAPTCHA_LENGTH,
  captchaHash,
  keepCaptcha,
  newCaptchaText,
} from '../../server/captcha/index.js';
import { SessionCodec } from '../../server/session/codec.js';
import { Session } from '../../server/session/session.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { defineSettings } from '../../server/settings.js';

const settings = defineSettings({ SECRET_KEY: 'captcha-test-key' });
const START = 1_767_225_600;

describe('captcha answer', () => {
  const clock = { now: START };
  const now = (): number => clock.now;
  let store: MemoryStore;
  const codec = new SessionCodec(settings, { now });
  const at = () => ({ settings, now: clock.now });

  beforeEach(() => {
    clock.now = START;
    store = new MemoryStore({ now });
  });

  async function open(session_key: string | null = null): Promise<Session> {
    const session = new Session({ store, codec, settings, session_key, now });
    await session.load();
    return session;
  }

  /** A row with a picture showing R3WDAX, as another request left it. */
  async function keyWithPicture(): Promise<string> {
    const session = await open();
    keepCaptcha(session, 'R3WDAX', at());
    await session.save();
    return session.session_key ?? '';
  }

  it("is kept as the hex of Django's salted_hmac, with its end", async () => {
    const session = await open(await keyWithPicture());
    const key = createHash('sha256').update('koa_django_session.captchacaptcha-test-key').digest();
    const hash = createHmac('sha256', key).update('r3wdax').digest('hex');
    expect(session.get('captcha')).to.deep.equal({ hash, expires: START + CAPTCHA_AGE });
  });

  for (const typed of ['R3WDAX', 'r3wdax', ' R3wDaX\n']) {
    it(`is accepted as ${JSON.stringify(typed)}`, async () => {
      expect(await acceptCaptcha(await open(await keyWithPicture()), typed, at())).to.equal(true);
    });
  }

  for (const [shown, typed] of [
    ['5U2TL6', 'SVZ71G'],
    ['5U2TL6', 'svztig'],
    ['5U2TL6', '5u27l6'],
    // An application's own alphabet.
    ['SVZ71G', 'svz71g'],
  ] as const) {
    it(`that shows ${shown} is accepted as ${typed}, which looks the same`, async () => {
      const session = await open();
      keepCaptcha(session, shown, at());
      await session.save();
      expect(await acceptCaptcha(session, typed, at())).to.equal(true);
    });
  }

  it('has no character in its alphabet for which another one counts', async () => {
    for (const shown of CAPTCHA_ALPHABET) {
      for (const typed of CAPTCHA_ALPHABET) {
        const session = await open();
        keepCaptcha(session, shown, at());
        await session.save();
        expect(await acceptCaptcha(session, typed, at()), `${shown} as ${typed}`).to.equal(shown === typed);
      }
    }
  });

  const wrong = [
    '',
    ' ',
    'R3WDA',
    'R3WDAXX',
    'R3 WDAX',
    'Ｒ3WDAX',
    'R3WDAX\0',
    'undefined',
    '[object Object]',
    'ſ'.repeat(6),
    'A'.repeat(1e6),
  ];
  for (const typed of wrong) {
    it(`is refused as ${JSON.stringify(typed.slice(0, 20))}`, async () => {
      expect(await acceptCaptcha(await open(await keyWithPicture()), typed, at())).to.equal(false);
    });
  }

  it('counts once when right', async () => {
    const key = await keyWithPicture();
    expect(await acceptCaptcha(await open(key), 'R3WDAX', at())).to.equal(true);
    expect(await acceptCaptcha(await open(key), 'R3WDAX', at())).to.equal(false);
  });

  it('counts no more after a wrong try', async () => {
    const key = await keyWithPicture();
    expect(await acceptCaptcha(await open(key), 'WRONG7', at())).to.equal(false);
    expect(await acceptCaptcha(await open(key), 'R3WDAX', at())).to.equal(false);
  });

  it('is accepted once of fifty tries at the same time', async () => {
    const key = await keyWithPicture();
    const tries = await Promise.all(
      Array.from({ length: 50 }, async () => acceptCaptcha(await open(key), 'R3WDAX', at())),
    );
    expect(tries.filter((accepted) => accepted)).to.have.lengthOf(1);
  });

  it("waits for the row's lock only where another request wrote the row meanwhile", async () => {
    let locks = 0;
    class CountedStore extends MemoryStore {
      override modify(...given: Parameters<MemoryStore['modify']>): Promise<void> {
        locks += 1;
        return super.modify(...given);
      }
    }
    store = new CountedStore({ now });
    const alone = await open(await keyWithPicture());
    expect(await acceptCaptcha(alone, 'R3WDAX', at())).to.equal(true);
    expect(locks).to.equal(0);
    const key = await keyWithPicture();
    const [session, other] = [await open(key), await open(key)];
    other.set('basket', 1);
    await other.save();
    expect(await acceptCaptcha(session, 'R3WDAX', at())).to.equal(true);
    expect(locks).to.equal(1);
    expect((await open(key)).get('basket')).to.equal(1);
  });

  it('leaves what the request has set before unsaved, and in its session', async () => {
    const key = await keyWithPicture();
    const session = await open(key);
    session.set('username', 'alice');
    expect(await acceptCaptcha(session, 'R3WDAX', at())).to.equal(true);
    expect([session.get('username'), session.has_key('captcha')]).to.deep.equal(['alice', false]);
    expect((await open(key)).keys()).to.deep.equal([]);
    await session.save();
    expect((await open(key)).get('username')).to.equal('alice');
  });

  it('ends after ten minutes', async () => {
    const key = await keyWithPicture();
    clock.now = START + CAPTCHA_AGE;
    expect(await acceptCaptcha(await open(key), 'R3WDAX', at())).to.equal(false);
  });

  it('belongs to its session', async () => {
    await keyWithPicture();
    expect(await acceptCaptcha(await open(), 'R3WDAX', at())).to.equal(false);
    expect(await acceptCaptcha(await open('a'.repeat(32)), 'R3WDAX', at())).to.equal(false);
  });

  it('goes with the row when the row is deleted meanwhile', async () => {
    const session = await open(await keyWithPicture());
    session.get('captcha');
    await store.delete(session.session_key ?? '');
    expect(await acceptCaptcha(session, 'R3WDAX', at())).to.equal(false);
  });

  it('of an older picture does not count for a new one', async () => {
    const session = await open(await keyWithPicture());
    keepCaptcha(session, 'PKL973', at());
    await session.save();
    expect(await acceptCaptcha(session, 'R3WDAX', at())).to.equal(false);
  });

  it('leaves the rest of the session alone', async () => {
    const session = await open(await keyWithPicture());
    session.set('theme', 'dark');
    await session.save();
    await acceptCaptcha(session, 'R3WDAX', at());
    expect((await open(session.session_key)).items()).to.deep.equal([['theme', 'dark']]);
  });

  describe('malformed in the session', () => {
    const hash = captchaHash('R3WDAX', settings);
    const soon = START + 60;
    const malformed: unknown[] = [
      true,
      'R3WDAX',
      7,
      [],
      [hash, soon],
      {},
      { hash },
      { expires: soon },
      { hash: null, expires: soon },
      { hash: [hash], expires: soon },
      { hash: '', expires: soon },
      { hash: hash.toUpperCase(), expires: soon },
      { hash: `${hash}0`, expires: soon },
      { hash, expires: String(soon) },
      { hash, expires: true },
      { hash, expires: null },
      { hash, expires: [soon] },
      { hash, expires: Number.NaN },
      { hash, expires: Number.POSITIVE_INFINITY },
      { hash, expires: 10n ** 30n },
    ];
    for (const value of malformed) {
      it(`as ${inspect(value, { breakLength: Infinity })} never passes`, async () => {
        const session = await open();
        session.set('captcha', value);
        await session.save();
        expect(await acceptCaptcha(session, 'R3WDAX', at())).to.equal(false);
      });
    }

    it('as any JSON at all never passes and never throws', async () => {
      await fc.assert(
        fc.asyncProperty(fc.jsonValue(), fc.string(), async (value, typed) => {
          const session = await open();
          session.set('captcha', value);
          await session.save();
          expect(await acceptCaptcha(session, typed, at())).to.equal(false);
        }),
        { numRuns: 200 },
      );
    });
  });
});

describe('captcha text', () => {
  it('has six characters, none of which look alike', () => {
    for (let i = 0; i < 200; i += 1) expect(newCaptchaText()).to.match(/^[ACEHLMPTU23569]{6}$/);
  });

  it('uses every character about as often', () => {
    const counts = new Map<string, number>();
    const each = 1000;
    for (let i = 0; i < (each * CAPTCHA_ALPHABET.length) / CAPTCHA_LENGTH; i += 1) {
      for (const character of newCaptchaText()) counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    // 1000 of each are expected; ten standard deviations are about 310.
    for (const character of CAPTCHA_ALPHABET) expect(counts.get(character)).to.be.within(690, 1310);
  });
});
