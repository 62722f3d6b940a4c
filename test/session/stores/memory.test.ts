import { MemoryStore } from '../../../server/session/stores/memory.js';
import { storeContract } from './contract.js';

describe('MemoryStore', () => {
  storeContract(async (now) => ({ store: new MemoryStore({ now }) }));
});
