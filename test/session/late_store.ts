/** A store in memory whose writes take a while. */
import { MemoryStore } from '../../server/session/stores/memory.js';

export const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Writes some ticks after it was asked to, as a database does. */
export class LateStore extends MemoryStore {
  override async create(...given: Parameters<MemoryStore['create']>): Promise<void> {
    await tick().then(tick);
    return super.create(...given);
  }
  override async replace(...given: Parameters<MemoryStore['replace']>): Promise<boolean> {
    await tick().then(tick);
    return super.replace(...given);
  }
  override async modify(...given: Parameters<MemoryStore['modify']>): Promise<void> {
    await tick().then(tick);
    return super.modify(...given);
  }
  override async cycle(...given: Parameters<MemoryStore['cycle']>): Promise<void> {
    await tick().then(tick);
    return super.cycle(...given);
  }
}
