import { expect } from 'chai';
import { Batcher, type BatcherOptions } from '../../server/db/batcher.js';
import { Deadline } from '../../server/db/deadline.js';
import { StoreUnavailable } from '../../server/errors.js';
import { reasonOf } from '../support/reason.js';

interface Batch {
  readonly keys: readonly string[];
  /** With the number of the batch; `later` for those keys that are to be answered by a promise of their own. */
  readonly answer: (later?: Readonly<Record<string, Promise<number>>>) => void;
  readonly fail: (error: unknown) => void;
}

/** Settles when everything that is due in this turn of the event loop has run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('Batcher', () => {
  let batches: Batch[];
  let arrival: () => void;
  /** Settles when the next batch is sent. */
  let nextBatch: Promise<void>;
  let batcher: Batcher<undefined, number>;
  const away = new Error('away');

  function open(options: BatcherOptions = {}): void {
    batches = [];
    const expectBatch = (): void => {
      nextBatch = new Promise((resolve) => {
        arrival = resolve;
      });
    };
    expectBatch();
    batcher = new Batcher<undefined, number>(
      (calls) =>
        new Promise((resolve, fail) => {
          const keys = calls.map(({ key }) => key);
          const number = batches.length;
          const answer: Batch['answer'] = (later = {}) => resolve(keys.map((key) => later[key] ?? number));
          batches.push({ keys, answer, fail });
          arrival();
          expectBatch();
        }),
      // By itself no batch is slow, however long this process is held up.
      { patience: 60, ...options },
    );
  }

  const call = (key: string, seconds = 60, bytes = 0): Promise<number> => {
    const answer = batcher.call({ key, input: undefined, bytes }, new Deadline(seconds));
    answer.catch(() => {});
    return answer;
  };
  const calls = (...keys: readonly string[]): Promise<number>[] => keys.map((key) => call(key));
  const sent = (): unknown => batches.map(({ keys }) => keys);

  afterEach(async () => {
    for (let answered = 0; answered < batches.length; answered += 1) {
      batches[answered]?.answer();
      await turn();
    }
  });

  it('sends the calls of one tick together, and gives each its answer', async () => {
    open();
    const answers = calls('a', 'b', 'c');
    await turn();
    expect(sent()).to.deep.equal([['a', 'b', 'c']]);
    batches[0]?.answer({ b: Promise.resolve(7) });
    expect(await Promise.all(answers)).to.deep.equal([0, 7, 0]);
  });

  it('sends a lone call at the end of its tick', async () => {
    open();
    call('a');
    await turn();
    expect(sent()).to.deep.equal([['a']]);
  });

  it('lets calls gather while all lanes are taken, and sends them when one is free', async () => {
    open({ lanes: 1 });
    call('a');
    await turn();
    calls('b', 'c');
    await turn();
    expect(sent()).to.deep.equal([['a']]);
    batches[0]?.answer();
    await turn();
    expect(sent()).to.deep.equal([['a'], ['b', 'c']]);
  });

  it('frees the lane when a batch leaves an answer to a promise', async () => {
    open({ lanes: 1 });
    const [first] = calls('a');
    await turn();
    let settle: (number: number) => void = () => {};
    const later = new Promise<number>((resolve) => {
      settle = resolve;
    });
    batches[0]?.answer({ a: later });
    await turn();
    calls('a');
    await turn();
    expect(sent()).to.deep.equal([['a'], ['a']]);
    settle(9);
    expect(await first).to.equal(9);
  });

  it('has those of one key that wait in one batch, and never one key in two batches on their way', async () => {
    open();
    calls('a', 'a', 'b');
    await turn();
    calls('a', 'c', 'a');
    await turn();
    expect(sent()).to.deep.equal([['a', 'a', 'b'], ['c']]);
    batches[0]?.answer();
    await turn();
    expect(sent()).to.deep.equal([['a', 'a', 'b'], ['c'], ['a', 'a']]);
  });

  it('asks once for those who share an answer, and never joins them to what is on its way', async () => {
    open({ shared: true });
    const first = calls('a', 'b', 'a');
    await turn();
    const second = calls('a', 'a');
    await turn();
    expect(sent()).to.deep.equal([['a', 'b'], ['a']]);
    batches[1]?.answer();
    batches[0]?.answer();
    expect(await Promise.all(first)).to.deep.equal([0, 0, 0]);
    expect(await Promise.all(second)).to.deep.equal([1, 1]);
  });

  it('answers a hundred thousand who share an answer', async () => {
    open({ shared: true });
    const answers = calls(...Array.from({ length: 100_000 }, () => 'a'));
    await turn();
    batches[0]?.answer();
    expect(new Set(await Promise.all(answers))).to.deep.equal(new Set([0]));
  });

  it('bounds a batch', async () => {
    open({ batch_size: 2 });
    calls('a', 'b', 'c');
    await turn();
    expect(sent()).to.deep.equal([['a', 'b'], ['c']]);
  });

  it('leaves it at what a batch holds once that is large', async () => {
    open({ lanes: 1 });
    for (let n = 0; n < 4; n++) call(`${n}`, 60, 600_000);
    await turn();
    batches[0]?.answer();
    await turn();
    expect(sent()).to.deep.equal([
      ['0', '1'],
      ['2', '3'],
    ]);
  });

  describe('with a crowd', () => {
    it('leaves half for the next batch where it is asked to', async () => {
      open({ lanes: 1, halve: true });
      for (let n = 0; n < 40; n++) call(`${n}`);
      await turn();
      batches[0]?.answer();
      await turn();
      // The other half, and not half of that.
      expect(batches.map(({ keys }) => keys.length)).to.deep.equal([22, 18]);
    });

    it('never halves the few, whose commit costs more than their wait', async () => {
      open({ lanes: 1, halve: true });
      for (let n = 0; n < 16; n++) call(`${n}`);
      await turn();
      expect(batches.map(({ keys }) => keys.length)).to.deep.equal([16]);
    });

    it('forgets a crowd that is over', async () => {
      open({ lanes: 1, halve: true });
      for (let n = 0; n < 60; n++) call(`${n}`);
      for (let n = 0; n < 40; n++) {
        await turn();
        batches.at(-1)?.answer();
        call(`late ${n}`);
      }
      await turn();
      batches.at(-1)?.answer();
      await turn();
      for (let n = 0; n < 20; n++) call(`few ${n}`);
      await turn();
      batches.at(-1)?.answer();
      await turn();
      expect(batches.slice(-2).map(({ keys }) => keys.length)).to.deep.equal([16, 4]);
    });
  });

  describe('behind a slow batch', () => {
    it('lets others pass', async () => {
      open({ lanes: 1, patience: 0.005 });
      call('slow');
      await turn();
      call('b');
      await nextBatch;
      expect(sent()).to.deep.equal([['slow'], ['b']]);
    });

    it('lets others pass also where one was slow before', async () => {
      open({ lanes: 1, patience: 0.005 });
      for (const [slow, other] of [
        ['a', 'b'],
        ['c', 'd'],
      ] as const) {
        call(slow);
        await turn();
        call(other);
        await nextBatch;
        for (const { answer } of batches.toReversed()) answer();
        await turn();
      }
      expect(sent()).to.deep.equal([['a'], ['b'], ['c'], ['d']]);
    });

    it('lets no more pass than there are slow lanes', async () => {
      open({ lanes: 1, slowBatches: 1, patience: 0.002 });
      call('a');
      await turn();
      call('b');
      await nextBatch;
      const [c] = calls('c');
      const given = reasonOf(call('d', 0.05));
      expect(await given).to.be.instanceOf(StoreUnavailable);
      expect(sent()).to.deep.equal([['a'], ['b']]);
      batches[0]?.answer();
      await turn();
      batches[2]?.answer();
      expect(await c).to.equal(2);
    });
  });

  describe('at a deadline', () => {
    it('gives up a call that waits, and it alone', async () => {
      open({ lanes: 1, slowBatches: 0, patience: 0.01 });
      calls('a');
      await turn();
      const [impatient, patient] = [call('b', 0.02), call('c')];
      expect(await reasonOf(impatient)).to.be.instanceOf(StoreUnavailable);
      batches[0]?.answer();
      await turn();
      expect(sent()).to.deep.equal([['a'], ['c']]);
      batches[1]?.answer();
      expect(await patient).to.equal(1);
    });

    it('sends no call that has not as much time left as is reserved, so that no write is done after a 503', async () => {
      open({ reserve: 30 });
      const [late, inTime] = [call('a', 20), call('b', 60)];
      expect(await reasonOf(late)).to.be.instanceOf(StoreUnavailable);
      expect(sent()).to.deep.equal([['b']]);
      batches[0]?.answer();
      expect(await inTime).to.equal(0);
    });

    it('gives up a call that is on its way, and none that shares its batch or its answer', async () => {
      open({ shared: true, patience: 0.01 });
      const [impatient, sharing, other] = [call('a', 0.02), call('a'), call('b')];
      expect(await reasonOf(impatient)).to.be.instanceOf(StoreUnavailable);
      batches[0]?.answer();
      expect(await Promise.all([sharing, other])).to.deep.equal([0, 0]);
    });

    it('goes on when all calls of a batch are given up that never ends', async () => {
      open({ lanes: 1, slowBatches: 0, patience: 0.01 });
      const impatient = call('a', 0.02);
      await turn();
      const next = call('a');
      expect(await reasonOf(impatient)).to.be.instanceOf(StoreUnavailable);
      await turn();
      expect(sent()).to.deep.equal([['a'], ['a']]);
      batches[1]?.answer();
      expect(await next).to.equal(1);
    });

    it('takes an answer that came while this process was busy', async () => {
      open({ patience: 0.01 });
      const answer = call('a', 0.03);
      await turn();
      setImmediate(() => {
        for (const until = performance.now() + 60; performance.now() < until; );
        setImmediate(() => batches[0]?.answer());
      });
      expect(await answer).to.equal(0);
    });
  });

  describe('when a batch fails', () => {
    it('tells those who were in it, and tries for those who waited', async () => {
      open({ lanes: 1 });
      const [first, second] = calls('a', 'b');
      await turn();
      const [waiting] = calls('c');
      batches[0]?.fail(away);
      expect(await reasonOf(first ?? Promise.resolve())).to.equal(away);
      expect(await reasonOf(second ?? Promise.resolve())).to.equal(away);
      await turn();
      batches[1]?.answer();
      expect(await waiting).to.equal(1);
    });
  });
});
