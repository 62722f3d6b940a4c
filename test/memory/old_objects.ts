/** How much of what some work leaves behind outlives V8's small collections, to be copied and kept until a full one. */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const OLD = new Set(['old_space', 'large_object_space']);

const oldBytes = (): number =>
  getHeapSpaceStatistics().reduce((sum, space) => sum + (OLD.has(space.space_name) ? space.space_used_size : 0), 0);

/** How often it is measured: whatever else the process does meanwhile only adds. */
const TRIES = 3;

/**
 * Bytes by which the old objects grow while `work` is done so many times, at the least. Full collections meanwhile take
 * away what grew before them, and do not count.
 */
export async function grownOld(times: number, work: () => Promise<unknown>): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let warm = 0; warm < times / 2; warm += 1) await work();
  let least = Number.POSITIVE_INFINITY;
  for (let measured = 0; measured < TRIES; measured += 1) {
    collect();
    let grown = 0;
    let before = oldBytes();
    for (let time = 0; time < times; time += 1) {
      await work();
      const now = oldBytes();
      grown += Math.max(0, now - before);
      before = now;
    }
    least = Math.min(least, grown);
  }
  return least;
}
