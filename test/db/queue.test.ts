import { expect } from 'chai';
import { Deadline } from '../../server/db/deadline.js';
import { Queue } from '../../server/db/queue.js';
import { StoreUnavailable } from '../../server/errors.js';
import { reasonOf } from '../support/reason.js';

/** Work that ends when it is told to. */
class Work {
  begun = false;
  end: (answer: string) => void = () => {};
  fail: (error: Error) => void = () => {};
  readonly run = (): Promise<string> => {
    this.begun = true;
    return new Promise((resolve, reject) => {
      this.end = resolve;
      this.fail = reject;
    });
  };
}

/** Everything that is due now has happened. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const patient = (): Deadline => new Deadline(60);

describe('Queue', () => {
  it('runs so many at a time, and the others in the order in which they came', async () => {
    const queue = new Queue(2);
    const works = [new Work(), new Work(), new Work(), new Work()];
    const answers = works.map(({ run }) => queue.run(null, patient(), run));
    await settled();
    expect(works.map(({ begun }) => begun)).to.deep.equal([true, true, false, false]);
    works[1]?.end('second');
    await settled();
    expect(works.map(({ begun }) => begun)).to.deep.equal([true, true, true, false]);
    works[0]?.end('first');
    await settled();
    works[2]?.end('third');
    works[3]?.end('fourth');
    expect(await Promise.all(answers)).to.deep.equal(['first', 'second', 'third', 'fourth']);
  });

  it('lets a request that had a turn go before those that had none, so that some are served where not all can be', async () => {
    const queue = new Queue(1);
    const [first, others, second] = [new Work(), [new Work(), new Work()], new Work()];
    const mine = patient();
    const begun = queue.run(null, mine, first.run);
    const answers = others.map(({ run }) => queue.run(null, patient(), run));
    const next = begun.then(() => queue.run(null, mine, second.run));
    first.end('1');
    await settled();
    expect([...others, second].map((work) => work.begun)).to.deep.equal([true, false, false]);
    others[0]?.end('2');
    await settled();
    expect([...others, second].map((work) => work.begun)).to.deep.equal([true, false, true]);
    second.end('3');
    await next;
    await settled();
    others[1]?.end('4');
    await Promise.all(answers);
  });

  it('lets no call of a request overtake one that it made before its first turn', async () => {
    const queue = new Queue(1);
    const [before, ...works] = [new Work(), new Work(), new Work(), new Work()];
    const others = queue.run('row', patient(), before.run);
    const mine = patient();
    const call = (index: number): Promise<string> => queue.run('row', mine, works[index]?.run ?? before.run);
    const calls = [call(0), call(1)];
    before.end('done');
    await settled();
    calls.push(call(2));
    for (const [index, work] of works.entries()) {
      await settled();
      expect(works.map(({ begun }) => begun)).to.deep.equal([0, 1, 2].map((each) => each <= index));
      work.end('done');
    }
    await Promise.all([others, ...calls]);
  });

  it('runs one at a time for a key, and others meanwhile', async () => {
    const queue = new Queue(2);
    const works = [new Work(), new Work(), new Work()];
    const answers = works.map(({ run }, i) => queue.run(i < 2 ? 'a' : 'b', patient(), run));
    await settled();
    expect(works.map(({ begun }) => begun)).to.deep.equal([true, false, true]);
    works[0]?.end('1');
    await settled();
    expect(works[1]?.begun).to.equal(true);
    works[1]?.end('2');
    works[2]?.end('3');
    expect(await Promise.all(answers)).to.deep.equal(['1', '2', '3']);
  });

  it('passes on what work throws to its own caller, and tries for those who wait', async () => {
    const queue = new Queue(1);
    const [first, next] = [new Work(), new Work()];
    const failed = queue.run('a', patient(), first.run);
    const answer = queue.run('a', patient(), next.run);
    const away = new StoreUnavailable('away');
    first.fail(away);
    expect(await reasonOf(failed)).to.equal(away);
    await settled();
    next.end('there again');
    expect(await answer).to.equal('there again');
  });

  it('gives up who waits too long, and goes on with those who wait on', async () => {
    const queue = new Queue(1);
    const [first, late, next] = [new Work(), new Work(), new Work()];
    const running = queue.run('a', patient(), first.run);
    const given = queue.run('a', new Deadline(0.02), late.run);
    const answer = queue.run('b', patient(), next.run);
    expect(await reasonOf(given)).to.be.instanceOf(StoreUnavailable);
    first.end('done');
    expect(await running).to.equal('done');
    await settled();
    expect([late.begun, next.begun]).to.deep.equal([false, true]);
    next.end('next');
    expect(await answer).to.equal('next');
  });

  it('leaves each the time that it asks for itself, also in the queue within which it runs', async () => {
    const within = new Queue(1);
    const [first, second] = [new Queue(1, within), new Queue(1, within)];
    const [running, late, next] = [new Work(), new Work(), new Work()];
    const begun = first.run(null, patient(), running.run, 30);
    const refused = second.run('a', patient(), late.run, 61);
    expect(await reasonOf(refused)).to.be.instanceOf(StoreUnavailable);
    const given = second.run('a', patient(), late.run, 59.99);
    expect(await reasonOf(given)).to.be.instanceOf(StoreUnavailable);
    const answer = second.run('a', patient(), next.run, 30);
    running.end('done');
    await begun;
    await settled();
    expect([late.begun, next.begun]).to.deep.equal([false, true]);
    next.end('next');
    expect(await answer).to.equal('next');
  });
});
