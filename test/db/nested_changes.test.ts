import { expect } from 'chai';
import { NestedChanges } from '../../server/db/nested_changes.js';
import { ValueError } from '../../server/errors.js';

/** A promise that is resolved from outside. */
function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give: () => void = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}

describe('NestedChanges', () => {
  it('refuses the row whose change this is called from, and tells of other rows that they are inside', async () => {
    const changes = new NestedChanges();
    await changes.run('a', async () => {
      await changes.run('b', async () => {
        expect(() => changes.check('a')).to.throw(ValueError, 'Inside `atomic`');
        expect(() => changes.check('b')).to.throw(ValueError, 'Inside `atomic`');
        expect(changes.check('c')).to.equal(true);
      });
      expect(changes.check('b')).to.equal(true);
    });
    expect(changes.check('a')).to.equal(false);
  });

  it('lets a job that was started inside a change go on after it, also while an unrelated change runs', async () => {
    const changes = new NestedChanges();
    const [over, unrelated] = [signal(), signal()];
    let job: Promise<readonly boolean[]> = Promise.resolve([]);
    await changes.run('a', async () => {
      job = (async () => {
        await over.given;
        return [changes.check('a'), changes.check('b'), changes.isInside];
      })();
    });
    const running = changes.run('b', () => unrelated.given);
    over.give();
    expect(await job).to.deep.equal([false, false, false]);
    unrelated.give();
    await running;
  });

  it('counts a nested change that goes on after the one around it', async () => {
    const changes = new NestedChanges();
    const over = signal();
    let nested: Promise<boolean> = Promise.resolve(false);
    await changes.run('a', async () => {
      nested = changes.run('b', async () => {
        await over.given;
        expect(() => changes.check('b')).to.throw(ValueError);
        return changes.check('a');
      });
    });
    over.give();
    expect(await nested).to.equal(true);
  });
});
