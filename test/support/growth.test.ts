import { expect } from 'chai';
import { expectLinear, expectNoDearer } from './growth.js';
import { reasonOf } from './reason.js';

describe('the measure of growth', () => {
  const text = (size: number): string => 'a'.repeat(size);

  it('lets linear work pass', async () => {
    await expectLinear(
      (size) => text(size * 64),
      (input) => JSON.stringify(input).split('').join('-'),
    );
  });

  it('finds quadratic work', async () => {
    expect(await reasonOf(expectLinear(text, (input) => /a+$/.test(`${input}b`), 4096))).to.be.instanceOf(Error);
  });

  it('finds what is dearer than it may be', async () => {
    const count = (to: number) => async (): Promise<number> => {
      let sum = 0;
      for (let at = 0; at < to; at += 1) sum += at % 7;
      return sum;
    };
    for (let time = 0; time < 12; time += 1) await count(1e5)();
    expect(await reasonOf(expectNoDearer(count(1e5), count(1e7), 4))).to.be.instanceOf(Error);
    await expectNoDearer(count(1e6), count(1e6), 4);
  });
});
