import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { Deadline, inTime } from '../../server/db/deadline.js';
import { databaseBounds } from '../../server/db/wait_bounds.js';
import { StoreUnavailable } from '../../server/errors.js';
import { reasonOf } from '../support/reason.js';

const never = (): Promise<void> => new Promise(() => {});

describe('Deadline', () => {
  it('counts the waits of a request together, those that overlap once, and not the time between them', async () => {
    const deadline = new Deadline(60);
    const wait = async (milliseconds: number): Promise<number> => {
      const began = performance.now();
      await inTime(pause(milliseconds), deadline);
      return performance.now() - began;
    };
    const [first, second] = await Promise.all([wait(40), wait(40)]);
    const after = deadline.left();
    await pause(30);
    expect(deadline.left()).to.equal(after);
    const third = await wait(25);
    const used = 60_000 - deadline.left();
    expect(used).to.be.at.least(60);
    expect(used).to.be.below(first + second + third);
  });

  it('leaves a second wait only what the first has left', async () => {
    const deadline = new Deadline(0.05);
    expect(await reasonOf(inTime(never(), deadline))).to.be.instanceOf(StoreUnavailable);
    expect(deadline.left()).to.be.at.most(0);
    const error = new Error('late');
    expect(await reasonOf(inTime(never(), deadline, () => error))).to.equal(error);
  });

  it('takes the bound of the first table that is asked, where it has none of its own', () => {
    expect(new Deadline().boundBy(60).boundBy(1).left()).to.equal(60_000);
    expect(new Deadline(2).boundBy(60).left()).to.equal(2000);
    expect(new Deadline().left()).to.equal(databaseBounds().request * 1000);
  });

  it('gives what came in time, and lets nobody hear of what fails afterwards', async () => {
    expect(await inTime(Promise.resolve('answer'), new Deadline(60))).to.equal('answer');
    let fail: (error: Error) => void = () => {};
    const fails = new Promise((_, reject) => {
      fail = reject;
    });
    expect(await reasonOf(inTime(fails, new Deadline(0.01)))).to.be.instanceOf(StoreUnavailable);
    fail(new Error('too late to matter'));
    await new Promise(setImmediate);
  });
});

describe('a wait that is over', () => {
  it('sets no more timers, though its own had come a moment before', async () => {
    const { setTimeout: real } = globalThis;
    const timers: (() => void)[] = [];
    globalThis.setTimeout = ((call: () => void) => real(() => {}, timers.push(call)).unref()) as typeof real;
    try {
      let answer: (value: string) => void = () => {};
      const answered = new Promise<string>((resolve) => {
        answer = resolve;
      });
      const waited = inTime(answered, new Deadline(60));
      expect(timers).to.have.length(1);
      // Too early, as where the deadline was paused, or the turn of the loop was long.
      timers[0]?.();
      answer('answer');
      expect(await waited).to.equal('answer');
      await new Promise(setImmediate);
      expect(timers).to.have.length(1);
    } finally {
      globalThis.setTimeout = real;
    }
  });
});

describe('databaseBounds', () => {
  it('grow with DATABASE_TIMEOUT, all of them', () => {
    const [one, five] = [databaseBounds(1), databaseBounds(5)];
    for (const name of Object.keys(one) as (keyof typeof one)[]) expect(five[name]).to.equal(one[name] * 5);
  });
});
