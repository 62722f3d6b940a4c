import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { type Job, Lanes, type LanesOptions } from '../../../server/session/stores/lanes.js';

interface Batch {
  readonly keys: readonly string[];
  readonly answer: () => void;
  readonly fail: (error: unknown) => void;
}

/** Settles when everything that is due in this turn of the event loop has run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('Lanes', () => {
  let batches: Batch[];
  let rejected: Map<string, unknown>;
  let arrival: () => void;
  /** Settles when the next batch is sent. */
  let nextBatch: Promise<void>;
  const away = new Error('away');

  function open(options: LanesOptions = {}): Lanes<Job> {
    batches = [];
    rejected = new Map();
    const expectBatch = (): void => {
      nextBatch = new Promise((resolve) => {
        arrival = resolve;
      });
    };
    expectBatch();
    return new Lanes<Job>(
      (jobs) =>
        new Promise((answer, fail) => {
          batches.push({ keys: jobs.map(({ session_key }) => session_key), answer, fail });
          arrival();
          expectBatch();
        }),
      () => away,
      options,
    );
  }

  const job = (session_key: string): Job => ({
    session_key,
    // As LoadBatch's jobs: it needs to know whose it is.
    reject(error) {
      rejected.set(this.session_key, error);
    },
  });
  const keys = (): unknown => batches.map((batch) => batch.keys);

  it('sends the jobs of one tick together', async () => {
    const lanes = open();
    for (const key of ['a', 'b', 'c']) lanes.add(job(key));
    await turn();
    expect(keys()).to.deep.equal([['a', 'b', 'c']]);
  });

  it('sends a lone job at the end of its tick', async () => {
    open().add(job('a'));
    await turn();
    expect(keys()).to.deep.equal([['a']]);
  });

  it('lets jobs gather while all lanes are taken, and sends them when one is free', async () => {
    const lanes = open({ lanes: 1 });
    lanes.add(job('a'));
    await turn();
    for (const key of ['b', 'c']) lanes.add(job(key));
    await turn();
    expect(keys()).to.deep.equal([['a']]);
    batches[0]?.answer();
    await turn();
    expect(keys()).to.deep.equal([['a'], ['b', 'c']]);
  });

  it('never has one session on its way twice', async () => {
    const lanes = open();
    lanes.add(job('a'));
    lanes.add(job('a'));
    lanes.add(job('b'));
    await turn();
    expect(keys()).to.deep.equal([['a', 'b']]);
    batches[0]?.answer();
    await turn();
    expect(keys()).to.deep.equal([['a', 'b'], ['a']]);
  });

  it('bounds a batch', async () => {
    const lanes = open({ batch_size: 2 });
    for (const key of ['a', 'b', 'c']) lanes.add(job(key));
    await turn();
    expect(keys()).to.deep.equal([['a', 'b'], ['c']]);
  });

  it('leaves it at what a batch holds once that is large', async () => {
    const lanes = open({ lanes: 1 });
    for (let n = 0; n < 4; n++) lanes.add({ ...job(`${n}`), bytes: 600_000 });
    await turn();
    batches[0]?.answer();
    await turn();
    expect(keys()).to.deep.equal([
      ['0', '1'],
      ['2', '3'],
    ]);
  });

  it('gives those up who wait too long behind batches that are slow and succeed', async () => {
    const lanes = open({ lanes: 1, batch_size: 1, patience: 0.05, slow_lanes: 0, timeout: 0.2 });
    for (const key of ['a', 'b', 'c']) lanes.add(job(key));
    await pause(150);
    batches[0]?.answer();
    await pause(150);
    lanes.add(job('d'));
    batches[1]?.answer();
    await turn();
    expect([...rejected]).to.deep.equal([['c', away]]);
    expect(keys()).to.deep.equal([['a'], ['b'], ['d']]);
    batches[2]?.answer();
    await turn();
  });

  it('leaves half of a crowd for the next batch where it is asked to', async () => {
    const lanes = open({ lanes: 1, halve: true });
    for (let n = 0; n < 40; n++) lanes.add(job(`${n}`));
    await turn();
    batches[0]?.answer();
    await turn();
    // The other half, and not half of that.
    expect(batches.map((batch) => batch.keys.length)).to.deep.equal([22, 18]);
  });

  it('never halves the few, whose commit costs more than their wait', async () => {
    const lanes = open({ lanes: 1, halve: true });
    for (let n = 0; n < 16; n++) lanes.add(job(`${n}`));
    await turn();
    expect(batches.map((batch) => batch.keys.length)).to.deep.equal([16]);
  });

  it('forgets a crowd that is over', async () => {
    const lanes = open({ lanes: 1, halve: true });
    for (let n = 0; n < 60; n++) lanes.add(job(`${n}`));
    for (let n = 0; n < 40; n++) {
      await turn();
      batches.at(-1)?.answer();
      lanes.add(job(`late ${n}`));
    }
    await turn();
    batches.at(-1)?.answer();
    await turn();
    for (let n = 0; n < 20; n++) lanes.add(job(`few ${n}`));
    await turn();
    batches.at(-1)?.answer();
    await turn();
    expect(batches.slice(-2).map((batch) => batch.keys.length)).to.deep.equal([16, 4]);
  });

  it('lets others pass a slow batch', async () => {
    const lanes = open({ lanes: 1, patience: 0.005 });
    lanes.add(job('slow'));
    await turn();
    lanes.add(job('b'));
    await nextBatch;
    expect(keys()).to.deep.equal([['slow'], ['b']]);
    expect(rejected.size).to.equal(0);
    for (const { answer } of batches) answer();
  });

  it('lets others pass a slow batch also where one was slow before', async () => {
    const lanes = open({ lanes: 1, patience: 0.005 });
    for (const [slow, other] of [
      ['a', 'b'],
      ['c', 'd'],
    ] as const) {
      lanes.add(job(slow));
      await turn();
      lanes.add(job(other));
      await nextBatch;
      for (const { answer } of batches.toReversed()) answer();
      await turn();
    }
    expect(keys()).to.deep.equal([['a'], ['b'], ['c'], ['d']]);
  });

  it('gives a batch up that is not answered in time', async () => {
    const lanes = open({ lanes: 1, slow_lanes: 0, patience: 0.002, timeout: 0.05 });
    lanes.add(job('a'));
    await pause(25);
    lanes.add(job('b'));
    await nextBatch;
    expect([...rejected]).to.deep.equal([['a', away]]);
    expect(keys()).to.deep.equal([['a'], ['b']]);
    batches[1]?.answer();
  });

  it('tells those who waited long behind a batch that failed, and tries for those who just came', async () => {
    const lanes = open({ lanes: 1, slow_lanes: 0, timeout: 0.3 });
    lanes.add(job('a'));
    await turn();
    lanes.add(job('early'));
    // The only wait of this file: that somebody waited is what is meant.
    await new Promise((resolve) => setTimeout(resolve, 200));
    lanes.add(job('late'));
    await nextBatch;
    expect([...rejected.keys()]).to.deep.equal(['a', 'early']);
    expect(keys()).to.deep.equal([['a'], ['late']]);
    batches[1]?.answer();
  });

  it('goes on after a batch that failed', async () => {
    const lanes = open({ lanes: 1 });
    lanes.add(job('a'));
    await turn();
    batches[0]?.fail(away);
    await turn();
    lanes.add(job('a'));
    await turn();
    expect(keys()).to.deep.equal([['a'], ['a']]);
  });
});
