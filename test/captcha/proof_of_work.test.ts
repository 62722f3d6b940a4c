/** The task in place of the picture: solved by work, accepted once, for ten minutes, in its own session. */
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  acceptProofOfWork,
  CAPTCHA_AGE,
  newProofOfWork,
  PROOF_OF_WORK_DIFFICULTY,
  PROOF_OF_WORK_PARTS,
  type ProofOfWork,
  solveProofOfWork,
} from '../../server/captcha/index.js';
import { SessionCodec } from '../../server/session/codec.js';
import { Session } from '../../server/session/session.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { defineSettings } from '../../server/settings.js';

const settings = defineSettings({ SECRET_KEY: 'proof-of-work-test-key' });
const START = 1_767_225_600;
/** Little work, so that tests are quick. */
const EASY = { difficulty: 8, parts: 3 };

describe('proof of work', () => {
  const clock = { now: START };
  const now = (): number => clock.now;
  const codec = new SessionCodec(settings, { now });
  let store: MemoryStore;

  beforeEach(() => {
    clock.now = START;
    store = new MemoryStore({ now });
  });

  async function open(session_key: string | null = null): Promise<Session> {
    const session = new Session({ store, codec, settings, session_key, now });
    await session.load();
    return session;
  }

  async function withTask(): Promise<{ key: string; task: ProofOfWork; solution: string }> {
    const session = await open();
    const task = newProofOfWork(session, { now: clock.now, ...EASY });
    await session.save();
    return { key: session.session_key ?? '', task, solution: solveProofOfWork(task) };
  }

  const accepts = async (key: string | null, solution: string): Promise<boolean> =>
    acceptProofOfWork(await open(key), solution, { now: clock.now });

  it('is kept in the session with its end, and differs each time', async () => {
    const session = await open();
    const task = newProofOfWork(session, { now: START });
    expect(task.challenge).to.match(/^[0-9a-f]{32}$/);
    expect([task.parts, task.difficulty]).to.deep.equal([PROOF_OF_WORK_PARTS, PROOF_OF_WORK_DIFFICULTY]);
    expect(session.get('proof_of_work')).to.deep.equal({ ...task, expires: START + CAPTCHA_AGE });
    expect(newProofOfWork(session, { now: START }).challenge).to.not.equal(task.challenge);
  });

  it('asks for SHA-256 sums of challenge, part and nonce that begin with zero bits', async () => {
    const { task, solution } = await withTask();
    const sums = solution
      .split('.')
      .map((nonce, part) => createHash('sha256').update(`${task.challenge}:${part}:${nonce}`).digest('hex'));
    expect(sums.map((sum) => sum.slice(0, 2))).to.deep.equal(['00', '00', '00']);
  });

  it('accepts its solution once', async () => {
    const { key, solution } = await withTask();
    expect(await accepts(key, solution)).to.equal(true);
    expect(await accepts(key, solution)).to.equal(false);
  });

  it('counts no more after a wrong solution', async () => {
    const { key, solution } = await withTask();
    expect(await accepts(key, '1.2.3')).to.equal(false);
    expect(await accepts(key, solution)).to.equal(false);
  });

  it('is accepted once of fifty tries at the same time', async () => {
    const { key, solution } = await withTask();
    const tries = await Promise.all(Array.from({ length: 50 }, () => accepts(key, solution)));
    expect(tries.filter((accepted) => accepted)).to.have.lengthOf(1);
  });

  it('ends after ten minutes', async () => {
    const { key, solution } = await withTask();
    clock.now = START + CAPTCHA_AGE;
    expect(await accepts(key, solution)).to.equal(false);
  });

  it('belongs to its session', async () => {
    const { solution } = await withTask();
    const other = await withTask();
    expect(await accepts(other.key, solution)).to.equal(false);
    expect(await accepts(null, solution)).to.equal(false);
    expect(await accepts('a'.repeat(32), solution)).to.equal(false);
  });

  it('goes with the row when the row is deleted meanwhile', async () => {
    const { key, solution } = await withTask();
    const session = await open(key);
    session.get('proof_of_work');
    await store.delete(key);
    expect(await acceptProofOfWork(session, solution, { now: START })).to.equal(false);
  });

  it('leaves the rest of the session alone', async () => {
    const { key, solution } = await withTask();
    const session = await open(key);
    session.set('theme', 'dark');
    await session.save();
    expect(await accepts(key, solution)).to.equal(true);
    expect((await open(key)).items()).to.deep.equal([['theme', 'dark']]);
  });

  it('is not accepted as parts in another order, too few, too many, or spelled otherwise', async () => {
    const bent: readonly ((nonces: readonly string[]) => string)[] = [
      ([a, b, c]) => [b, c, a].join('.'),
      ([a, b]) => [a, b].join('.'),
      ([a, b, c]) => [a, b, c, c].join('.'),
      ([a, b, c]) => `${a}.${b}.${c}.`,
      ([a, b, c]) => ` ${a}.${b}.${c}`,
      ([a, b, c]) => `${a}.${b}.${c}e0`,
      ([a, b, c]) => `${a},${b},${c}`,
      () => '',
      () => '.'.repeat(1e6),
      () => '1'.repeat(1e6),
    ];
    for (const bend of bent) {
      const { key, solution } = await withTask();
      const text = bend(solution.split('.'));
      expect(text).to.not.equal(solution);
      expect(await accepts(key, text), text.slice(0, 60)).to.equal(false);
    }
  });

  for (const options of [
    { difficulty: 0 },
    { difficulty: 41 },
    { difficulty: 1.5 },
    { difficulty: Number.NaN },
    { parts: 0 },
    { parts: 65 },
  ]) {
    it(`refuses ${inspect(options)} and says what is allowed`, async () => {
      const session = await open();
      expect(() => newProofOfWork(session, { now: START, ...options })).to.throw(
        RangeError,
        /is not allowed\. Use a whole number from 1 to \d\d\./,
      );
      expect(session.has('proof_of_work')).to.equal(false);
    });
  }

  describe('malformed in the session', () => {
    const good = { challenge: 'a'.repeat(32), parts: 1, difficulty: 1, expires: START + 60 };
    /** One of two nonces is right: a task that is taken for one is accepted with one of these. */
    const solutions = Array.from({ length: 12 }, (_, nonce) => String(nonce));

    async function everAccepted(value: unknown): Promise<boolean> {
      for (const solution of solutions) {
        const session = await open();
        session.set('proof_of_work', value);
        await session.save();
        if (await accepts(session.session_key, solution)) return true;
      }
      return false;
    }

    it('is what these tests believe: well-formed, it passes', async () => {
      expect(await everAccepted(good)).to.equal(true);
    });

    for (const change of [
      { challenge: undefined },
      { challenge: 'A'.repeat(32) },
      { challenge: ['a'.repeat(32)] },
      { parts: 0 },
      { parts: '1' },
      { parts: 1e9 },
      { difficulty: 0 },
      { difficulty: -1 },
      { difficulty: '1' },
      { difficulty: null },
      { difficulty: 0.5 },
      { expires: null },
      { expires: String(START + 60) },
      { expires: Number.POSITIVE_INFINITY },
      { expires: 10n ** 30n },
    ]) {
      it(`with ${inspect(change)} never passes`, async () => {
        const value = Object.fromEntries(
          Object.entries({ ...good, ...change }).filter(([, member]) => member !== undefined),
        );
        expect(await everAccepted(value)).to.equal(false);
      });
    }

    it('as any JSON at all never passes and never throws', async () => {
      await fc.assert(
        fc.asyncProperty(fc.jsonValue(), fc.stringMatching(/^\d{1,3}(\.\d{1,3}){0,3}$/), async (value, solution) => {
          const session = await open();
          session.set('proof_of_work', value);
          await session.save();
          expect(await acceptProofOfWork(session, solution, { now: START })).to.equal(false);
        }),
        { numRuns: 100 },
      );
    });
  });
});
