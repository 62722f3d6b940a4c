/** A process of file.test.ts: counts up in one session, by modify and by replace in turn. */
import { StoreUnavailable } from '../../../server/errors.js';
import { FileStore } from '../../../server/session/stores/file.js';
import { defineSettings } from '../../../server/settings.js';

const [folder = '', session_key = '', times = '0'] = process.argv.slice(2);
const store = new FileStore(defineSettings({ SECRET_KEY: 'a secret', SESSION_FILE_PATH: folder }));
const expire_date = new Date(Date.now() + 600_000);
const next = (session_data: string): string => String(Number(session_data) + 1);

async function replaceUntilDone(): Promise<void> {
  for (;;) {
    const loaded = (await store.load(session_key)) ?? '';
    if (await store.replace(loaded, { session_key, session_data: next(loaded), expire_date })) return;
  }
}

async function count(turn: number): Promise<void> {
  try {
    if (turn % 2 === 0) return await replaceUntilDone();
    return await store.modify(session_key, async (loaded) => ({ session_data: next(loaded), expire_date }));
  } catch (error) {
    // A busy machine: nothing was written, as a visitor would be told.
    if (error instanceof StoreUnavailable) return count(turn);
    throw error;
  }
}

for (let round = 0; round < Number(times) / 10; round += 1) {
  await Promise.all(Array.from({ length: 10 }, (_, turn) => count(turn)));
}
