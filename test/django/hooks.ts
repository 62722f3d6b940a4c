/** Mocha's root hooks of the live suites: whatever was started is stopped, also after a failure. */
import { hangUp } from './browser.js';
import { stopPairs } from './pairs.js';
import { stopServers } from './servers.js';

export const mochaHooks = {
  async afterAll(): Promise<void> {
    hangUp();
    await stopPairs();
    await stopServers();
  },
};
