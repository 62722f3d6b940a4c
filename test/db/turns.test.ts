import { expect } from 'chai';
import { connectKnex } from '../../server/db/knex.js';
import { shareOf, Turns } from '../../server/db/turns.js';
import { StoreUnavailable } from '../../server/errors.js';

/** Work that ends when it is told to. */
function work(): {
  run: () => Promise<string>;
  end: (answer: string) => void;
  fail: (error: Error) => void;
  begun: boolean;
} {
  const work = {
    begun: false,
    end: (_answer: string): void => {},
    fail: (_error: Error): void => {},
    run: (): Promise<string> => {
      work.begun = true;
      return new Promise<string>((resolve, reject) => {
        work.end = resolve;
        work.fail = reject;
      });
    },
  };
  return work;
}

/** Everything that is due now has happened. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Turns', () => {
  it('runs so many at a time, and the others in the order in which they came', async () => {
    const turns = new Turns(2);
    const works = [work(), work(), work(), work()];
    const answers = works.map(({ run }) => turns.run(run));
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

  it('passes on what work throws, and lets the next one begin', async () => {
    const turns = new Turns(1);
    const [first, next] = [work(), work()];
    const failed = turns.run(first.run).catch((error: unknown) => error);
    const answer = turns.run(next.run);
    const error = new Error('wrong');
    first.fail(error);
    expect(await failed).to.equal(error);
    await settled();
    next.end('right');
    expect(await answer).to.equal('right');
  });

  it('lets whoever just came try for themselves when the database was away for the one before', async () => {
    const turns = new Turns(1);
    const [first, next] = [work(), work()];
    const failed = turns.run(first.run).catch((error: unknown) => error);
    const answer = turns.run(next.run);
    first.fail(new StoreUnavailable('away'));
    expect(await failed).to.be.instanceOf(StoreUnavailable);
    await settled();
    expect(next.begun).to.equal(true);
    next.end('there again');
    expect(await answer).to.equal('there again');
  });

  it('is given half of a pool, and one of a pool of one', async () => {
    for (const [pool_size, share] of [
      [10, 5],
      [3, 1],
      [1, 1],
    ] as const) {
      const knex = connectKnex('postgres://nobody@127.0.0.1:1/none', { pool_size });
      expect(shareOf(knex)).to.equal(share);
      await knex.destroy();
    }
  });
});
