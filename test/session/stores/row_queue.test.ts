import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { StoreUnavailable } from '../../../server/errors.js';
import { RowQueue } from '../../../server/session/stores/row_queue.js';
import { reasonOf } from '../../support/reason.js';

describe('RowQueue', () => {
  const late = new StoreUnavailable('late');
  const open = (most: number): RowQueue => new RowQueue(most, () => late);

  it('runs one at a time for a session, and so many altogether', async () => {
    const queue = open(2);
    const running = new Map<string, number>();
    let most = 0;
    const work = async (session_key: string): Promise<void> => {
      running.set(session_key, (running.get(session_key) ?? 0) + 1);
      expect(running.get(session_key)).to.equal(1);
      most = Math.max(most, [...running.values()].filter(Boolean).length);
      await pause(2);
      running.set(session_key, 0);
    };
    await Promise.all(['a', 'a', 'b', 'c', 'b', 'a'].map((key) => queue.run(key, () => work(key))));
    expect(most).to.equal(2);
  });

  it('gives those up who wait too long behind turns that succeed, and goes on', async () => {
    const queue = open(1);
    const slow = queue.run('a', () => pause(2600, 'done'));
    let ran = false;
    const waiting = queue.run('b', async () => {
      ran = true;
    });
    expect(await reasonOf(waiting)).to.equal(late);
    expect(await slow).to.equal('done');
    expect(ran).to.equal(false);
    expect(await queue.run('b', async () => 'next')).to.equal('next');
  });

  it('tells at once those who wait for a session whose turn found the store away', async () => {
    const queue = open(1);
    const away = new StoreUnavailable('away');
    const first = queue.run('a', async () => {
      await pause(200);
      throw away;
    });
    const second = queue.run('a', async () => 'never');
    expect(await reasonOf(first)).to.equal(away);
    expect(await reasonOf(second)).to.equal(away);
  });
});
